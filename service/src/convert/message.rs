//! Messages, their parts and their timelines.

use proto::v1;
use storage::model::{
    Address, Class, DeviceDelivery, DeviceState, Disposition, Event, EventKind, FileAttributes,
    Headers, MessageId, MessageNumber, MessageReport, Part, PartKind, Priority, ReportRequest,
    ReportState, ReportStatus, State, StoredMessage,
};
use tonic::Status;

use super::{invalid, timestamp};

/// The number of a Message-ID of ours; one with another hostname names no message here.
pub(crate) fn message_number(text: &str, hostname: &str) -> Result<MessageNumber, Status> {
    let id = text.parse::<MessageId>();
    let id = id.map_err(|error| Status::invalid_argument(error.to_string()))?;
    if id.hostname != hostname {
        return Err(Status::not_found("no message of this store"));
    }
    Ok(id.number)
}

pub(crate) fn class(class: v1::MessageClass) -> Option<Class> {
    match class {
        v1::MessageClass::Unspecified => None,
        v1::MessageClass::Pager => Some(Class::Pager),
        v1::MessageClass::Large => Some(Class::Large),
        v1::MessageClass::Imdn => Some(Class::Imdn),
    }
}

pub(super) fn proto_class(class: Class) -> v1::MessageClass {
    match class {
        Class::Pager => v1::MessageClass::Pager,
        Class::Large => v1::MessageClass::Large,
        Class::Imdn => v1::MessageClass::Imdn,
    }
}

pub(crate) fn priority(priority: v1::Priority) -> Priority {
    match priority {
        v1::Priority::NonUrgent => Priority::NonUrgent,
        v1::Priority::Unspecified | v1::Priority::Normal => Priority::Normal,
        v1::Priority::Urgent => Priority::Urgent,
        v1::Priority::Emergency => Priority::Emergency,
    }
}

pub(super) fn proto_priority(priority: Priority) -> v1::Priority {
    match priority {
        Priority::NonUrgent => v1::Priority::NonUrgent,
        Priority::Normal => v1::Priority::Normal,
        Priority::Urgent => v1::Priority::Urgent,
        Priority::Emergency => v1::Priority::Emergency,
    }
}

pub(super) fn state(state: v1::MessageState) -> Option<State> {
    match state {
        v1::MessageState::Unspecified => None,
        v1::MessageState::Stored => Some(State::Stored),
        v1::MessageState::Claimed => Some(State::Claimed),
        v1::MessageState::Held => Some(State::Held),
        v1::MessageState::Delivered => Some(State::Delivered),
        v1::MessageState::Expired => Some(State::Expired),
        v1::MessageState::Refused => Some(State::Refused),
        v1::MessageState::Recalled => Some(State::Recalled),
        v1::MessageState::Deleted => Some(State::Deleted),
    }
}

pub(super) fn proto_state(state: State) -> v1::MessageState {
    match state {
        State::Stored => v1::MessageState::Stored,
        State::Claimed => v1::MessageState::Claimed,
        State::Held => v1::MessageState::Held,
        State::Delivered => v1::MessageState::Delivered,
        State::Expired => v1::MessageState::Expired,
        State::Refused => v1::MessageState::Refused,
        State::Recalled => v1::MessageState::Recalled,
        State::Deleted => v1::MessageState::Deleted,
    }
}

/// Which part is meant.
pub(crate) fn part_kind(kind: v1::PartKind) -> Result<PartKind, Status> {
    match kind {
        v1::PartKind::Unspecified => Err(invalid("the kind of a part is missing")),
        v1::PartKind::Message => Ok(PartKind::Message),
        v1::PartKind::Invite => Ok(PartKind::Invite),
        v1::PartKind::InviteResponse => Ok(PartKind::InviteResponse),
        v1::PartKind::SendHead => Ok(PartKind::SendHead),
        v1::PartKind::SendBody => Ok(PartKind::SendBody),
        v1::PartKind::Bye => Ok(PartKind::Bye),
    }
}

pub(crate) fn part(part: v1::Part) -> Result<Part, Status> {
    Ok(Part {
        kind: part_kind(part.kind())?,
        octets: part.octets,
    })
}

pub(super) fn proto_part(part: Part) -> v1::Part {
    let kind = match part.kind {
        PartKind::Message => v1::PartKind::Message,
        PartKind::Invite => v1::PartKind::Invite,
        PartKind::InviteResponse => v1::PartKind::InviteResponse,
        PartKind::SendHead => v1::PartKind::SendHead,
        PartKind::SendBody => v1::PartKind::SendBody,
        PartKind::Bye => v1::PartKind::Bye,
    };
    v1::Part {
        kind: kind.into(),
        octets: part.octets,
    }
}

