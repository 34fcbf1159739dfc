//! Bindings and taken messages, for the tests of deliveries.

use std::time::{Duration, SystemTime};

use sip::Request;
use storage_client::delivery::TakenMessage;
use storage_client::message::{Class, Headers, Message, Part, PartKind, Priority, State};
use storage_client::registration::{Binding, RegistrationKind};

use edge::example::request;

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
        gruu: String::new(),
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
        traceparent: None,
    };
    let parts = vec![Part {
        kind: PartKind::Message,
        octets: request.as_bytes().clone(),
    }];
    TakenMessage { message, parts }
}

/// The large message of requirements §2.2, a file of 3000 octets that is read from the store; its
/// INVITE has these lines more.
pub(crate) fn taken_large(lines: &str) -> TakenMessage {
    let description = "v=0\r\no=alice 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
        m=message 7394 TCP/MSRP *\r\na=path:msrp://198.51.100.7:7394/2s93i9idj;tcp\r\na=accept-types:*\r\n\
        a=sendonly\r\na=file-selector:name:\"plan.pdf\" type:application/pdf size:3000\r\n\
        a=file-transfer-id:Q6LMoGymJdh0IKIgD6wD0jkcfgva4xvE\r\na=file-disposition:attachment\r\n\
        a=file-icon:cid:icon1@198.51.100.7\r\n";
    let dialog = "Via: SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-s1-9\r\n\
        From: \"Alice\" <sip:alice@example.org>;tag=a5510\r\nCall-ID: 90bd21ff@198.51.100.7\r\n\
        CSeq: 1 INVITE\r\n";
    let body = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{description}\r\n\
         --b\r\nContent-Type: image/png\r\nContent-ID: <icon1@198.51.100.7>\r\n\r\nicon\r\n--b--\r\n"
    );
    let invite = format!(
        "INVITE sip:bob@example.org SIP/2.0\r\n{dialog}To: <sip:bob@example.org>\r\n\
         Max-Forwards: 68\r\nSubject: Minutes of the meeting\r\n{lines}\
         P-Asserted-Identity: \"Alice\" <sip:alice@example.org>\r\n\
         Content-Type: multipart/related;boundary=b;type=\"application/sdp\"\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = format!(
        "SIP/2.0 200 OK\r\n{dialog}To: <sip:bob@example.org>;tag=df1-77e2\r\nContent-Length: 0\r\n\r\n"
    );
    let head = "MSRP d93kswow SEND\r\nTo-Path: msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp\r\n\
        From-Path: msrp://198.51.100.7:7394/2s93i9idj;tcp\r\nMessage-ID: 12339sdqwer\r\n\
        Byte-Range: 1-*/3000\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n\
        Content-Disposition: attachment; filename=\"plan.pdf\"\r\nContent-Type: application/pdf\r\n";
    let mut taken = taken(&request(&invite));
    taken.message.message_id = "13684434991@mailserver32.example.org".to_owned();
    taken.message.class = Class::Large;
    taken.message.body_octets = 3_000;
    taken.message.received_at += Duration::from_secs(356);
    let part = |kind, octets: &str| Part {
        kind,
        octets: octets.to_owned().into(),
    };
    taken.parts = vec![
        part(PartKind::Invite, &invite),
        part(PartKind::InviteResponse, &answer),
        part(PartKind::SendHead, head),
    ];
    taken
}
