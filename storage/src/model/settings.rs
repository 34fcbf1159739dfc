//! What a served user controls: the seven settings, who has said what about them, and what holds
//! (requirements §1.15).

use std::fmt;
use std::time::Duration;

use super::{Address, Barring, MailboxId, UnixMillis};

/// One of the seven settings (SET-08).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Setting {
    /// a: sessions are refused.
    SessionBarring = 0,
    /// b: pager-mode and large messages are refused.
    MessageBarring = 1,
    /// c: the user is invisible.
    Invisibility = 2,
    /// d: deferred messages are pushed when the user registers (DLV-03).
    OfflineDelivery = 3,
    /// e: conversations of sessions are stored.
    SessionHistory = 4,
    /// f: conversations in pager and large message mode are stored.
    MessageHistory = 5,
    /// g: file transfers are refused.
    FileTransferBarring = 6,
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

    fn place(self) -> usize {
        self as usize
    }
}

/// What somebody says about some of the settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SettingValues([Option<bool>; 7]);

impl SettingValues {
    /// What is said about one setting; `None` for nothing.
    #[must_use]
    pub fn get(&self, setting: Setting) -> Option<bool> {
        self.0[setting.place()]
    }

    /// The same with one setting said.
    #[must_use]
    pub fn with(mut self, setting: Setting, active: bool) -> Self {
        self.0[setting.place()] = Some(active);
        self
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// This, and where it says nothing, `other`.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for (own, other) in self.0.iter_mut().zip(other.0) {
            *own = own.or(other);
        }
        self
    }
}

/// What holds for each setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Settings([bool; 7]);

impl Default for Settings {
    /// Nothing but the offline delivery is active (DLV-06).
    fn default() -> Self {
        Self([false; 7]).with(Setting::OfflineDelivery, true)
    }
}

impl Settings {
    /// Whether a setting is active.
    #[must_use]
    pub fn is_active(&self, setting: Setting) -> bool {
        self.0[setting.place()]
    }

    /// The same with another value of one setting.
    #[must_use]
    pub fn with(mut self, setting: Setting, active: bool) -> Self {
        self.0[setting.place()] = active;
        self
    }

    /// What `values` say, and where they say nothing, this.
    #[must_use]
    pub fn overlaid(self, values: &SettingValues) -> Self {
        Setting::ALL
            .into_iter()
            .fold(self, |all, setting| match values.get(setting) {
                Some(active) => all.with(setting, active),
                None => all,
            })
    }

    /// What of it refuses messages (PFM-08, DEF-19).
    #[must_use]
    pub fn barring(&self) -> Barring {
        let messages = self.is_active(Setting::MessageBarring);
        Barring {
            pager: messages,
            large: messages,
            file_transfer: self.is_active(Setting::FileTransferBarring),
        }
    }
}

/// Names a publication (RFC 3903 §4.1): its entity-tag, new with each success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntityTag(pub u64);

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// One `<entity>` of a published document: what one agent of the user says (RFC 4354 §6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its `id`.
    pub id: String,
    /// What it says.
    pub values: SettingValues,
}

/// A live publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Its current tag.
    pub tag: EntityTag,
    /// In the order of the document.
    pub entities: Vec<Entity>,
    /// When its document came; a refresh brings none.
    pub published_at: UnixMillis,
    /// When it ends.
    pub expires_at: UnixMillis,
}

/// What an operator has put above all that the user says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// What holds.
    pub values: SettingValues,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when.
    pub since: UnixMillis,
    /// When it ends; `None`: when it is cleared.
    pub until: Option<UnixMillis>,
}

/// The settings of an account, and where they come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSettings {
    /// What holds now.
    pub effective: Settings,
    /// Live publications, the oldest document first.
    pub publications: Vec<Publication>,
    /// What an operator has set where the user says nothing.
    pub preset: SettingValues,
    /// The operator's override, while it lives.
    pub overridden: Option<Override>,
}

/// What a PUBLISH asks for (RFC 3903 §4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishChange {
    /// A first publication.
    Initial(Vec<Entity>),
    /// Another document in the place of this one.
    Modify(EntityTag, Vec<Entity>),
    /// The same document for longer.
    Refresh(EntityTag),
    /// No document any more.
    Remove(EntityTag),
}

/// A PUBLISH as the store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whose settings.
    pub served_user: Address,
    /// Who says so: an address of the same account, or it is refused (SET-02).
    pub publisher: Address,
    /// What to do.
    pub change: PublishChange,
    /// How long it shall hold.
    pub lifetime: Duration,
    /// The tag it gets: drawn at random by the caller, so that no tag comes twice.
    pub tag: EntityTag,
}

/// A committed PUBLISH or order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsChanged {
    /// The mailbox of the account.
    pub mailbox: MailboxId,
    /// How long the publication holds; zero for an order.
    pub lifetime: Duration,
    /// What held before.
    pub before: Settings,
    /// What holds now.
    pub after: Settings,
}

/// Why a PUBLISH was refused; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishRefusal {
    /// No such account (only with `provisioning = listed`): 404.
    #[error("unknown user")]
    UnknownUser,
    /// The publisher is somebody else (SET-02): 403.
    #[error("not the publisher's own settings")]
    NotOwner,
    /// No live publication with this tag: 412.
    #[error("no such publication")]
    UnknownTag,
}

/// What an operator does to the settings of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsOrder {
    /// Says what holds where the user says nothing; replaces what was set before.
    Preset(SettingValues),
    /// Says what holds whatever the user says; replaces an earlier override.
    Override {
        /// What holds.
        values: SettingValues,
        /// Why.
        reason: String,
        /// Who.
        actor: String,
        /// For how long; `None`: until it is cleared.
        lifetime: Option<Duration>,
    },
    /// Ends the override, and what was preset too if `preset`.
    Clear {
        /// Whether what was set goes too.
        preset: bool,
    },
}
