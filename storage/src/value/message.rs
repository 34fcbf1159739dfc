//! Envelopes, which never change, and states, which do.

use super::report::{read_made, read_request, write_made, write_request};
use super::{Decoder, Encoded, Encoder, FORMAT, Malformed, NO_KEY, Value};
use crate::model::{
    Address, Class, Device, DeviceDelivery, DeviceState, Envelope, FileAttributes, Generation,
    Headers, INLINE_OCTETS, MailboxId, MessageId, MessageNumber, MessageReport, PartKind, Priority,
    Sequence, State, UnixMillis, UploadId,
};
use crate::sealing::{ContentKey, SealingKey};

/// An envelope, and what the engine must know of its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EnvelopeValue {
    pub(crate) envelope: Envelope,
    /// Place of the deposit among the events of the mailbox.
    pub(crate) order: u64,
    /// Its parts and their octets.
    pub(crate) parts: Vec<(PartKind, u64)>,
    /// The upload whose rows in `Large` are its `SendBody`; `None` if that is in `Contents`.
    pub(crate) staged: Option<UploadId>,
    /// It does not count in what its sender has stored (requirements §3.6).
    pub(crate) sender_exempt: bool,
    /// What its content is sealed with; `None`: it is in the clear.
    pub(crate) content_key: Option<ContentKey>,
}

/// With the class: the message does not count for its sender. Earlier versions knew no such message.
const EXEMPT: u8 = 0x80;
/// With the class: the sealed part begins with the key of the content.
const KEYED: u8 = 0x40;
/// With the class: a `traceparent` follows the fields in the clear. Earlier versions knew none.
const TRACED: u8 = 0x20;
/// With the class: the address of a group follows the file in the sealed part. Earlier versions knew none.
const GROUPED: u8 = 0x10;

/// What is known of a message only when its turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) mailbox: MailboxId,
    pub(crate) number: MessageNumber,
    pub(crate) received_at: UnixMillis,
    pub(crate) expires_at: UnixMillis,
    pub(crate) order: u64,
}

impl EnvelopeValue {
    /// Octets of content.
    pub(crate) fn octets(&self) -> u64 {
        self.parts.iter().map(|(_, octets)| octets).sum()
    }

    /// Octets of the parts that are taken with the message.
    pub(crate) fn inline_octets(&self) -> u64 {
        let inline = self.parts.iter().filter(|part| is_inline(**part));
        inline.map(|(_, octets)| octets).sum()
    }

    /// Whom it counts for in what is stored and undelivered (requirements §3.6).
    pub(crate) fn bounded_sender(&self) -> Option<&Address> {
        self.envelope
            .sender
            .as_ref()
            .filter(|_| !self.sender_exempt)
    }

    /// The upload whose rows are this part.
    pub(crate) fn staged_as(&self, kind: PartKind) -> Option<UploadId> {
        self.staged.filter(|_| kind == PartKind::SendBody)
    }

    fn place(&self) -> Place {
        let envelope = &self.envelope;
        Place {
            mailbox: envelope.mailbox,
            number: envelope.id.number,
            received_at: envelope.received_at,
            expires_at: envelope.expires_at,
            order: self.order,
        }
    }

    /// The part that a key covers. It does not depend on the place, so it can be written before
    /// the turn of the message comes.
    pub(crate) fn encode_sealed(&self) -> Vec<u8> {
        let mut out = Encoder::bare();
        self.write_sealed(&mut out);
        out.into_octets()
    }

    /// The value of the row at that place, with the sealed part as [`Self::encode_sealed`] made it.
    pub(crate) fn encode_at(&self, place: &Place, sealed: &[u8]) -> Encoded {
        let mut out = Encoder::with_header(FORMAT, NO_KEY);
        out.reserve(sealed.len());
        self.write_clear(place, &mut out);
        out.seal();
        out.append(sealed);
        out.finish()
    }