pub(crate) fn headers(headers: v1::MessageHeaders) -> Headers {
    Headers {
        from: headers.from,
        to: headers.to,
        call_id: headers.call_id,
        subject: headers.subject,
        date: headers.date,
        priority: headers.priority,
        privacy: headers.privacy,
        asserted_identity: headers.asserted_identity,
        contact: headers.contact,
        content_type: headers.content_type,
        imdn_message_id: headers.imdn_message_id,
        conversation_id: headers.conversation_id,
        contribution_id: headers.contribution_id,
        content_disposition: headers.content_disposition,
    }
}

fn proto_headers(headers: Headers) -> v1::MessageHeaders {
    v1::MessageHeaders {
        from: headers.from,
        to: headers.to,
        call_id: headers.call_id,
        subject: headers.subject,
        date: headers.date,
        priority: headers.priority,
        privacy: headers.privacy,
        asserted_identity: headers.asserted_identity,
        contact: headers.contact,
        content_type: headers.content_type,
        imdn_message_id: headers.imdn_message_id,
        conversation_id: headers.conversation_id,
        contribution_id: headers.contribution_id,
        content_disposition: headers.content_disposition,
    }
}

/// What the sender says about a file.
pub(crate) fn file(file: v1::FileAttributes) -> FileAttributes {
    FileAttributes {
        name: file.name,
        media_type: file.media_type,
        octets: file.octets,
        hash: file.hash,
        disposition: file.disposition,
        icon: file.icon,
        transfer_id: file.transfer_id,
        description: file.description,
    }
}

fn proto_file(file: FileAttributes) -> v1::FileAttributes {
    v1::FileAttributes {
        name: file.name,
        media_type: file.media_type,
        octets: file.octets,
        hash: file.hash,
        disposition: file.disposition,
        icon: file.icon,
        transfer_id: file.transfer_id,
        description: file.description,
    }
}

/// Most octets of what a report repeats: a CPIM head.
const REQUEST_OCTETS: usize = 16 << 10;

/// What a sender asks to be told.
pub(crate) fn report_request(
    request: Option<v1::ReportRequest>,
) -> Result<Option<ReportRequest>, Status> {
    let Some(request) = request else {
        return Ok(None);
    };
    let asked = request.asked().map(|asked| match asked {
        v1::Disposition::PositiveDelivery => Ok(Disposition::PositiveDelivery),
        v1::Disposition::NegativeDelivery => Ok(Disposition::NegativeDelivery),
        v1::Disposition::Processing => Ok(Disposition::Processing),
        v1::Disposition::Display => Ok(Disposition::Display),
        v1::Disposition::Unspecified => Err(invalid("there is no such disposition")),
    });
    let asked: Vec<_> = asked.collect::<Result<_, _>>()?;
    let texts = [
        &request.imdn_message_id,
        &request.from,
        &request.to,
        &request.original_recipient,
    ];
    let octets: usize = texts.iter().map(|text| text.len()).sum();
    if octets + asked.len() > REQUEST_OCTETS {
        return Err(invalid("a request for reports has at most 16 KiB"));
    }
    Ok(Some(ReportRequest {
        asked,
        imdn_message_id: request.imdn_message_id,
        from: request.from,
        to: request.to,
        original_recipient: request.original_recipient,
    }))
}

/// What a sender asked to be told.
pub(crate) fn proto_report_request(request: ReportRequest) -> v1::ReportRequest {
    let asked = request.asked.into_iter().map(|asked| match asked {
        Disposition::PositiveDelivery => v1::Disposition::PositiveDelivery,
        Disposition::NegativeDelivery => v1::Disposition::NegativeDelivery,
        Disposition::Processing => v1::Disposition::Processing,
        Disposition::Display => v1::Disposition::Display,
    });
    v1::ReportRequest {
        asked: asked.map(Into::into).collect(),
        imdn_message_id: request.imdn_message_id,
        from: request.from,
        to: request.to,
        original_recipient: request.original_recipient,
    }
}

/// What a report says.
pub(crate) fn proto_report_status(status: ReportStatus) -> v1::ReportStatus {
    match status {
        ReportStatus::Stored => v1::ReportStatus::Stored,
        ReportStatus::Failed => v1::ReportStatus::Failed,
        ReportStatus::Forbidden => v1::ReportStatus::Forbidden,
    }
}

