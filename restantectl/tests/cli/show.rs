//! `show`.

use proto::v1::{DeviceDelivery, DeviceState, Message, MessageClass, PartKind};
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{BODY, HEAD, message, reply, service};

#[test]
fn json_record_is_stable() {
    let fake = Fake::start(service(1));
    restantectl("show 1@store.example --body -o json")
        .at(&fake)
        .well()
        .golden("show.json");
}

#[test]
fn table_shows_what_is_asked_for() {
    let fake = Fake::start(service(1));
    restantectl("show 1@store.example")
        .at(&fake)
        .well()
        .golden("show.txt");
    let all = "show 1@store.example --headers --timeline --body";
    restantectl(all).at(&fake).well().golden("show-all.txt");
}

#[test]
fn devices_are_shown_with_what_they_said() {
    let device = |instance: &str, state: DeviceState, reason: &str| DeviceDelivery {
        instance: instance.to_owned(),
        state: state.into(),
        at: message(1).received_at,
        refusals: 1,
        reason: reason.to_owned(),
    };
    let with_devices = Message {
        devices: vec![
            device("", DeviceState::Delivered, "MSRP 200"),
            device("<urn:uuid:b>", DeviceState::Refused, "MSRP 415"),
        ],
        ..message(1)
    };
    let mut state = service(1);
    state.messages = vec![reply(with_devices)];
    let fake = Fake::start(state);
    let text = restantectl("show 1@store.example").at(&fake).well().text();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("Device:"))
        .collect();
    let at = "2026-08-23T10:00:00.250Z";
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[0].ends_with(&format!("(account) delivered {at} MSRP 200")),
        "{text}"
    );
    assert!(
        lines[1].ends_with(&format!("<urn:uuid:b> refused {at} MSRP 415")),
        "{text}"
    );
    let record = &restantectl("show 1@store.example -o jsonl")
        .at(&fake)
        .well()
        .records()[0];
    assert_eq!(record["devices"][1]["state"], "refused");
    assert!(record["devices"][0]["instance"].is_null());
}

#[test]
fn content_is_read_only_on_request() {
    let fake = Fake::start(service(1));
    restantectl("show 1@store.example --headers --timeline")
        .at(&fake)
        .well();
    let record = &restantectl("show 1@store.example -o jsonl")
        .at(&fake)
        .well()
        .records()[0];
    assert!(record["content"].is_null());
    assert_eq!(fake.state().reads.len(), 0);
}

#[test]
fn body_is_found_within_the_request() {
    let fake = Fake::start(service(1));
    restantectl("show 1@store.example --body").at(&fake).well();
    let read = fake.state().reads.remove(0);
    assert_eq!(read.part(), PartKind::Message);
    assert_eq!(
        (read.offset, read.length),
        (HEAD.len() as u64, BODY.len() as u64)
    );
}

#[test]
fn body_of_a_large_message_is_its_send() {
    let large = Message {
        class: MessageClass::Large.into(),
        ..message(1)
    };
    let state = State {
        messages: vec![reply(large)],
        ..State::default()
    };
    let fake = Fake::start(state.part("1@store.example", PartKind::SendBody, b"large"));
    let ran = restantectl("show 1@store.example --body -o raw")
        .at(&fake)
        .well();
    assert_eq!(ran.out, b"large");
}

#[test]
fn an_empty_body_is_not_asked_for() {
    let empty = Message {
        body_octets: 0,
        ..message(1)
    };
    let fake = Fake::start(State {
        messages: vec![reply(empty)],
        ..State::default()
    });
    let ran = restantectl("show 1@store.example --body -o raw")
        .at(&fake)
        .well();
    assert!(ran.out.is_empty());
    assert!(fake.state().reads.is_empty());
}

#[test]
fn raw_octets_are_exact() {
    let fake = Fake::start(service(1));
    let body = restantectl("show 1@store.example --body -o raw")
        .at(&fake)
        .well();
    assert_eq!(body.out, BODY);
    let request = restantectl("show 1@store.example --part message -o raw")
        .at(&fake)
        .well();
    assert_eq!(request.out, [HEAD.as_bytes(), BODY].concat());
}

#[test]
fn raw_is_for_one_content_and_nothing_else() {
    for wrong in [
        "show 1@h -o raw",
        "show 1@h 2@h --body -o raw",
        "show 1@h --body --headers -o raw",
        "list -o raw",
        "show 1@h --body --part message",
    ] {
        restantectl(wrong).now().code(64);
    }
}

#[test]
fn bodies_that_are_no_text_are_encoded() {
    let octets = [0xff, 0x00, 0x0d];
    let binary = Message {
        body_octets: 3,
        body_offset: 0,
        ..message(1)
    };
    let state = State {
        messages: vec![reply(binary)],
        ..State::default()
    };
    let fake = Fake::start(state.part("1@store.example", PartKind::Message, &octets));
    let record = &restantectl("show 1@store.example --body -o jsonl")
        .at(&fake)
        .well()
        .records()[0];
    assert_eq!(record["content"]["encoding"], "base64");
    assert_eq!(record["content"]["text"], "/wAN");
    let text = restantectl("show 1@store.example --body")
        .at(&fake)
        .well()
        .text();
    assert!(text.ends_with("\n\\xff\\u{0}\\r\n"), "{text}");
}

#[test]
fn both_forms_of_an_id_are_one_message() {
    let fake = Fake::start(service(1));
    let ran = restantectl("show 1@store.example sip:1@store.example -o jsonl")
        .at(&fake)
        .well();
    assert_eq!(ran.records().len(), 1);
}

#[test]
fn listed_records_can_be_piped_in() {
    let fake = Fake::start(service(3));
    let listed = restantectl("list -o jsonl").at(&fake).well();
    let shown = restantectl("show - -o jsonl")
        .input(listed.out)
        .at(&fake)
        .well();
    assert_eq!(shown.records().len(), 3);
}

#[test]
fn the_others_are_shown_when_one_is_missing() {
    let fake = Fake::start(service(2));
    let ran = restantectl("show 1@store.example 9@store.example 2@store.example -o json").at(&fake);
    let ran = ran
        .code(1)
        .says("9@store.example: no such message")
        .says("1 of 3 failed");
    assert_eq!(ran.json()["messages"].as_array().unwrap().len(), 2);
}

#[test]
fn a_message_whose_content_is_gone_is_shown_without() {
    let fake = Fake::start(State {
        parts: [].into(),
        ..service(1)
    });
    let ran = restantectl("show 1@store.example --body -o json").at(&fake);
    let ran = ran.code(1).says("its content is gone");
    assert_eq!(ran.json()["messages"][0]["state"], "stored");
    let ran = restantectl("show 1@store.example --body").at(&fake).code(1);
    assert!(ran.text().contains("Message-ID:"));
}

#[test]
fn reading_a_body_is_a_right_of_its_own() {
    let refusal = Status::permission_denied("role body reader is missing");
    let fake = Fake::start(service(1).refuse("read", refusal));
    let ran = restantectl("show 1@store.example --body").at(&fake);
    ran.code(77).says("role body reader is missing");
    restantectl("show 1@store.example").at(&fake).well();
}
