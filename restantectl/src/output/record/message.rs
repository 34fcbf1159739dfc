//! Stored messages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::v1::{
    DeviceDelivery, DeviceState, Disposition, Event, EventKind, FileAttributes, GetMessageReply,
    Message, MessageClass, MessageHeaders, MessageReport, MessageState, Priority, ReportRequest,
    ReportState, ReportStatus,
};
use serde::Serialize;

use super::{non_empty, word};
use crate::moment::rfc3339;

/// One stored message without its content.
#[derive(Debug, Serialize)]
pub(crate) struct ListedMessage {
    pub(crate) message_id: String,
    pub(crate) message_uri: String,
    pub(crate) served_user: String,
    pub(crate) sender: Option<String>,
    /// The group through which it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
    pub(crate) class: String,
    pub(crate) state: String,
    pub(crate) priority: String,
    pub(crate) body_octets: u64,
    pub(crate) received_at: Option<String>,
    pub(crate) expires_at: Option<String>,
    /// Until when it is held, if that ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deliver_after: Option<String>,
    pub(crate) settled_at: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) redeliveries: u32,
    pub(crate) reason: Option<String>,
    pub(crate) content_retained: bool,
    pub(crate) sequence: u64,
    pub(crate) received_from: Option<String>,
    pub(crate) sha256: Option<String>,
    pub(crate) file: Option<FileRecord>,
    /// Reports that the sender asked for.
    pub(crate) reports_asked: Vec<String>,
    /// Reports that were made.
    pub(crate) reports: Vec<ReportRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) devices: Vec<DeviceRecord>,
    pub(crate) headers: HeaderRecord,
}

/// A report to the sender.
#[derive(Debug, Serialize)]
pub(crate) struct ReportRecord {
    status: String,
    state: String,
}

/// What the sender says about a file.
#[derive(Debug, Serialize)]
pub(crate) struct FileRecord {
    name: Option<String>,
    media_type: Option<String>,
    octets: Option<u64>,
    hash: Option<String>,
    disposition: Option<String>,
    icon: Option<String>,
    transfer_id: Option<String>,
    description: Option<String>,
}

/// Header values as the sender wrote them.
#[derive(Debug, Serialize)]
pub(crate) struct HeaderRecord {
    from: Option<String>,
    to: Option<String>,
    call_id: Option<String>,
    subject: Option<String>,
    date: Option<String>,
    priority: Option<String>,
    privacy: Option<String>,
    asserted_identity: Option<String>,
    contact: Option<String>,
    content_type: Option<String>,
    imdn_message_id: Option<String>,
    conversation_id: Option<String>,
    contribution_id: Option<String>,
    content_disposition: Option<String>,
}

/// One stored message with what happened to it and, if asked for, its content.
#[derive(Debug, Serialize)]
pub(crate) struct ShownMessage {
    #[serde(flatten)]
    pub(crate) message: ListedMessage,
    pub(crate) timeline: Vec<EventRecord>,
    pub(crate) content: Option<ContentRecord>,
    /// Where the body begins within the MESSAGE request; for reading it, not for the record.
    #[serde(skip)]
    pub(crate) body_offset: u64,
}

/// One entry of a timeline.
#[derive(Debug, Serialize)]
pub(crate) struct EventRecord {
    pub(crate) at: Option<String>,
    pub(crate) event: String,
    pub(crate) generation: Option<u64>,
    pub(crate) actor: Option<String>,
    pub(crate) detail: Option<String>,
}

/// Octets of a message as JSON can carry them.
#[derive(Debug, Serialize)]
pub(crate) struct ContentRecord {
    octets: usize,
    encoding: &'static str,
    text: String,
}

/// The word for a class of messages.
pub(crate) fn class_name(class: i32) -> String {
    word(class, MessageClass::as_str_name, "MESSAGE_CLASS_")
}

/// The word for a state of messages.
pub(crate) fn state_name(state: i32) -> String {
    word(state, MessageState::as_str_name, "MESSAGE_STATE_")
}

impl From<Message> for ListedMessage {
    fn from(message: Message) -> Self {
        Self {
            message_id: message.message_id,
            message_uri: message.message_uri,
            served_user: message.served_user,
            sender: non_empty(message.sender),
            group: non_empty(message.group),
            class: class_name(message.class),
            state: state_name(message.state),
            priority: word(message.priority, Priority::as_str_name, "PRIORITY_"),
            body_octets: message.body_octets,
            received_at: rfc3339(message.received_at),
            expires_at: rfc3339(message.expires_at),
            deliver_after: rfc3339(message.deliver_after),
            settled_at: rfc3339(message.settled_at),
            attempts: message.attempts,
            redeliveries: message.redeliveries,
            reason: non_empty(message.reason),
            content_retained: message.content_retained,
            sequence: message.sequence,
            received_from: non_empty(message.received_from),
            sha256: non_empty(hexadecimal(&message.sha256)),
            file: message.file.map(FileRecord::from),
            reports_asked: asked(message.report_request.as_ref()),
            reports: message.reports.into_iter().map(Into::into).collect(),
            devices: message
                .devices
                .into_iter()
                .map(DeviceRecord::from)
                .collect(),
            headers: message.headers.unwrap_or_default().into(),
        }
    }
}

fn asked(request: Option<&ReportRequest>) -> Vec<String> {
    let asked = request.into_iter().flat_map(|request| &request.asked);
    asked
        .map(|asked| word(*asked, Disposition::as_str_name, "DISPOSITION_"))
        .collect()
}

