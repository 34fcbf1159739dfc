//! Steering deliveries.

use std::sync::Arc;

use daemon::build_info::BUILD;
use daemon::readiness::Readiness;
use proto::v1;
use proto::v1::operator_service_server::OperatorService;
use storage::model::{Clock, MailboxId, MailboxSummary, Order, Setting, UnixMillis, Verb};
use storage::{Store, StoreError};
use tonic::transport::server::{TcpConnectInfo, UdsConnectInfo};
use tonic::{Code, Request, Response, Status};

use crate::audit::Change;
use crate::config::DeliveryMode;
use crate::door::Visitor;
use crate::large::UploadsUnderWay;
use crate::recall::Recalls;
use crate::scheduler::{DepositWatch, EdgeStatus, PlanPhase, Planned, Scheduler};
use crate::secure::Caller;
use crate::suspension::Suspensions;
use crate::sweeper::Alarms;
use crate::{convert, mailbox, status, suspension};

/// Pushes and uploads that are listed.
const SESSIONS: usize = 1_000;

/// The operator service over a store.
pub(crate) struct Operators<S> {
    pub(crate) store: Arc<S>,
    pub(crate) scheduler: Scheduler,
    pub(crate) watch: DepositWatch,
    pub(crate) recalls: Recalls<S>,
    pub(crate) readiness: Readiness,
    /// Wakes the sweeper when a held message is to be offered again.
    pub(crate) alarms: Alarms,
    pub(crate) suspensions: Suspensions,
    pub(crate) uploads: UploadsUnderWay,
    /// Each device gets each message.
    pub(crate) each_device: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) started_at: UnixMillis,
}

impl<S: Store> Operators<S> {
    /// Carries out one verb for whoever is at the other end.
    async fn order(
        &self,
        verb: Verb,
        request: Request<v1::MessageOrder>,
    ) -> Result<Response<v1::Message>, Status> {
        let actor = actor(&request);
        let order = request.into_inner();
        let verb = match (verb, order.deliver_after) {
            (Verb::Hold, Some(time)) => Verb::DeliverAfter(convert::time(time)),
            (verb, _) => verb,
        };
        let number = convert::message_number(&order.message_id, self.store.hostname())?;
        let order = Order {
            verb,
            actor,
            reason: convert::reason(order.reason)?,
        };
        // For the audit log alone: what it was just before.
        let before = self.store.message(number).await.ok();
        let carried_out = self.store.carry_out(number, order).await;
        let message = carried_out
            .map_err(|error| status::of_store(&error))?
            .into_inner();
        if matches!(verb, Verb::Redeliver | Verb::Unhold) {
            // As deliverable as a new deposit (DLV-17).
            self.watch.deposited(message.envelope.served_user.clone());
        }
        if matches!(
            verb,
            Verb::Delete | Verb::Expire | Verb::Hold | Verb::DeliverAfter(_)
        ) {
            self.recalls.withdraw(&message).await;
        }
        if let Some(time) = message.deliver_after {
            self.alarms.set(time);
        }
        let before = before.map(|message| convert::message(message).state());
        let message = convert::message(message);
        Ok(audited(before, message))
    }

    async fn push(&self, mailbox: MailboxId, force: bool) -> Result<v1::PushMailboxReply, Status> {
        let found = async {
            let summary = self.store.summary(mailbox).await?;
            let settings = self.store.settings(mailbox).await?;
            Ok((summary, settings, self.store.registration(mailbox).await?))
        };
        let found: Result<_, StoreError> = found.await;
        let (summary, settings, registered) = found.map_err(|error| status::of_store(&error))?;
        let waiting = waiting(&summary);
        let suspension = self.suspensions.of_mailbox(&*self.store, mailbox).await;
        let suspension = suspension.map_err(|error| status::of_store(&error))?;
        let plan = if waiting == 0 {
            v1::PushPlan::NothingWaiting
        } else if let Some(suspension) = suspension {
            return Err(suspension::refusal(&suspension));
        } else if !force && !self.scheduler.is_reachable(&registered) {
            v1::PushPlan::NotRegistered
        } else if !force && !settings.effective.is_active(Setting::OfflineDelivery) {
            v1::PushPlan::SwitchedOff
        } else {
            self.plan(mailbox, force).await?
        };
        Ok(v1::PushMailboxReply {
            plan: plan.into(),
            waiting,
        })
    }

    fn suspended(&self) -> Vec<v1::Suspension> {
        let live = self.suspensions.live().into_iter();
        live.map(suspension::proto).collect()
    }

