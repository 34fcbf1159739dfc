//! Messages, mailboxes and the state of a service, with every field filled.

use prost_types::Timestamp;
use proto::v1::{
    AttachedEdge, Binding, Disposition, Event, EventKind, FileAttributes, Flow, GetMessageReply,
    Mailbox, Message, MessageClass, MessageCount, MessageHeaders, MessageReport, MessageState,
    PartKind, Priority, RegistrationKind, ReportRequest, ReportState, ReportStatus, Status,
};

use crate::fake::State;

/// The header of [`REQUEST`] up to its body.
pub(crate) const HEAD: &str = "MESSAGE sip:bob@example.org SIP/2.0\r\n\r\n";
/// A body that tries to steer a terminal.
pub(crate) const BODY: &[u8] = "Grüße\r\n\u{1b}[2J\u{202e}dlrow".as_bytes();

/// A number of seconds after 2026-08-23T10:00:00Z.
pub(crate) fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: 1_787_479_200 + seconds,
        nanos: 250_000_000,
    })
}

/// A message with every field filled.
pub(crate) fn message(number: u64) -> Message {
    Message {
        message_id: format!("{number}@store.example"),
        message_uri: format!("sip:{number}@store.example"),
        served_user: "sip:bob@example.org".to_owned(),
        sender: "sip:alice@example.org".to_owned(),
        class: MessageClass::Pager.into(),
        state: MessageState::Stored.into(),
        priority: Priority::Normal.into(),
        headers: Some(headers()),
        body_octets: BODY.len() as u64,
        received_at: at(0),
        expires_at: at(86_400),
        settled_at: None,
        attempts: 2,
        redeliveries: 1,
        reason: "INVITE 480".to_owned(),
        content_retained: true,
        sequence: number * 10,
        received_from: "udp 192.0.2.1:5060".to_owned(),
        body_offset: HEAD.len() as u64,
        sha256: vec![7; 32].into(),
        file: Some(file()),
        report_request: Some(ReportRequest {
            asked: vec![
                Disposition::Processing.into(),
                Disposition::NegativeDelivery.into(),
            ],
            ..ReportRequest::default()
        }),
        traceparent: String::new(),
        group: "sip:team@example.org".to_owned(),
        deliver_after: None,
        reports: vec![MessageReport {
            status: ReportStatus::Stored.into(),
            state: ReportState::Sent.into(),
        }],
        devices: Vec::new(),
    }
}

fn file() -> FileAttributes {
    FileAttributes {
        name: "plan.pdf".to_owned(),
        media_type: "application/pdf".to_owned(),
        octets: Some(482_133),
        hash: "sha-1:72:24".to_owned(),
        disposition: "attachment".to_owned(),
        icon: "icon1@198.51.100.7".to_owned(),
        transfer_id: "Q6LM".to_owned(),
        description: "the\u{1b}[31m plan".to_owned(),
    }
}

fn headers() -> MessageHeaders {
    MessageHeaders {
        from: "\"Alice\" <sip:alice@example.org>;tag=1".to_owned(),
        to: "<sip:bob@example.org>".to_owned(),
        call_id: "abc@192.0.2.1".to_owned(),
        subject: "lunch\u{1b}[31m\u{202e}?".to_owned(),
        date: "Sun, 23 Aug 2026 10:00:00 GMT".to_owned(),
        priority: "normal".to_owned(),
        privacy: "none".to_owned(),
        asserted_identity: "<sip:alice@example.org>".to_owned(),
        contact: "<sip:alice@192.0.2.1>".to_owned(),
        content_type: "text/plain".to_owned(),
        imdn_message_id: "im1".to_owned(),
        conversation_id: "conv1".to_owned(),
        contribution_id: "contr1".to_owned(),
        content_disposition: "attachment; filename=plan.pdf".to_owned(),
    }
}

/// A message as the service tells about it.
pub(crate) fn reply(message: Message) -> GetMessageReply {
    let event = |seconds, kind: EventKind, generation, actor: &str, detail: &str| Event {
        at: at(seconds),
        kind: kind.into(),
        generation,
        actor: actor.to_owned(),
        detail: detail.to_owned(),
    };
    let timeline = vec![
        event(0, EventKind::Deposited, 0, "", ""),
        event(60, EventKind::Claimed, 1, "edge-1", ""),
        event(61, EventKind::AttemptFailed, 1, "edge-1", "INVITE 480"),
    ];
    GetMessageReply {
        message: Some(message),
        timeline,
    }
}

/// A message in a state.
pub(crate) fn in_state(number: u64, state: MessageState) -> GetMessageReply {
    reply(Message {
        state: state.into(),
        ..message(number)
    })
}

/// A service that keeps messages 1 to `count`, each with its content.
pub(crate) fn service(count: u64) -> State {
    let numbers = 1..=count;
    let messages = numbers
        .clone()
        .map(|number| reply(message(number)))
        .collect();
    let request = [HEAD.as_bytes(), BODY].concat();
    numbers.fold(
        State {
            messages,
            ..State::default()
        },
        |state, number| {
            state.part(
                &format!("{number}@store.example"),
                PartKind::Message,
                &request,
            )
        },
    )
}

/// A mailbox with three messages, a notification and a binding.
pub(crate) fn mailbox() -> Mailbox {
    Mailbox {
        served_user: "sip:bob@example.org".to_owned(),
        text: Some(MessageCount {
            new: 2,
            old: 5,
            new_urgent: 1,
            old_urgent: 0,
        }),
        multimedia: Some(MessageCount {
            new: 1,
            old: 0,
            new_urgent: 0,
            old_urgent: 0,
        }),
        imdn: 1,
        octets: 4096,
        bindings: vec![binding()],
    }
}

fn binding() -> Binding {
    Binding {
        contact: "<sip:bob@192.0.2.7:5060>".to_owned(),
        instance: "<urn:uuid:00000000-0000-1000-8000-000A95A0E128>".to_owned(),
        reg_id: 1,
        call_id: "reg@192.0.2.7".to_owned(),
        cseq: 3,
        path: vec!["<sip:proxy.example.org;lr>".to_owned()],
        flow: Some(Flow {
            edge: "edge-1".to_owned(),
            token: "t".to_owned(),
        }),
        has_im_tag: true,
        allows_message: true,
        kind: RegistrationKind::Direct.into(),
        gruu: String::new(),
        user_agent: "Client/1\u{7}".to_owned(),
        expires_at: at(3_600),
    }
}

/// The state of a service that is well.
pub(crate) fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        hostname: "store.example".to_owned(),
        started_at: at(-60),
        ready: true,
        conditions: Vec::new(),
        edges: vec![AttachedEdge {
            name: "edge-1".to_owned(),
            attached_at: at(-30),
            jobs: 1,
            capacity: 100,
        }],
        pushes_running: 1,
        pushes_planned: 2,
        suspensions: Vec::new(),
    }
}
