//! Settings (requirements §1.15).

use std::time::Duration;

use proto::v1;
use proto::v1::publish_settings_request::Change;
use storage::model::{
    Address, Entity, EntityTag, Override, Publication, Publish, PublishChange, Setting,
    SettingValues, Settings, UserSettings,
};
use tonic::Status;

use super::{duration, invalid, named, required, timestamp};

/// Entities of one document.
const ENTITIES_MAX: usize = 16;
/// Octets of the `id` of an entity.
const ID_OCTETS_MAX: usize = 256;

/// A PUBLISH that makes sense.
pub(crate) fn publish(
    request: v1::PublishSettingsRequest,
    tag: EntityTag,
) -> Result<Publish, Status> {
    let named_tag = || entity_tag(&request.entity_tag);
    let change = match required(request.change, "the change is missing")? {
        Change::Initial(document) => PublishChange::Initial(entities(document)?),
        // A tag that cannot be ours names nothing: the store finds no such publication.
        Change::Modify(document) => PublishChange::Modify(named_tag(), entities(document)?),
        Change::Refresh(v1::RefreshSettings {}) => PublishChange::Refresh(named_tag()),
        Change::Remove(v1::RemoveSettings {}) => PublishChange::Remove(named_tag()),
    };
    Ok(Publish {
        served_user: named(request.served_user)?,
        publisher: named(request.publisher)?,
        change,
        lifetime: request.lifetime.map_or(Duration::ZERO, duration),
        tag,
    })
}

/// Sixteen hexadecimal digits. Others are taken for a tag that nothing has: zero is never drawn.
fn entity_tag(text: &str) -> EntityTag {
    let is_ours = text.len() == 16 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    let number = u64::from_str_radix(text, 16).ok().filter(|_| is_ours);
    EntityTag(number.unwrap_or(0))
}

fn entities(document: v1::SettingsEntities) -> Result<Vec<Entity>, Status> {
    if document.entities.len() > ENTITIES_MAX {
        return Err(invalid("a document has at most 16 entities"));
    }
    let entity = |entity: v1::SettingsEntity| match entity.id.len() {
        length if length > ID_OCTETS_MAX => {
            Err(invalid("the id of an entity has at most 256 octets"))
        }
        _ => Ok(Entity {
            id: entity.id,
            values: setting_values(entity.values.unwrap_or_default()),
        }),
    };
    document.entities.into_iter().map(entity).collect()
}

/// What is said about some settings.
pub(crate) fn setting_values(said: v1::SettingValues) -> SettingValues {
    let pairs = [
        (Setting::SessionBarring, said.session_barring),
        (Setting::MessageBarring, said.message_barring),
        (Setting::Invisibility, said.invisibility),
        (Setting::OfflineDelivery, said.offline_delivery),
        (Setting::SessionHistory, said.session_history),
        (Setting::MessageHistory, said.message_history),
        (Setting::FileTransferBarring, said.file_transfer_barring),
    ];
    pairs.into_iter().fold(
        SettingValues::default(),
        |values, (setting, said)| match said {
            Some(active) => values.with(setting, active),
            None => values,
        },
    )
}

/// Settings with where they come from.
pub(crate) fn user_settings(address: &Address, settings: UserSettings) -> v1::UserSettings {
    v1::UserSettings {
        address: address.as_str().to_owned(),
        effective: Some(all_values(settings.effective)),
        publications: settings.publications.into_iter().map(publication).collect(),
        preset: Some(proto_values(settings.preset)),
        r#override: settings.overridden.map(overridden),
    }
}

fn all_values(settings: Settings) -> v1::SettingValues {
    let values = Setting::ALL
        .into_iter()
        .fold(SettingValues::default(), |values, setting| {
            values.with(setting, settings.is_active(setting))
        });
    proto_values(values)
}

fn proto_values(values: SettingValues) -> v1::SettingValues {
    v1::SettingValues {
        session_barring: values.get(Setting::SessionBarring),
        message_barring: values.get(Setting::MessageBarring),
        invisibility: values.get(Setting::Invisibility),
        offline_delivery: values.get(Setting::OfflineDelivery),
        session_history: values.get(Setting::SessionHistory),
        message_history: values.get(Setting::MessageHistory),
        file_transfer_barring: values.get(Setting::FileTransferBarring),
    }
}

fn publication(publication: Publication) -> v1::SettingsPublication {
    let entity = |entity: Entity| v1::SettingsEntity {
        id: entity.id,
        values: Some(proto_values(entity.values)),
    };
    v1::SettingsPublication {
        entities: publication.entities.into_iter().map(entity).collect(),
        published_at: Some(timestamp(publication.published_at)),
        expires_at: Some(timestamp(publication.expires_at)),
    }
}

fn overridden(said: Override) -> v1::SettingsOverride {
    v1::SettingsOverride {
        values: Some(proto_values(said.values)),
        reason: said.reason,
        actor: said.actor,
        since: Some(timestamp(said.since)),
        until: said.until.map(timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_what_the_store_printed() {
        let tag = EntityTag(0xdf1e_0000_0000_0042);
        assert_eq!(entity_tag(&tag.to_string()), tag);
        for foreign in ["", "42", "+f1e000000000042", "df1e0000000000420"] {
            assert_eq!(entity_tag(foreign), EntityTag(0), "{foreign}");
        }
    }

    #[test]
    fn all_seven_values_go_both_ways() {
        for setting in Setting::ALL {
            for active in [true, false] {
                let values = SettingValues::default().with(setting, active);
                assert_eq!(setting_values(proto_values(values)), values);
            }
        }
    }
}