    fn write_clear(&self, place: &Place, out: &mut Encoder) {
        let envelope = &self.envelope;
        out.u64(place.mailbox.0);
        out.u64(place.number.0);
        out.text(&envelope.id.hostname);
        let exempt = if self.sender_exempt { EXEMPT } else { 0 };
        let keyed = if self.content_key.is_some() { KEYED } else { 0 };
        let traced = envelope.traceparent.as_ref().map_or(0, |_| TRACED);
        let grouped = envelope.group.as_ref().map_or(0, |_| GROUPED);
        out.u8(envelope.class as u8 | exempt | keyed | traced | grouped);
        out.u8(envelope.priority as u8);
        out.flag(envelope.is_text);
        out.u64(place.received_at.0);
        out.u64(place.expires_at.0);
        out.count(place.order);
        out.count(envelope.body_octets);
        out.count(envelope.body_offset);
        out.list(&self.parts, |out, (kind, octets)| {
            out.u8(*kind as u8);
            out.count(*octets);
        });
        out.option(self.staged, |out, upload| out.u64(upload.0));
        if let Some(traceparent) = &envelope.traceparent {
            out.text(traceparent);
        }
    }

    fn write_sealed(&self, out: &mut Encoder) {
        let envelope = &self.envelope;
        if let Some(ContentKey(key)) = &self.content_key {
            out.octets(key.octets());
        }
        out.text(envelope.served_user.as_str());
        out.option(envelope.sender.as_ref(), |out, sender| {
            out.text(sender.as_str());
        });
        out.text(&envelope.received_from);
        write_headers(&envelope.headers, out);
        out.option(envelope.sha256.as_ref(), |out, sha256| out.octets(sha256));
        out.option(envelope.file.as_ref(), write_file);
        if let Some(group) = &envelope.group {
            out.text(group.as_str());
        }
        // Nothing is written where nothing is asked for, as earlier versions did.
        if let Some(request) = &envelope.report_request {
            write_request(request, out);
        }
    }
}

/// Whether a part of that size is taken with its message.
pub(crate) fn is_inline((kind, octets): (PartKind, u64)) -> bool {
    kind != PartKind::SendBody || octets <= INLINE_OCTETS
}

impl Value for EnvelopeValue {
    const WHAT: &'static str = "envelope";

    fn write(&self, out: &mut Encoder) {
        self.write_clear(&self.place(), out);
        out.seal();
        self.write_sealed(out);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let mailbox = MailboxId(fields.u64()?);
        let number = MessageNumber(fields.u64()?);
        let hostname = fields.text()?;
        let kind = fields.u8()?;
        let class = class(kind & !(EXEMPT | KEYED | TRACED | GROUPED))?;
        let (sender_exempt, is_traced) = (kind & EXEMPT != 0, kind & TRACED != 0);
        let priority = priority(fields.u8()?)?;
        let is_text = fields.flag()?;
        let received_at = UnixMillis(fields.u64()?);
        let expires_at = UnixMillis(fields.u64()?);
        let order = fields.count()?;
        let body_octets = fields.count()?;
        let body_offset = fields.count()?;
        let parts = fields.list(|fields| Ok((part_kind(fields.u8()?)?, fields.count()?)))?;
        let staged = fields.option(Decoder::u64)?.map(UploadId);
        let traceparent = is_traced.then(|| fields.text()).transpose()?;
        let content_key = match kind & KEYED != 0 {
            true => Some(read_content_key(fields)?),
            false => None,
        };
        let envelope = Envelope {
            id: MessageId { number, hostname },
            mailbox,
            sequence: Sequence(number.0),
            served_user: Address::new(fields.text()?),
            sender: fields.option(Decoder::text)?.map(Address::new),
            class,
            priority,
            is_text,
            received_from: fields.text()?,
            headers: read_headers(fields)?,
            sha256: fields.option(read_sha256)?,
            file: fields.option(read_file)?,
            group: match kind & GROUPED != 0 {
                true => Some(Address::new(fields.text()?)),
                false => None,
            },
            report_request: unless_at_end(fields, read_request)?,
            traceparent,
            body_octets,
            body_offset,
            received_at,
            expires_at,
        };
        Ok(Self {
            envelope,
            order,
            parts,
            staged,
            sender_exempt,
            content_key,
        })
    }
}

