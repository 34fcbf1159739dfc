//! Settings.

use proto::v1;
use proto::v1::publish_settings_request::Change;

use super::{duration, proto_duration};
use crate::settings::{Entity, Publish, PublishChange, Published, SettingValues};
use crate::{PublishError, Unavailable};

pub(crate) fn publish(publish: Publish) -> v1::PublishSettingsRequest {
    let (change, entity_tag) = match publish.change {
        PublishChange::Initial(document) => (Change::Initial(entities(document)), String::new()),
        PublishChange::Modify(tag, document) => (Change::Modify(entities(document)), tag),
        PublishChange::Refresh(tag) => (Change::Refresh(v1::RefreshSettings {}), tag),
        PublishChange::Remove(tag) => (Change::Remove(v1::RemoveSettings {}), tag),
    };
    v1::PublishSettingsRequest {
        served_user: publish.served_user,
        publisher: publish.publisher,
        change: Some(change),
        entity_tag,
        lifetime: Some(proto_duration(publish.lifetime)),
    }
}

pub(crate) fn published(reply: v1::PublishSettingsReply) -> Result<Published, PublishError> {
    let lifetime = reply.lifetime.and_then(duration);
    match lifetime {
        Some(lifetime) if !reply.entity_tag.is_empty() => Ok(Published {
            entity_tag: reply.entity_tag,
            lifetime,
        }),
        _ => Err(Unavailable::new("half an answer to a PUBLISH").into()),
    }
}

fn entities(document: Vec<Entity>) -> v1::SettingsEntities {
    let entity = |entity: Entity| v1::SettingsEntity {
        id: entity.id,
        values: Some(values(entity.values)),
    };
    v1::SettingsEntities {
        entities: document.into_iter().map(entity).collect(),
    }
}

fn values(said: SettingValues) -> v1::SettingValues {
    v1::SettingValues {
        session_barring: said.session_barring,
        message_barring: said.message_barring,
        invisibility: said.invisibility,
        offline_delivery: said.offline_delivery,
        session_history: said.session_history,
        message_history: said.message_history,
        file_transfer_barring: said.file_transfer_barring,
    }
}
