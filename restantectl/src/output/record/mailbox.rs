//! One user's mailbox.

use proto::v1::{Binding, Mailbox, MessageCount, RegistrationKind};
use serde::Serialize;

use super::{non_empty, word};
use crate::moment::rfc3339;

/// Counters and live bindings of a served user.
#[derive(Debug, Serialize)]
pub(crate) struct MailboxRecord {
    pub(crate) served_user: String,
    pub(crate) text: CountRecord,
    pub(crate) multimedia: CountRecord,
    pub(crate) imdn: u64,
    pub(crate) octets: u64,
    pub(crate) bindings: Vec<BindingRecord>,
}

/// What waits for a served user, as he reads it himself.
#[derive(Debug, Serialize)]
pub(crate) struct DeferredListRecord {
    /// As typed, in its canonical spelling.
    pub(crate) served_user: String,
    pub(crate) document: String,
}

/// How many messages of one kind; the urgent ones are counted among the others.
#[derive(Debug, Default, Serialize)]
pub(crate) struct CountRecord {
    pub(crate) new: u64,
    pub(crate) old: u64,
    pub(crate) new_urgent: u64,
    pub(crate) old_urgent: u64,
}

/// Where the user is reachable.
#[derive(Debug, Serialize)]
pub(crate) struct BindingRecord {
    pub(crate) contact: String,
    pub(crate) instance: Option<String>,
    pub(crate) reg_id: Option<u32>,
    pub(crate) call_id: String,
    pub(crate) cseq: u32,
    pub(crate) path: Vec<String>,
    pub(crate) edge: Option<String>,
    pub(crate) has_im_tag: bool,
    pub(crate) allows_message: bool,
    pub(crate) kind: String,
    pub(crate) user_agent: Option<String>,
    pub(crate) expires_at: Option<String>,
}

impl MailboxRecord {
    /// Undelivered messages and notifications.
    pub(crate) fn waiting(&self) -> u64 {
        self.text
            .new
            .saturating_add(self.multimedia.new)
            .saturating_add(self.imdn)
    }
}

impl From<Mailbox> for MailboxRecord {
    fn from(mailbox: Mailbox) -> Self {
        Self {
            served_user: mailbox.served_user,
            text: mailbox.text.map(CountRecord::from).unwrap_or_default(),
            multimedia: mailbox
                .multimedia
                .map(CountRecord::from)
                .unwrap_or_default(),
            imdn: mailbox.imdn,
            octets: mailbox.octets,
            bindings: mailbox
                .bindings
                .into_iter()
                .map(BindingRecord::from)
                .collect(),
        }
    }
}

impl From<MessageCount> for CountRecord {
    fn from(count: MessageCount) -> Self {
        Self {
            new: count.new,
            old: count.old,
            new_urgent: count.new_urgent,
            old_urgent: count.old_urgent,
        }
    }
}

impl From<Binding> for BindingRecord {
    fn from(binding: Binding) -> Self {
        Self {
            contact: binding.contact,
            instance: non_empty(binding.instance),
            reg_id: (binding.reg_id != 0).then_some(binding.reg_id),
            call_id: binding.call_id,
            cseq: binding.cseq,
            path: binding.path,
            edge: binding.flow.and_then(|flow| non_empty(flow.edge)),
            has_im_tag: binding.has_im_tag,
            allows_message: binding.allows_message,
            kind: word(
                binding.kind,
                RegistrationKind::as_str_name,
                "REGISTRATION_KIND_",
            ),
            user_agent: non_empty(binding.user_agent),
            expires_at: rfc3339(binding.expires_at),
        }
    }
}
