//! The settings document of PUBLISH (RFC 4354 §6, requirements §2.6): read strictly, written plainly.
//!
//! A setting is known by namespace and local name wherever it stands two levels below `<entity>`;
//! `offline-delivery` within `deferred-settings` also in any other namespace, because clients differ.
//! What is unknown is skipped (SET-13).

mod names;
mod read;
mod write;

pub use names::{BadXmlName, Names, XmlName};
pub use read::{NotSettings, read};
pub use write::write;

/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/poc-settings+xml";
/// Namespace of RFC 4354.
pub const POC: &str = "urn:oma:params:xml:ns:poc:poc-settings";
/// Namespace of the settings that the IM enabler adds.
pub const IM: &str = "urn:oma:xml:im:service-settings";

/// One of the seven settings (SET-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// a: sessions are refused.
    SessionBarring,
    /// b: pager-mode and large messages are refused.
    MessageBarring,
    /// c: the user is invisible.
    Invisibility,
    /// d: deferred messages are pushed when the user registers.
    OfflineDelivery,
    /// e: conversations of sessions are stored.
    SessionHistory,
    /// f: conversations in pager and large message mode are stored.
    MessageHistory,
    /// g: file transfers are refused.
    FileTransferBarring,
}

impl Setting {
    /// All of them, in the order of SET-08.
    pub const ALL: [Self; 7] = [
        Self::SessionBarring,
        Self::MessageBarring,
        Self::Invisibility,
        Self::OfflineDelivery,
        Self::SessionHistory,
        Self::MessageHistory,
        Self::FileTransferBarring,
    ];

    /// What configuration and command lines call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SessionBarring => "session-barring",
            Self::MessageBarring => "message-barring",
            Self::Invisibility => "invisibility",
            Self::OfflineDelivery => "offline-delivery",
            Self::SessionHistory => "session-history",
            Self::MessageHistory => "message-history",
            Self::FileTransferBarring => "file-transfer-barring",
        }
    }

    /// The setting of that [`Setting::name`].
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|setting| setting.name() == name)
    }
}

/// What one agent of the user says: an `<entity>`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entity {
    /// Its `id`.
    pub id: String,
    /// What it says, in the order of the document; a later word about the same setting counts.
    pub said: Vec<(Setting, bool)>,
}

impl Entity {
    /// What it says about one setting.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<bool> {
        let mut latest = self.said.iter().rev();
        latest
            .find(|(said, _)| *said == setting)
            .map(|(_, active)| *active)
    }
}

#[cfg(test)]
mod tests;
