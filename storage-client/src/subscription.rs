//! Subscriptions of the waiting indication: made durable, and what their subscribers are to be told.

mod driver;

use std::time::Duration;

use proto::v1::subscription_service_client::SubscriptionServiceClient;
use tokio::sync::mpsc;
use tonic::transport::Channel;

use crate::ClientConfig;
use crate::message::Message;

/// Events that may wait for [`Changes::next`]; the storage service coalesces what waits beyond them.
const EVENTS: usize = 256;

/// Told states that may wait to be sent.
const TOLD: usize = 4_096;

/// The name of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubscriptionName {
    /// The mailbox, by its number in the store.
    pub mailbox: u64,
    /// The local tag of its dialog.
    pub local_tag: String,
}

/// The dialog as its notifier needs it. Texts as on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionDialog {
    /// Call-ID.
    pub call_id: String,
    /// Tag of the subscriber.
    pub remote_tag: String,
    /// From of a NOTIFY, with our tag.
    pub local: String,
    /// To of a NOTIFY, with the tag of the subscriber.
    pub remote: String,
    /// Contact of the subscriber.
    pub target: String,
    /// Values of Route.
    pub routes: Vec<String>,
    /// CSeq of the last SUBSCRIBE.
    pub remote_cseq: u32,
}

/// A SUBSCRIBE as the store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Canonical address of record.
    pub address: String,
    /// Who asks: the same, or another address of the account.
    pub subscriber: String,
    /// The local tag.
    pub local_tag: String,
    /// Whether it came within a dialog.
    pub refreshes: bool,
    /// The dialog.
    pub dialog: SubscriptionDialog,
    /// The `id` parameter of Event, empty if none.
    pub event_id: String,
    /// Whether asserted identities may go to the subscriber (MWI-05).
    pub is_trusted: bool,
    /// How long it lasts.
    pub lifetime: Duration,
}

/// A subscription that this edge owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedSubscription {
    /// Its name.
    pub name: SubscriptionName,
    /// The address subscribed to.
    pub address: String,
    /// Its dialog.
    pub dialog: SubscriptionDialog,
    /// The `id` parameter of Event, empty if none.
    pub event_id: String,
    /// Whether asserted identities may go to the subscriber.
    pub is_trusted: bool,
    /// Upper bits of the CSeq of a NOTIFY (MWI-10).
    pub epoch: u32,
    /// How long it lasts from now.
    pub remaining: Duration,
    /// What the subscriber was told, as far as is known.
    pub notified: Notified,
}

/// What a NOTIFY told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notified {
    /// Version of the counters.
    pub version: u64,
    /// Messages after this place are news.
    pub sequence: u64,
}

/// Counts of one kind of message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Undelivered.
    pub new: u64,
    /// Delivered and retained.
    pub old: u64,
    /// Urgent ones among `new`.
    pub new_urgent: u64,
    /// Urgent ones among `old`.
    pub old_urgent: u64,
}

/// The counters of a summary (MWI-09).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// `Text-Message`.
    pub text: Count,
    /// `Multimedia-Message`.
    pub multimedia: Count,
}

impl Counts {
    /// Whether anything is new: `Messages-Waiting`.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.text.new + self.multimedia.new > 0
    }
}

/// A mailbox to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitingMailbox {
    /// By its number.
    Known(u64),
    /// By its address: there may be none.
    Address(String),
}

/// A question about one mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingQuestion {
    /// The mailbox.
    pub mailbox: WaitingMailbox,
    /// Messages after this place are news.
    pub after_sequence: u64,
    /// Messages wanted.
    pub max_messages: u32,
}

/// What waits in a mailbox.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waiting {
    /// There is no such mailbox.
    pub is_gone: bool,
    /// Its number, if there is one.
    pub mailbox: Option<u64>,
    /// Its counters.
    pub counts: Counts,
    /// Their version and the last place in the mailbox.
    pub state: Notified,
    /// The newest first.
    pub messages: Vec<Message>,
}

/// Something an edge has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A subscription is this edge's now: its subscriber is told at once.
    Owned(Box<OwnedSubscription>),
    /// Another edge has it.
    Lost {
        /// Its name.
        name: SubscriptionName,
        /// Whoever knows it by a later epoch has got it back meanwhile.
        epoch: u32,
    },
    /// A mailbox has changed.
    Mailbox {
        /// Its number.
        mailbox: u64,
        /// Version of its counters.
        version: u64,
        /// The counters.
        counts: Counts,
        /// Subscribers are told even if nothing is new to them (DLV-04).
        remind: bool,
    },
}

/// What one subscriber was told, for the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The subscription.
    pub name: SubscriptionName,
    /// Its epoch.
    pub epoch: u32,
    /// What it was told.
    pub state: Notified,
}

/// Changes of the mailboxes that this edge notifies of. Listens again by itself after a broken
/// connection; ends when dropped.
#[derive(Debug)]
pub struct Changes {
    events: mpsc::Receiver<Change>,
    told: mpsc::Sender<Vec<Told>>,
}

impl Changes {
    pub(crate) fn start(
        client: SubscriptionServiceClient<Channel>,
        config: &ClientConfig,
        incarnation: u64,
    ) -> Self {
        let (sender, events) = mpsc::channel(EVENTS);
        let (told, states) = mpsc::channel(1);
        let driver = driver::Driver {
            client,
            config: config.clone(),
            incarnation,
            events: sender,
            told: states,
        };
        tokio::spawn(driver.run());
        Self { events, told }
    }

    /// The next one.
    pub async fn next(&mut self) -> Option<Change> {
        self.events.recv().await
    }

    /// Reports what subscribers were told, up to 4,096 states. False if the last report is still on its way:
    /// report again later.
    #[must_use]
    pub fn report(&self, mut told: Vec<Told>) -> bool {
        told.truncate(TOLD);
        self.told.try_send(told).is_ok()
    }
}