/// What is written only where there is some of it.
fn unless_at_end<T>(
    fields: &mut Decoder<'_>,
    read: impl FnOnce(&mut Decoder<'_>) -> Result<T, Malformed>,
) -> Result<Option<T>, Malformed> {
    match fields.is_at_end() {
        true => Ok(None),
        false => read(fields).map(Some),
    }
}

fn write_headers(headers: &Headers, out: &mut Encoder) {
    let texts = [
        &headers.from,
        &headers.to,
        &headers.call_id,
        &headers.subject,
        &headers.date,
        &headers.priority,
        &headers.privacy,
        &headers.asserted_identity,
        &headers.contact,
        &headers.content_type,
        &headers.imdn_message_id,
        &headers.conversation_id,
        &headers.contribution_id,
        &headers.content_disposition,
    ];
    for text in texts {
        out.text(text);
    }
}

fn read_headers(fields: &mut Decoder<'_>) -> Result<Headers, Malformed> {
    Ok(Headers {
        from: fields.text()?,
        to: fields.text()?,
        call_id: fields.text()?,
        subject: fields.text()?,
        date: fields.text()?,
        priority: fields.text()?,
        privacy: fields.text()?,
        asserted_identity: fields.text()?,
        contact: fields.text()?,
        content_type: fields.text()?,
        imdn_message_id: fields.text()?,
        conversation_id: fields.text()?,
        contribution_id: fields.text()?,
        content_disposition: fields.text()?,
    })
}

/// The key of a content.
pub(super) fn read_content_key(fields: &mut Decoder<'_>) -> Result<ContentKey, Malformed> {
    let key = SealingKey::from_octets(fields.octets()?);
    key.map(ContentKey).ok_or(Malformed)
}

fn read_sha256(fields: &mut Decoder<'_>) -> Result<[u8; 32], Malformed> {
    fields.octets()?.try_into().map_err(|_| Malformed)
}

fn write_file(out: &mut Encoder, file: &FileAttributes) {
    out.option(file.octets, Encoder::count);
    for text in [
        &file.name,
        &file.media_type,
        &file.hash,
        &file.disposition,
        &file.icon,
        &file.transfer_id,
        &file.description,
    ] {
        out.text(text);
    }
}

fn read_file(fields: &mut Decoder<'_>) -> Result<FileAttributes, Malformed> {
    Ok(FileAttributes {
        octets: fields.option(Decoder::count)?,
        name: fields.text()?,
        media_type: fields.text()?,
        hash: fields.text()?,
        disposition: fields.text()?,
        icon: fields.text()?,
        transfer_id: fields.text()?,
        description: fields.text()?,
    })
}

/// What has happened to a message. A message that nothing has happened to has no such row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateValue {
    /// Never `Claimed`.
    pub(crate) state: State,
    pub(crate) attempts: u32,
    pub(crate) redeliveries: u32,
    pub(crate) refusals: u32,
    /// Registrations of the account at the last refusal.
    pub(crate) refused_on: Option<u64>,
    pub(crate) settled_at: Option<UnixMillis>,
    pub(crate) content_retained: bool,
    /// When the sweep looks at the message next: the time in its row in `Due`.
    pub(crate) due_at: UnixMillis,
    /// Rows in `Events`.
    pub(crate) events: u32,
    /// Claims before this one have nothing to say about the message any more.
    pub(crate) earliest_generation: Generation,
    pub(crate) reason: String,
    pub(crate) reports: Vec<MessageReport>,
    /// What became of it at each device; none where the first that answers gets everything.
    pub(crate) devices: Vec<DeviceDelivery>,
}

impl StateValue {
    /// The state of a message that nothing has happened to.
    pub(crate) fn fresh(envelope: &Envelope) -> Self {
        Self {
            state: State::Stored,
            attempts: 0,
            redeliveries: 0,
            refusals: 0,
            refused_on: None,
            settled_at: None,
            content_retained: true,
            due_at: envelope.expires_at,
            events: 0,
            earliest_generation: Generation::default(),
            reason: String::new(),
            reports: Vec::new(),
            devices: Vec::new(),
        }
    }
}

