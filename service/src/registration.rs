//! Registrations, and the pushes they trigger (DLV-01).

use std::sync::Arc;

use proto::v1;
use proto::v1::registration_service_server::RegistrationService;
use storage::model::{BindingChange, MailboxId, Registered, Registration, RegistrationRefusal};
use storage::{Store, StoreError, Synced};
use tonic::{Request, Response, Status};

use crate::scheduler::{Scheduler, Unreachable};
use crate::subscription::Distributor;
use crate::{convert, status};

/// The registration service over a store.
pub(crate) struct Registrations<S> {
    store: Arc<S>,
    scheduler: Scheduler,
    unreachable: Unreachable,
    distributor: Distributor,
}

impl<S: Store> Registrations<S> {
    pub(crate) fn new(
        store: Arc<S>,
        scheduler: Scheduler,
        unreachable: Unreachable,
        distributor: Distributor,
    ) -> Self {
        Self {
            store,
            scheduler,
            unreachable,
            distributor,
        }
    }

    /// The mailboxes, as far as there are any, of all addresses that are registered.
    async fn concerned(&self, registration: &Registration) -> Result<Vec<MailboxId>, StoreError> {
        let mut mailboxes = Vec::new();
        for address in [&registration.address]
            .into_iter()
            .chain(&registration.aliases)
        {
            mailboxes.extend(self.store.mailbox(address.clone()).await?);
        }
        Ok(mailboxes)
    }

    async fn commit(
        &self,
        registration: Registration,
    ) -> Result<Result<Synced<Registered>, RegistrationRefusal>, StoreError> {
        let concerned = self.concerned(&registration).await?;
        let _registering = self.unreachable.begin(concerned);
        self.store.register(registration).await
    }

    /// A question triggers nothing; a de-registration ends what is being delivered, if nobody is left to deliver
    /// to (requirements §3.5).
    async fn trigger(&self, (registers, leaves): (bool, bool), registered: &Registered) {
        let Some(mailbox) = registered.mailbox else {
            count("nothing_pending");
            return;
        };
        let is_reachable = self.scheduler.is_reachable(registered);
        if leaves && !is_reachable {
            self.scheduler.deregistered(mailbox).await;
        }
        if registers && is_reachable {
            let has_waiting = registered.has_waiting;
            count(if has_waiting {
                "scheduled"
            } else {
                "nothing_pending"
            });
            self.scheduler.registered(mailbox, has_waiting).await;
        } else if registers && registered.has_waiting {
            // Nothing can be pushed to this user, so he is told what waits (requirements §3.5, DLV-04).
            self.distributor.remind(mailbox);
        }
    }
}

#[tonic::async_trait]
impl<S: Store> RegistrationService for Registrations<S> {
    async fn register(
        &self,
        request: Request<v1::RegisterRequest>,
    ) -> Result<Response<v1::RegisterReply>, Status> {
        let registration = convert::registration(request.into_inner())?;
        let registers = has_bind(&registration);
        let leaves = has_unbind(&registration);
        let registered = self
            .commit(registration)
            .await
            .map_err(|error| status::of_store(&error))?
            .map_err(|refusal| status::of_registration(&refusal))?
            .into_inner();
        self.trigger((registers, leaves), &registered).await;
        Ok(Response::new(convert::registered(registered)))
    }
}

fn has_bind(registration: &Registration) -> bool {
    let is_bind = |change: &BindingChange| matches!(change, BindingChange::Bind(_));
    registration.changes.iter().any(is_bind)
}

fn has_unbind(registration: &Registration) -> bool {
    let is_unbind = |change: &BindingChange| !matches!(change, BindingChange::Bind(_));
    registration.changes.iter().any(is_unbind)
}

fn count(result: &'static str) {
    metrics::counter!("restante_register_refresh_total", "result" => result).increment(1);
}
