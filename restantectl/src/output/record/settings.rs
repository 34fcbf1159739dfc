//! What a user controls.

use proto::v1::{
    SettingValues, SettingsEntity, SettingsOverride, SettingsPublication, UserSettings,
};
use serde::Serialize;

use crate::moment::rfc3339;

/// What holds for a user, and who says so.
#[derive(Debug, Serialize)]
pub(crate) struct SettingsRecord {
    pub(crate) served_user: String,
    /// It is what would hold.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
    pub(crate) effective: ValuesRecord,
    pub(crate) publications: Vec<PublicationRecord>,
    pub(crate) preset: ValuesRecord,
    pub(crate) r#override: Option<OverrideRecord>,
}

/// The seven settings; null where nothing is said.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct ValuesRecord {
    pub(crate) session_barring: Option<bool>,
    pub(crate) message_barring: Option<bool>,
    pub(crate) invisibility: Option<bool>,
    pub(crate) offline_delivery: Option<bool>,
    pub(crate) session_history: Option<bool>,
    pub(crate) message_history: Option<bool>,
    pub(crate) file_transfer_barring: Option<bool>,
}

/// A live publication; later ones win.
#[derive(Debug, Serialize)]
pub(crate) struct PublicationRecord {
    pub(crate) entities: Vec<EntityRecord>,
    pub(crate) published_at: Option<String>,
    pub(crate) expires_at: Option<String>,
}

/// What one agent of the user says.
#[derive(Debug, Serialize)]
pub(crate) struct EntityRecord {
    pub(crate) id: String,
    pub(crate) values: ValuesRecord,
}

/// What an operator says whatever the user says.
#[derive(Debug, Serialize)]
pub(crate) struct OverrideRecord {
    pub(crate) values: ValuesRecord,
    pub(crate) reason: String,
    pub(crate) actor: String,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
}

impl ValuesRecord {
    /// The settings by the names that are typed.
    pub(crate) fn pairs(&self) -> [(&'static str, Option<bool>); 7] {
        [
            ("session-barring", self.session_barring),
            ("message-barring", self.message_barring),
            ("invisibility", self.invisibility),
            ("offline-delivery", self.offline_delivery),
            ("session-history", self.session_history),
            ("message-history", self.message_history),
            ("file-transfer-barring", self.file_transfer_barring),
        ]
    }
}

impl From<SettingValues> for ValuesRecord {
    fn from(said: SettingValues) -> Self {
        Self {
            session_barring: said.session_barring,
            message_barring: said.message_barring,
            invisibility: said.invisibility,
            offline_delivery: said.offline_delivery,
            session_history: said.session_history,
            message_history: said.message_history,
            file_transfer_barring: said.file_transfer_barring,
        }
    }
}

impl From<UserSettings> for SettingsRecord {
    fn from(settings: UserSettings) -> Self {
        Self {
            served_user: settings.address,
            dry_run: false,
            effective: values(settings.effective),
            publications: settings.publications.into_iter().map(publication).collect(),
            preset: values(settings.preset),
            r#override: settings.r#override.map(overridden),
        }
    }
}

fn values(said: Option<SettingValues>) -> ValuesRecord {
    said.map(ValuesRecord::from).unwrap_or_default()
}

fn publication(publication: SettingsPublication) -> PublicationRecord {
    PublicationRecord {
        entities: publication.entities.into_iter().map(entity).collect(),
        published_at: rfc3339(publication.published_at),
        expires_at: rfc3339(publication.expires_at),
    }
}

fn entity(entity: SettingsEntity) -> EntityRecord {
    EntityRecord {
        id: entity.id,
        values: values(entity.values),
    }
}

fn overridden(said: SettingsOverride) -> OverrideRecord {
    OverrideRecord {
        values: values(said.values),
        reason: said.reason,
        actor: said.actor,
        since: rfc3339(said.since),
        until: rfc3339(said.until),
    }
}