impl From<MessageReport> for ReportRecord {
    fn from(made: MessageReport) -> Self {
        Self {
            status: word(made.status, ReportStatus::as_str_name, "REPORT_STATUS_"),
            state: word(made.state, ReportState::as_str_name, "REPORT_STATE_"),
        }
    }
}

/// What became of a message at one device.
#[derive(Debug, Serialize)]
pub(crate) struct DeviceRecord {
    pub(crate) instance: Option<String>,
    pub(crate) state: String,
    pub(crate) at: Option<String>,
    pub(crate) refusals: u32,
    pub(crate) reason: Option<String>,
}

impl From<DeviceDelivery> for DeviceRecord {
    fn from(device: DeviceDelivery) -> Self {
        Self {
            state: word(device.state, DeviceState::as_str_name, "DEVICE_STATE_"),
            instance: non_empty(device.instance),
            at: rfc3339(device.at),
            refusals: device.refusals,
            reason: non_empty(device.reason),
        }
    }
}

impl ListedMessage {
    /// The reports asked for and those made, in one line; `None` if none was asked for.
    pub(crate) fn reports_line(&self) -> Option<String> {
        if self.reports_asked.is_empty() {
            return None;
        }
        let made = self.reports.iter();
        let made: Vec<_> = made
            .map(|made| format!("{} {}", made.status, made.state))
            .collect();
        let asked = self.reports_asked.join(", ");
        Some(match made.is_empty() {
            true => format!("{asked} asked for"),
            false => format!("{asked} asked for; {}", made.join(", ")),
        })
    }
}

impl DeviceRecord {
    /// It, in one line.
    pub(crate) fn line(&self) -> String {
        let instance = self.instance.as_deref().unwrap_or("(account)");
        let at = self.at.as_deref().unwrap_or("-");
        let reason = self.reason.as_deref().unwrap_or_default();
        format!("{instance} {} {at} {reason}", self.state)
            .trim_end()
            .to_owned()
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

impl From<FileAttributes> for FileRecord {
    fn from(file: FileAttributes) -> Self {
        Self {
            name: non_empty(file.name),
            media_type: non_empty(file.media_type),
            octets: file.octets,
            hash: non_empty(file.hash),
            disposition: non_empty(file.disposition),
            icon: non_empty(file.icon),
            transfer_id: non_empty(file.transfer_id),
            description: non_empty(file.description),
        }
    }
}

impl FileRecord {
    /// What is said, in one line.
    pub(crate) fn line(&self) -> String {
        let size = self.octets.map(|octets| octets.to_string());
        let all = [
            ("name", &self.name),
            ("type", &self.media_type),
            ("size", &size),
            ("hash", &self.hash),
            ("disposition", &self.disposition),
            ("icon", &self.icon),
            ("transfer-id", &self.transfer_id),
            ("description", &self.description),
        ];
        let said = all.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref()?;
            Some(format!("{name}={value}"))
        });
        said.collect::<Vec<_>>().join(", ")
    }
}

impl From<MessageHeaders> for HeaderRecord {
    fn from(headers: MessageHeaders) -> Self {
        Self {
            from: non_empty(headers.from),
            to: non_empty(headers.to),
            call_id: non_empty(headers.call_id),
            subject: non_empty(headers.subject),
            date: non_empty(headers.date),
            priority: non_empty(headers.priority),
            privacy: non_empty(headers.privacy),
            asserted_identity: non_empty(headers.asserted_identity),
            contact: non_empty(headers.contact),
            content_type: non_empty(headers.content_type),
            imdn_message_id: non_empty(headers.imdn_message_id),
            conversation_id: non_empty(headers.conversation_id),
            contribution_id: non_empty(headers.contribution_id),
            content_disposition: non_empty(headers.content_disposition),
        }
    }
}

impl HeaderRecord {
    /// The headers that are present, under their SIP names.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("From", &self.from),
            ("To", &self.to),
            ("Call-ID", &self.call_id),
            ("Subject", &self.subject),
            ("Date", &self.date),
            ("Priority", &self.priority),
            ("Privacy", &self.privacy),
            ("P-Asserted-Identity", &self.asserted_identity),
            ("Contact", &self.contact),
            ("Content-Type", &self.content_type),
            ("imdn.Message-ID", &self.imdn_message_id),
            ("Conversation-ID", &self.conversation_id),
            ("Contribution-ID", &self.contribution_id),
            ("Content-Disposition", &self.content_disposition),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

impl From<Event> for EventRecord {
    fn from(event: Event) -> Self {
        Self {
            at: rfc3339(event.at),
            event: word(event.kind, EventKind::as_str_name, "EVENT_KIND_"),
            generation: (event.generation != 0).then_some(event.generation),
            actor: non_empty(event.actor),
            detail: non_empty(event.detail),
        }
    }
}

impl ShownMessage {
    /// The record of a reply; nothing if the reply has no message.
    pub(crate) fn from_reply(reply: GetMessageReply) -> Option<Self> {
        let message = reply.message?;
        Some(Self {
            body_offset: message.body_offset,
            message: message.into(),
            timeline: reply.timeline.into_iter().map(EventRecord::from).collect(),
            content: None,
        })
    }
}

impl From<Vec<u8>> for ContentRecord {
    fn from(octets: Vec<u8>) -> Self {
        let count = octets.len();
        let (encoding, text) = match String::from_utf8(octets) {
            Ok(text) => ("utf-8", text),
            Err(error) => ("base64", STANDARD.encode(error.as_bytes())),
        };
        Self {
            octets: count,
            encoding,
            text,
        }
    }
}