impl Value for StateValue {
    const WHAT: &'static str = "message state";

    fn write(&self, out: &mut Encoder) {
        out.u8(self.state as u8);
        out.count(u64::from(self.attempts));
        out.count(u64::from(self.redeliveries));
        out.count(u64::from(self.refusals));
        out.option(self.refused_on, Encoder::count);
        out.option(self.settled_at, |out, at| out.u64(at.0));
        out.flag(self.content_retained);
        out.u64(self.due_at.0);
        out.count(u64::from(self.events));
        out.count(self.earliest_generation.0);
        out.seal();
        out.text(&self.reason);
        if !self.reports.is_empty() || !self.devices.is_empty() {
            out.list(&self.reports, |out, made| write_made(made, out));
        }
        if !self.devices.is_empty() {
            out.list(&self.devices, |out, device| write_device(device, out));
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let mut value = Self {
            state: state(fields.u8()?)?,
            attempts: fields.count32()?,
            redeliveries: fields.count32()?,
            refusals: fields.count32()?,
            refused_on: fields.option(Decoder::count)?,
            settled_at: fields.option(Decoder::u64)?.map(UnixMillis),
            content_retained: fields.flag()?,
            due_at: UnixMillis(fields.u64()?),
            events: fields.count32()?,
            earliest_generation: Generation(fields.count()?),
            reason: fields.text()?,
            reports: Vec::new(),
            devices: Vec::new(),
        };
        if !fields.is_at_end() {
            value.reports = fields.list(read_made)?;
            value.devices = fields.list_at_end(read_device)?;
            if value.reports.is_empty() && value.devices.is_empty() {
                return Err(Malformed);
            }
        }
        Ok(value)
    }
}

fn write_device(delivery: &DeviceDelivery, out: &mut Encoder) {
    out.text(delivery.device.as_str());
    out.u8(delivery.state as u8);
    out.u64(delivery.at.0);
    out.count(u64::from(delivery.refusals));
    out.option(delivery.refused_on, Encoder::count);
    out.text(&delivery.reason);
}

fn read_device(fields: &mut Decoder<'_>) -> Result<DeviceDelivery, Malformed> {
    Ok(DeviceDelivery {
        device: Device::new(fields.text()?),
        state: device_state(fields.u8()?)?,
        at: UnixMillis(fields.u64()?),
        refusals: fields.count32()?,
        refused_on: fields.option(Decoder::count)?,
        reason: fields.text()?,
    })
}

fn device_state(number: u8) -> Result<DeviceState, Malformed> {
    [
        DeviceState::Waiting,
        DeviceState::Delivered,
        DeviceState::Refused,
    ]
    .into_iter()
    .find(|state| *state as u8 == number)
    .ok_or(Malformed)
}

pub(super) fn class(number: u8) -> Result<Class, Malformed> {
    [Class::Pager, Class::Large, Class::Imdn]
        .into_iter()
        .find(|class| *class as u8 == number)
        .ok_or(Malformed)
}

pub(super) fn priority(number: u8) -> Result<Priority, Malformed> {
    [
        Priority::NonUrgent,
        Priority::Normal,
        Priority::Urgent,
        Priority::Emergency,
    ]
    .into_iter()
    .find(|priority| *priority as u8 == number)
    .ok_or(Malformed)
}

/// The part with this number.
pub(crate) fn part_kind(number: u8) -> Result<PartKind, Malformed> {
    [
        PartKind::Message,
        PartKind::Invite,
        PartKind::InviteResponse,
        PartKind::SendHead,
        PartKind::SendBody,
        PartKind::Bye,
    ]
    .into_iter()
    .find(|kind| *kind as u8 == number)
    .ok_or(Malformed)
}

/// `Claimed` is refused: it is never written.
pub(super) fn state(number: u8) -> Result<State, Malformed> {
    [
        State::Stored,
        State::Held,
        State::Delivered,
        State::Expired,
        State::Refused,
        State::Recalled,
        State::Deleted,
    ]
    .into_iter()
    .find(|state| *state as u8 == number)
    .ok_or(Malformed)
}