    async fn delivery_plan(&self, mailbox: MailboxId) -> Result<v1::DeliveryPlan, Status> {
        let found = async {
            let account = self.store.account(mailbox).await?;
            let registered = self.store.registration(mailbox).await?;
            let settings = self.store.settings(mailbox).await?;
            let summary = self.store.summary(mailbox).await?;
            let claimant = self.store.claimant(mailbox).await?;
            Ok((account, registered, settings, summary, claimant))
        };
        let found: Result<_, StoreError> = found.await;
        let (account, registered, settings, summary, claimant) =
            found.map_err(|error| status::of_store(&error))?;
        let plan = self.scheduler.plan(mailbox).await;
        let (phase, due_at) = match plan.phase {
            PlanPhase::Idle => (v1::DeliveryPhase::Idle, None),
            PlanPhase::Waiting(after) => {
                let due_at = convert::timestamp(self.clock.now().after(after));
                (v1::DeliveryPhase::Waiting, Some(due_at))
            }
            PlanPhase::Ready => (v1::DeliveryPhase::Ready, None),
            PlanPhase::Running => (v1::DeliveryPhase::Running, None),
            PlanPhase::Blocked => (v1::DeliveryPhase::Blocked, None),
        };
        let mode = match self.scheduler.mode() {
            DeliveryMode::Auto => "auto",
            DeliveryMode::Session => "session",
            DeliveryMode::Message => "message",
        };
        let suspended = self.suspensions.of(&account);
        Ok(v1::DeliveryPlan {
            served_user: account.as_str().to_owned(),
            phase: phase.into(),
            due_at,
            tries: saturated(plan.tries),
            max_tries: saturated(plan.max_tries),
            generation: claimant
                .as_ref()
                .map_or(0, |holder| holder.claim.generation.0),
            edge: claimant.map(|holder| holder.edge).unwrap_or_default(),
            reachable: self.scheduler.is_reachable(&registered),
            bindings: convert::bindings(registered.bindings),
            offline_delivery: settings.effective.is_active(Setting::OfflineDelivery),
            suspension: suspended.map(suspension::proto),
            mode: mode.to_owned(),
            each_device: self.each_device,
            edges: saturated(self.scheduler.status().await.edges.len()),
            waiting: waiting(&summary),
        })
    }

    async fn sessions(&self) -> Result<v1::ListSessionsReply, Status> {
        let mut pushes = Vec::new();
        for push in self.scheduler.under_way(SESSIONS).await {
            let account = self.store.account(push.mailbox).await;
            let account = account.map_err(|error| status::of_store(&error))?;
            pushes.push(v1::PushSession {
                served_user: account.as_str().to_owned(),
                edge: push.edge.to_string(),
                generation: push.generation.map_or(0, |generation| generation.0),
            });
        }
        pushes.sort_by(|a, b| a.served_user.cmp(&b.served_user));
        let (now, wall) = (crate::now(), self.clock.now());
        let uploads = self.uploads.list(SESSIONS).into_iter();
        let uploads = uploads.map(|(upload, begun, octets)| {
            let age = now.saturating_duration_since(begun).as_millis();
            let age = u64::try_from(age).unwrap_or(u64::MAX);
            let began_at = UnixMillis(wall.0.saturating_sub(age));
            v1::UploadSession {
                upload,
                began_at: Some(convert::timestamp(began_at)),
                octets,
            }
        });
        Ok(v1::ListSessionsReply {
            uploads: uploads.collect(),
            pushes,
        })
    }

    async fn plan(&self, mailbox: MailboxId, force: bool) -> Result<v1::PushPlan, Status> {
        if self.scheduler.status().await.edges.is_empty() {
            let message = "no edge is attached that could deliver";
            return Err(status::with_reason(
                Code::FailedPrecondition,
                "NO_EDGE",
                message,
            ));
        }
        match self.scheduler.ordered(mailbox, force).await {
            Some(Planned::Started) => Ok(v1::PushPlan::Started),
            Some(Planned::Joined) => Ok(v1::PushPlan::Joined),
            None => Err(status::draining()),
        }
    }
}

#[tonic::async_trait]
impl<S: Store> OperatorService for Operators<S> {
    async fn push_mailbox(
        &self,
        request: Request<v1::PushMailboxRequest>,
    ) -> Result<Response<v1::PushMailboxReply>, Status> {
        let request = request.into_inner();
        let mailbox = mailbox::find(&*self.store, request.served_user).await?;
        self.push(mailbox, request.force).await.map(Response::new)
    }

    async fn redeliver_message(
        &self,
        request: Request<v1::MessageOrder>,
    ) -> Result<Response<v1::Message>, Status> {
        self.order(Verb::Redeliver, request).await
    }

    async fn hold_message(
        &self,
        request: Request<v1::MessageOrder>,
    ) -> Result<Response<v1::Message>, Status> {
        self.order(Verb::Hold, request).await
    }

    async fn unhold_message(
        &self,
        request: Request<v1::MessageOrder>,
    ) -> Result<Response<v1::Message>, Status> {
        self.order(Verb::Unhold, request).await
    }

