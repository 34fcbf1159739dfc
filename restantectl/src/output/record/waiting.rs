//! Who is told what waits, and what happens to a mailbox.

use proto::v1::{Mailbox, Message, Subscription};
use serde::Serialize;

use super::{CountRecord, state_name};
use crate::moment::rfc3339;
use crate::output::text::escape;

/// One subscription to the waiting indication.
#[derive(Debug, Serialize)]
pub(crate) struct SubscriptionRecord {
    pub(crate) served_user: String,
    pub(crate) subscriber: String,
    pub(crate) call_id: String,
    pub(crate) contact: String,
    pub(crate) edge: String,
    pub(crate) epoch: u32,
    pub(crate) expires_at: Option<String>,
}

impl From<Subscription> for SubscriptionRecord {
    fn from(found: Subscription) -> Self {
        Self {
            served_user: found.served_user,
            subscriber: found.subscriber,
            call_id: found.call_id,
            contact: found.contact,
            edge: found.edge,
            epoch: found.epoch,
            expires_at: rfc3339(found.expires_at),
        }
    }
}

/// One event of `watch`: a message, or the counters.
#[derive(Debug, Default, Serialize)]
pub(crate) struct WatchRecord {
    pub(crate) message_id: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) text: Option<CountRecord>,
    pub(crate) multimedia: Option<CountRecord>,
}

impl WatchRecord {
    /// The counters of a mailbox.
    pub(crate) fn counters(mailbox: &Mailbox) -> Self {
        Self {
            text: Some(mailbox.text.map(CountRecord::from).unwrap_or_default()),
            multimedia: Some(
                mailbox
                    .multimedia
                    .map(CountRecord::from)
                    .unwrap_or_default(),
            ),
            ..Self::default()
        }
    }

    /// A message that is new, or whose state is.
    pub(crate) fn message(message: Message) -> Self {
        Self {
            state: Some(state_name(message.state)),
            message_id: Some(message.message_id),
            ..Self::default()
        }
    }

    /// The same for people.
    pub(crate) fn text(&self) -> String {
        if let (Some(id), Some(state)) = (&self.message_id, &self.state) {
            return format!("{state:<9} {}\n", escape(id));
        }
        let count = |count: &Option<CountRecord>| {
            let count = count.as_ref();
            count.map_or((0, 0), |count| (count.new, count.old))
        };
        let ((text, old_text), (other, old_other)) = (count(&self.text), count(&self.multimedia));
        format!(
            "waiting   text {text} new {old_text} old, multimedia {other} new {old_other} old\n"
        )
    }
}
