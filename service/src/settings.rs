//! What served users say about their settings, and what operators say instead (requirements §1.15).

use std::sync::Arc;
use std::time::Duration;

use proto::v1;
use proto::v1::foresee_settings_request::Order as Foreseen;
use proto::v1::settings_admin_service_server::SettingsAdminService;
use proto::v1::settings_service_server::SettingsService;
use storage::model::{
    Address, EntityTag, MailboxId, Setting, SettingValues, SettingsChanged, SettingsOrder,
};
use storage::{Store, StoreError};
use tonic::{Request, Response, Status};

use crate::operator::actor;
use crate::scheduler::Scheduler;
use crate::{convert, status};

/// Both settings services over a store.
#[derive(Clone)]
pub(crate) struct SettingsServices<S> {
    pub(crate) store: Arc<S>,
    pub(crate) scheduler: Scheduler,
}

impl<S: Store> SettingsServices<S> {
    /// What was kept back while offline delivery was inactive is delivered once it is active and
    /// the user is registered.
    async fn follow(&self, changed: &SettingsChanged) -> Result<(), StoreError> {
        let pushes =
            |settings: storage::model::Settings| settings.is_active(Setting::OfflineDelivery);
        if pushes(changed.before) || !pushes(changed.after) {
            return Ok(());
        }
        let registered = self.store.registration(changed.mailbox).await?;
        if registered.has_waiting && self.scheduler.is_reachable(&registered) {
            self.scheduler.deposited(changed.mailbox).await;
        }
        Ok(())
    }

    /// The change stands whatever becomes of its push.
    async fn changed(&self, changed: &SettingsChanged) {
        if let Err(error) = self.follow(changed).await {
            tracing::debug!(%error, "changed settings not followed");
        }
    }

    async fn seen(&self, mailbox: MailboxId) -> Result<v1::UserSettings, StoreError> {
        let settings = self.store.settings(mailbox).await?;
        let address = self.store.account(mailbox).await?;
        Ok(convert::user_settings(&address, settings))
    }

    async fn order(
        &self,
        address: Address,
        order: SettingsOrder,
    ) -> Result<v1::UserSettings, StoreError> {
        let changed = self.store.order_settings(address, order).await?;
        self.changed(&changed).await;
        self.seen(changed.mailbox).await
    }

    async fn foreseen(
        &self,
        address: Address,
        order: SettingsOrder,
    ) -> Result<v1::UserSettings, StoreError> {
        let mailbox = self.store.mailbox(address).await?;
        let mailbox = mailbox.ok_or(StoreError::UnknownAccount)?;
        let settings = self.store.settings_after(mailbox, order).await?;
        let address = self.store.account(mailbox).await?;
        Ok(convert::user_settings(&address, settings))
    }

    async fn answer(
        &self,
        address: String,
        order: SettingsOrder,
    ) -> Result<Response<v1::UserSettings>, Status> {
        let ordered = self.order(convert::named(address)?, order).await;
        ordered
            .map(Response::new)
            .map_err(|error| status::of_store(&error))
    }
}

#[tonic::async_trait]
impl<S: Store> SettingsService for SettingsServices<S> {
    async fn publish_settings(
        &self,
        request: Request<v1::PublishSettingsRequest>,
    ) -> Result<Response<v1::PublishSettingsReply>, Status> {
        // Zero stands for tags that are not ours.
        let tag = EntityTag(rand::random::<u64>().max(1));
        let publish = convert::publish(request.into_inner(), tag)?;
        let published = self.store.publish(publish).await;
        let changed = published
            .map_err(|error| status::of_store(&error))?
            .map_err(|refusal| status::of_publish(&refusal))?
            .into_inner();
        self.changed(&changed).await;
        Ok(Response::new(v1::PublishSettingsReply {
            entity_tag: tag.to_string(),
            lifetime: Some(convert::proto_duration(changed.lifetime)),
        }))
    }
}

#[tonic::async_trait]
impl<S: Store> SettingsAdminService for SettingsServices<S> {
    async fn get_settings(
        &self,
        request: Request<v1::GetSettingsRequest>,
    ) -> Result<Response<v1::UserSettings>, Status> {
        let address = convert::named(request.into_inner().address)?;
        let found = async {
            let mailbox = self.store.mailbox(address).await?;
            self.seen(mailbox.ok_or(StoreError::UnknownAccount)?).await
        };
        found
            .await
            .map(Response::new)
            .map_err(|error| status::of_store(&error))
    }

    async fn foresee_settings(
        &self,
        request: Request<v1::ForeseeSettingsRequest>,
    ) -> Result<Response<v1::UserSettings>, Status> {
        let actor = actor(&request);
        let (address, order) = match request.into_inner().order {
            Some(Foreseen::Preset(request)) => preset(request),
            Some(Foreseen::Override(request)) => overriding(request, actor)?,
            Some(Foreseen::Clear(request)) => clearing(request),
            None => return Err(Status::invalid_argument("the order is missing")),
        };
        let address = convert::named(address)?;
        let foreseen = self.foreseen(address, order).await;
        foreseen
            .map(Response::new)
            .map_err(|error| status::of_store(&error))
    }

    async fn preset_settings(
        &self,
        request: Request<v1::PresetSettingsRequest>,
    ) -> Result<Response<v1::UserSettings>, Status> {
        let (address, order) = preset(request.into_inner());
        self.answer(address, order).await
    }

    async fn override_settings(
        &self,
        request: Request<v1::OverrideSettingsRequest>,
    ) -> Result<Response<v1::UserSettings>, Status> {
        let actor = actor(&request);
        let (address, order) = overriding(request.into_inner(), actor)?;
        self.answer(address, order).await
    }

    async fn clear_settings(
        &self,
        request: Request<v1::ClearSettingsRequest>,
    ) -> Result<Response<v1::UserSettings>, Status> {
        let (address, order) = clearing(request.into_inner());
        self.answer(address, order).await
    }
}

/// An order, and whose settings it is about.
type AddressedOrder = (String, SettingsOrder);

fn preset(request: v1::PresetSettingsRequest) -> AddressedOrder {
    let values = convert::setting_values(request.values.unwrap_or_default());
    (request.address, SettingsOrder::Preset(values))
}

fn overriding(
    request: v1::OverrideSettingsRequest,
    actor: String,
) -> Result<AddressedOrder, Status> {
    let values = convert::setting_values(request.values.unwrap_or_default());
    let order = SettingsOrder::Override {
        values: some_values(values)?,
        reason: reason(request.reason)?,
        actor,
        lifetime: request.lifetime.map(long_duration),
    };
    Ok((request.address, order))
}

fn clearing(request: v1::ClearSettingsRequest) -> AddressedOrder {
    let order = SettingsOrder::Clear {
        preset: request.preset,
    };
    (request.address, order)
}

fn some_values(values: SettingValues) -> Result<SettingValues, Status> {
    match values.is_empty() {
        true => Err(Status::invalid_argument("an override names a setting")),
        false => Ok(values),
    }
}

fn reason(reason: String) -> Result<String, Status> {
    match reason.is_empty() {
        true => Err(Status::invalid_argument("an override has a reason")),
        false => convert::reason(reason),
    }
}

/// An operator's override may last longer than a peer is waited for; a negative duration counts as
/// none.
fn long_duration(lifetime: prost_types::Duration) -> Duration {
    Duration::from_secs(u64::try_from(lifetime.seconds).unwrap_or(0))
}
