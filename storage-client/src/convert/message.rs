//! Messages and their parts.

use proto::v1;

use super::{optional, time};
use crate::message::{
    Class, Disposition, FileAttributes, Headers, Message, Part, PartKind, Priority, ReportRequest,
    State,
};

pub(super) fn proto_class(class: Class) -> v1::MessageClass {
    match class {
        Class::Pager => v1::MessageClass::Pager,
        Class::Large => v1::MessageClass::Large,
        Class::Imdn => v1::MessageClass::Imdn,
    }
}

fn class(class: v1::MessageClass) -> Option<Class> {
    match class {
        v1::MessageClass::Unspecified => None,
        v1::MessageClass::Pager => Some(Class::Pager),
        v1::MessageClass::Large => Some(Class::Large),
        v1::MessageClass::Imdn => Some(Class::Imdn),
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

fn priority(priority: v1::Priority) -> Priority {
    match priority {
        v1::Priority::NonUrgent => Priority::NonUrgent,
        v1::Priority::Unspecified | v1::Priority::Normal => Priority::Normal,
        v1::Priority::Urgent => Priority::Urgent,
        v1::Priority::Emergency => Priority::Emergency,
    }
}

fn state(state: v1::MessageState) -> Option<State> {
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

pub(super) fn proto_headers(headers: Headers) -> v1::MessageHeaders {
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

fn headers(headers: v1::MessageHeaders) -> Headers {
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

pub(super) fn proto_file(file: FileAttributes) -> v1::FileAttributes {
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

fn file(file: v1::FileAttributes) -> FileAttributes {
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

pub(crate) fn proto_part_kind(kind: PartKind) -> v1::PartKind {
    match kind {
        PartKind::Message => v1::PartKind::Message,
        PartKind::Invite => v1::PartKind::Invite,
        PartKind::InviteResponse => v1::PartKind::InviteResponse,
        PartKind::SendHead => v1::PartKind::SendHead,
        PartKind::SendBody => v1::PartKind::SendBody,
        PartKind::Bye => v1::PartKind::Bye,
    }
}

pub(super) fn proto_part(part: Part) -> v1::Part {
    v1::Part {
        kind: proto_part_kind(part.kind).into(),
        octets: part.octets,
    }
}

pub(super) fn part(part: v1::Part) -> Option<Part> {
    let kind = match part.kind() {
        v1::PartKind::Unspecified => return None,
        v1::PartKind::Message => PartKind::Message,
        v1::PartKind::Invite => PartKind::Invite,
        v1::PartKind::InviteResponse => PartKind::InviteResponse,
        v1::PartKind::SendHead => PartKind::SendHead,
        v1::PartKind::SendBody => PartKind::SendBody,
        v1::PartKind::Bye => PartKind::Bye,
    };
    Some(Part {
        kind,
        octets: part.octets,
    })
}

pub(super) fn message(message: v1::Message) -> Option<Message> {
    Some(Message {
        class: class(message.class())?,
        state: state(message.state())?,
        priority: priority(message.priority()),
        message_id: message.message_id,
        served_user: message.served_user,
        sender: optional(message.sender),
        headers: headers(message.headers.unwrap_or_default()),
        body_octets: message.body_octets,
        body_offset: message.body_offset,
        received_at: time(message.received_at?)?,
        expires_at: time(message.expires_at?)?,
        attempts: message.attempts,
        redeliveries: message.redeliveries,
        sequence: message.sequence,
        received_from: message.received_from,
        sha256: message.sha256.as_ref().try_into().ok(),
        file: message.file.map(file),
        traceparent: optional(message.traceparent),
    })
}

pub(super) fn proto_report_request(request: ReportRequest) -> v1::ReportRequest {
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

/// What a report is to repeat; what was asked for is decided already.
pub(super) fn report_request(request: v1::ReportRequest) -> ReportRequest {
    ReportRequest {
        asked: Vec::new(),
        imdn_message_id: request.imdn_message_id,
        from: request.from,
        to: request.to,
        original_recipient: request.original_recipient,
    }
}
