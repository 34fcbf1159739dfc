//! The counters of a mailbox, and what else every deposit must know of it.

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{Barring, MailboxId, MessageCount, MessageNumber, UnixMillis};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MailboxValue {
    pub(crate) text: MessageCount,
    pub(crate) multimedia: MessageCount,
    pub(crate) imdn: u64,
    pub(crate) octets: u64,
    /// Messages in state `Stored`: rows in `Waiting`.
    pub(crate) deliverable: u64,
    /// Grows when a counter changes.
    pub(crate) version: u64,
    /// Counts the events of the mailbox and its messages: their order.
    pub(crate) last_order: u64,
    pub(crate) last_number: MessageNumber,
    /// No row in `Waiting` is before this: where a take begins, past the tombstones (C-28).
    pub(crate) head: MessageNumber,
    /// What the settings refuse, as long as nothing that is said about them ends.
    pub(crate) barring: Barring,
    /// When the first of it ends.
    pub(crate) settings_until: Option<UnixMillis>,
    /// Made by an operator.
    pub(crate) provisioned: bool,
    /// Mailboxes that belong to the same account (STO-12).
    pub(crate) members: Vec<MailboxId>,
}

impl MailboxValue {
    /// Messages that wait, notifications not counted.
    pub(crate) fn undelivered(&self) -> u64 {
        self.text.new + self.multimedia.new
    }
}

impl Value for MailboxValue {
    const WHAT: &'static str = "mailbox";

    fn write(&self, out: &mut Encoder) {
        write_count(&self.text, out);
        write_count(&self.multimedia, out);
        out.count(self.imdn);
        out.count(self.octets);
        out.count(self.deliverable);
        out.count(self.version);
        out.count(self.last_order);
        out.u64(self.last_number.0);
        out.u64(self.head.0);
        out.flag(self.barring.pager);
        out.flag(self.barring.large);
        out.flag(self.barring.file_transfer);
        out.option(self.settings_until, |out, until| out.u64(until.0));
        out.flag(self.provisioned);
        out.list(&self.members, |out, member| out.u64(member.0));
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            text: read_count(fields)?,
            multimedia: read_count(fields)?,
            imdn: fields.count()?,
            octets: fields.count()?,
            deliverable: fields.count()?,
            version: fields.count()?,
            last_order: fields.count()?,
            last_number: MessageNumber(fields.u64()?),
            head: MessageNumber(fields.u64()?),
            barring: Barring {
                pager: fields.flag()?,
                large: fields.flag()?,
                file_transfer: fields.flag()?,
            },
            settings_until: fields.option(|fields| fields.u64().map(UnixMillis))?,
            provisioned: fields.flag()?,
            members: fields.list(|fields| fields.u64().map(MailboxId))?,
        })
    }
}

fn write_count(count: &MessageCount, out: &mut Encoder) {
    out.count(count.new);
    out.count(count.old);
    out.count(count.new_urgent);
    out.count(count.old_urgent);
}

fn read_count(fields: &mut Decoder<'_>) -> Result<MessageCount, Malformed> {
    Ok(MessageCount {
        new: fields.count()?,
        old: fields.count()?,
        new_urgent: fields.count()?,
        old_urgent: fields.count()?,
    })
}