fn message_report(made: MessageReport) -> v1::MessageReport {
    let state = match made.state {
        ReportState::Waiting => v1::ReportState::Waiting,
        ReportState::Sent => v1::ReportState::Sent,
        ReportState::Dropped => v1::ReportState::Dropped,
    };
    v1::MessageReport {
        status: proto_report_status(made.status).into(),
        state: state.into(),
    }
}

/// An address, if one is given.
pub(crate) fn address(text: String) -> Option<Address> {
    (!text.is_empty()).then(|| Address::new(text))
}

/// A stored message without its content.
pub(crate) fn message(message: StoredMessage) -> v1::Message {
    let envelope = message.envelope;
    v1::Message {
        deliver_after: message.deliver_after.map(timestamp),
        message_id: envelope.id.to_string(),
        message_uri: envelope.id.uri(),
        served_user: envelope.served_user.as_str().to_owned(),
        sender: envelope
            .sender
            .map(|sender| sender.as_str().to_owned())
            .unwrap_or_default(),
        class: proto_class(envelope.class).into(),
        state: proto_state(message.state).into(),
        priority: proto_priority(envelope.priority).into(),
        headers: Some(proto_headers(envelope.headers)),
        body_octets: envelope.body_octets,
        received_at: Some(timestamp(envelope.received_at)),
        expires_at: Some(timestamp(envelope.expires_at)),
        settled_at: message.settled_at.map(timestamp),
        attempts: message.attempts,
        redeliveries: message.redeliveries,
        reason: message.reason,
        content_retained: message.content_retained,
        sequence: envelope.sequence.0,
        received_from: envelope.received_from,
        body_offset: envelope.body_offset,
        sha256: envelope
            .sha256
            .map(|sha256| sha256.to_vec().into())
            .unwrap_or_default(),
        file: envelope.file.map(proto_file),
        report_request: envelope.report_request.map(proto_report_request),
        traceparent: envelope.traceparent.unwrap_or_default(),
        group: envelope
            .group
            .map(|group| group.as_str().to_owned())
            .unwrap_or_default(),
        reports: message.reports.into_iter().map(message_report).collect(),
        devices: message.devices.into_iter().map(device).collect(),
    }
}

fn device(delivery: DeviceDelivery) -> v1::DeviceDelivery {
    let state = match delivery.state {
        DeviceState::Waiting => v1::DeviceState::Waiting,
        DeviceState::Delivered => v1::DeviceState::Delivered,
        DeviceState::Refused => v1::DeviceState::Refused,
    };
    v1::DeviceDelivery {
        instance: delivery.device.as_str().to_owned(),
        state: state.into(),
        at: Some(timestamp(delivery.at)),
        refusals: delivery.refusals,
        reason: delivery.reason,
    }
}

/// What can happen to a message.
pub(crate) fn event_kind(kind: EventKind) -> v1::EventKind {
    match kind {
        EventKind::Deposited => v1::EventKind::Deposited,
        EventKind::DuplicateAbsorbed => v1::EventKind::DuplicateAbsorbed,
        EventKind::Claimed => v1::EventKind::Claimed,
        EventKind::AttemptFailed => v1::EventKind::AttemptFailed,
        EventKind::Delivered => v1::EventKind::Delivered,
        EventKind::Refused => v1::EventKind::Refused,
        EventKind::Expired => v1::EventKind::Expired,
        EventKind::Held => v1::EventKind::Held,
        EventKind::Unheld => v1::EventKind::Unheld,
        EventKind::Redelivered => v1::EventKind::Redelivered,
        EventKind::Recalled => v1::EventKind::Recalled,
        EventKind::Deleted => v1::EventKind::Deleted,
        EventKind::ContentRemoved => v1::EventKind::ContentRemoved,
        EventKind::ExpiryShortened => v1::EventKind::ExpiryShortened,
        EventKind::ReportMade => v1::EventKind::ReportMade,
        EventKind::ReportSent => v1::EventKind::ReportSent,
        EventKind::ReportDropped => v1::EventKind::ReportDropped,
        EventKind::Dropped => v1::EventKind::Dropped,
        EventKind::Imported => v1::EventKind::Imported,
    }
}

/// One entry of a timeline.
pub(crate) fn event(event: Event) -> v1::Event {
    v1::Event {
        at: Some(timestamp(event.at)),
        kind: event_kind(event.kind).into(),
        generation: event.generation.map_or(0, |generation| generation.0),
        actor: event.actor,
        detail: event.detail,
    }
}
