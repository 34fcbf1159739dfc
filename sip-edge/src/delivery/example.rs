//! Bindings and taken messages, for the tests of deliveries.

use std::time::{Duration, SystemTime};

use sip::Request;
use storage_client::delivery::TakenMessage;
use storage_client::message::{Class, Headers, Message, Part, PartKind, Priority, State};
use storage_client::registration::{Binding, RegistrationKind};

/// A binding of a direct registration that lasts a thousand seconds from the epoch.
pub(crate) fn binding(contact: &str, has_im_tag: bool, allows_message: bool) -> Binding {
    Binding {
        contact: contact.to_owned(),
        instance: String::new(),
        reg_id: 0,
        call_id: "reg-77a@203.0.113.9".to_owned(),
        cseq: 1,
        path: Vec::new(),
        flow: None,
        has_im_tag,
        allows_message,
        kind: RegistrationKind::Direct,
        user_agent: String::new(),
        expires_at: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000),
    }
}

/// The first message of the store, as it gives it to an edge.
pub(crate) fn taken(request: &Request) -> TakenMessage {
    let value = |name: &str| {
        let field = request.headers().first_named(name);
        field
            .map(|field| field.value().into_owned())
            .unwrap_or_default()
    };
    let headers = Headers {
        from: value("From"),
        to: value("To"),
        call_id: value("Call-ID"),
        subject: value("Subject"),
        date: value("Date"),
        priority: value("Priority"),
        privacy: value("Privacy"),
        asserted_identity: value("P-Asserted-Identity"),
        content_type: value("Content-Type"),
        ..Headers::default()
    };
    let received_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_166_046);
    let message = Message {
        message_id: "13684434990@mailserver32.example.org".to_owned(),
        served_user: "sip:bob@example.org".to_owned(),
        sender: Some("sip:alice@example.org".to_owned()),
        class: Class::Pager,
        state: State::Claimed,
        priority: Priority::Urgent,
        headers,
        body_octets: request.body().len() as u64,
        body_offset: 0,
        received_at,
        expires_at: received_at + Duration::from_secs(86_400),
        attempts: 1,
        redeliveries: 0,
        sequence: 1,
        received_from: "tcp 192.0.2.11:5060".to_owned(),
        sha256: None,
        file: None,
    };
    let parts = vec![Part {
        kind: PartKind::Message,
        octets: request.as_bytes().clone(),
    }];
    TakenMessage { message, parts }
}