    async fn expire_message(
        &self,
        request: Request<v1::MessageOrder>,
    ) -> Result<Response<v1::Message>, Status> {
        self.order(Verb::Expire, request).await
    }

    async fn delete_message(
        &self,
        request: Request<v1::MessageOrder>,
    ) -> Result<Response<v1::Message>, Status> {
        self.order(Verb::Delete, request).await
    }

    async fn recall_message(
        &self,
        request: Request<v1::RecallMessageRequest>,
    ) -> Result<Response<v1::Message>, Status> {
        let actor = actor(&request);
        let recalled = self.recalls.recall(request.into_inner(), &actor).await;
        Ok(audited(None, convert::message(recalled?)))
    }

    async fn suspend_deliveries(
        &self,
        request: Request<v1::SuspendDeliveriesRequest>,
    ) -> Result<Response<v1::Suspension>, Status> {
        let actor = actor(&request);
        let suspended = self
            .suspensions
            .suspend(&*self.store, request.into_inner(), actor);
        let suspended = suspended.await?;
        // It may have replaced a longer one.
        self.scheduler.resumed().await;
        Ok(Response::new(suspension::proto(suspended)))
    }

    async fn cancel_suspension(
        &self,
        request: Request<v1::CancelSuspensionRequest>,
    ) -> Result<Response<v1::Suspension>, Status> {
        let ended = self.suspensions.cancel(&*self.store, request.into_inner());
        let ended = ended.await?;
        self.scheduler.resumed().await;
        Ok(Response::new(suspension::proto(ended)))
    }

    async fn list_suspensions(
        &self,
        _request: Request<v1::ListSuspensionsRequest>,
    ) -> Result<Response<v1::ListSuspensionsReply>, Status> {
        Ok(Response::new(v1::ListSuspensionsReply {
            suspensions: self.suspended(),
        }))
    }

    async fn get_delivery_plan(
        &self,
        request: Request<v1::GetDeliveryPlanRequest>,
    ) -> Result<Response<v1::DeliveryPlan>, Status> {
        let mailbox = mailbox::find(&*self.store, request.into_inner().served_user).await?;
        self.delivery_plan(mailbox).await.map(Response::new)
    }

    async fn list_sessions(
        &self,
        _request: Request<v1::ListSessionsRequest>,
    ) -> Result<Response<v1::ListSessionsReply>, Status> {
        self.sessions().await.map(Response::new)
    }

    async fn get_status(
        &self,
        _request: Request<v1::GetStatusRequest>,
    ) -> Result<Response<v1::Status>, Status> {
        let snapshot = self.readiness.snapshot();
        let scheduler = self.scheduler.status().await;
        let conditions = snapshot.to_string();
        let not_as_they_should = conditions.lines().filter(|line| !line.ends_with(": ready"));
        Ok(Response::new(v1::Status {
            version: BUILD.version.to_owned(),
            hostname: self.store.hostname().to_owned(),
            started_at: Some(convert::timestamp(self.started_at)),
            ready: snapshot.is_ready(),
            conditions: not_as_they_should.map(str::to_owned).collect(),
            edges: scheduler.edges.into_iter().map(attached_edge).collect(),
            pushes_running: saturated(scheduler.running),
            pushes_planned: saturated(scheduler.planned),
            suspensions: self.suspended(),
        }))
    }
}

/// The answer to a change of one message, with what the audit log is to tell of it.
fn audited(before: Option<v1::MessageState>, after: v1::Message) -> Response<v1::Message> {
    let change = Change::of_message(before, after.state());
    let mut response = Response::new(after);
    response.extensions_mut().insert(change);
    response
}

/// Who is at the other end: the name in a certificate, an address, or the user of a local process.
pub(crate) fn actor<T>(request: &Request<T>) -> String {
    let extensions = request.extensions();
    if let Some(visitor) = extensions.get::<Visitor>() {
        return format!("{} in the console", visitor.name());
    }
    if let Some(caller) = extensions.get::<Caller>() {
        return format!("operator {}", caller.name());
    }
    let remote = extensions.get::<TcpConnectInfo>();
    if let Some(address) = remote.and_then(TcpConnectInfo::remote_addr) {
        return format!("operator at {}", address.ip());
    }
    let local = extensions.get::<UdsConnectInfo>();
    match local.and_then(|info| info.peer_cred.as_ref()) {
        Some(user) => format!("operator with uid {}", user.uid()),
        None => "operator".to_owned(),
    }
}

/// Messages a push would be for, notifications included.
fn waiting(summary: &MailboxSummary) -> u64 {
    summary.text.new + summary.multimedia.new + summary.imdn
}

fn attached_edge(edge: EdgeStatus) -> v1::AttachedEdge {
    v1::AttachedEdge {
        name: edge.name.to_string(),
        attached_at: Some(convert::timestamp(edge.attached_at)),
        jobs: saturated(edge.jobs),
        capacity: saturated(edge.capacity),
    }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
