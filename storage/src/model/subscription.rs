//! Who wants to know what waits: subscriptions as the store keeps them (MWI-10).

use std::time::Duration;

use super::{Address, MailboxId, Sequence, UnixMillis};

/// Subscriptions of one mailbox at most; devices of one user have no reason for more.
pub const SUBSCRIPTIONS_MAX: usize = 10;

/// Epochs of a subscription: with 2^16 NOTIFYs each, CSeq numbers stay below 2^31 (RFC 3261 §8.1.1.5).
pub const SUBSCRIPTION_EPOCHS: u32 = 1 << 15;

/// How long a subscription is kept past its end, so that its owner can say goodbye.
pub const SUBSCRIPTION_GRACE: Duration = Duration::from_secs(60);

/// The name of a subscription: its mailbox, and the tag an edge made for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The local tag of its dialog: random, hence unique.
    pub local_tag: String,
}

/// One life of the process of an edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner {
    /// Name of the edge.
    pub edge: String,
    /// A number of the process: another one after a restart of the edge.
    pub incarnation: u64,
}

/// What the last NOTIFY of a subscription told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notified {
    /// [`super::MailboxSummary::version`].
    pub version: u64,
    /// [`super::MailboxSummary::last_sequence`]: later messages are news.
    pub sequence: Sequence,
}

/// The dialog of a subscription as its notifier needs it (RFC 3261 §12). Texts as on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionDialog {
    /// `Call-ID`.
    pub call_id: String,
    /// Tag of the subscriber.
    pub remote_tag: String,
    /// From of our requests, with our tag.
    pub local: String,
    /// To of our requests, with the tag of the subscriber.
    pub remote: String,
    /// The Contact of the subscriber.
    pub target: String,
    /// Values of Route.
    pub routes: Vec<String>,
    /// `CSeq` of the last SUBSCRIBE.
    pub remote_cseq: u32,
}

/// A SUBSCRIBE as the store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Whose mailbox.
    pub address: Address,
    /// The local tag: a new one begins a subscription, unless `refreshes`.
    pub local_tag: String,
    /// Whether the subscription must be there already.
    pub refreshes: bool,
    /// Its dialog; a refresh changes the target and the CSeq only.
    pub dialog: SubscriptionDialog,
    /// The `id` parameter of its Event, empty if none.
    pub event_id: String,
    /// Whether asserted identities may go to the subscriber (MWI-05).
    pub is_trusted: bool,
    /// How long it lasts from now.
    pub lifetime: Duration,
    /// Who notifies.
    pub owner: Owner,
}

/// A stored subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its name, with the mailbox.
    pub local_tag: String,
    /// The address subscribed to: the account in the summary.
    pub address: Address,
    /// Its dialog.
    pub dialog: SubscriptionDialog,
    /// The `id` parameter of its Event, empty if none.
    pub event_id: String,
    /// Whether asserted identities may go to the subscriber (MWI-05).
    pub is_trusted: bool,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// Who notifies.
    pub owner: Owner,
    /// Ownerships so far: the upper bits of the CSeq of a NOTIFY (MWI-10).
    pub epoch: u32,
    /// What the subscriber was told last, as far as the store knows.
    pub notified: Notified,
}

/// A committed subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribed {
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// As it is now.
    pub subscription: Subscription,
    /// How long it lasts from now.
    pub remaining: Duration,
}

/// Why a SUBSCRIBE was refused; nothing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionRefusal {
    /// No such account (only with `provisioning = listed`): 404.
    #[error("unknown user")]
    UnknownUser,
    /// A refresh of a subscription that is not there, or whose CSeq numbers are used up: 481.
    #[error("no such subscription")]
    NoSubscription,
    /// CSeq not greater than that of the last SUBSCRIBE (RFC 3261 §12.2.2): 500.
    #[error("older than the last SUBSCRIBE")]
    OutOfOrder,
    /// More than [`SUBSCRIPTIONS_MAX`]: 480.
    #[error("too many subscriptions")]
    TooMany,
}
