//! `recall`.

use proto::v1::MessageState;
use serde_json::Value;
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{in_state, service};

const BY_ID: &str = "recall sip:1@store.example --sender Alice@EXAMPLE.org";

#[test]
fn a_message_is_named_by_its_id_and_its_sender() {
    let fake = Fake::start(service(1));
    let run = restantectl(BY_ID)
        .arg("--reason")
        .arg("a mistake")
        .at(&fake);
    let line = "1@store.example: recalled, to sip:bob@example.org\n";
    assert_eq!(run.well().text(), line);
    let sent = fake.state().recalls.remove(0);
    assert_eq!(sent.message_id, "1@store.example");
    assert_eq!(sent.sender, "sip:Alice@example.org");
    assert_eq!((sent.reason.as_str(), sent.expires_at), ("a mistake", None));
}

#[test]
fn a_message_is_named_by_its_recipient_and_the_senders_own_id() {
    let fake = Fake::start(service(1));
    let named = "recall --sender alice@example.org --to +49-30-1 --imdn-message-id 34jk";
    restantectl(named).at(&fake).well();
    let sent = fake.state().recalls.remove(0);
    let by = (sent.served_user.as_str(), sent.imdn_message_id.as_str());
    assert_eq!(by, ("tel:+49301", "34jk"));
    assert_eq!(sent.message_id, "");
}

#[test]
fn a_lifetime_is_shortened() {
    let fake = Fake::start(service(1));
    let until = format!("{BY_ID} --expires 2030-01-02T03:04:05Z -o json");
    let run = restantectl(&until).at(&fake).well();
    let document: Value = serde_json::from_str(&run.text()).unwrap();
    let result = &document["results"][0];
    assert_eq!(result["outcome"], "done");
    assert_eq!(result["message"]["expires_at"], "2030-01-02T03:04:05.000Z");
    let sent = fake.state().recalls.remove(0);
    assert_eq!(sent.expires_at.unwrap().seconds, 1_893_553_445);
}

#[test]
fn a_refusal_is_told() {
    let fake = Fake::start(service(1));
    let refusal = Status::failed_precondition("an edge has begun to send it");
    fake.state().refusals.insert("recall".to_owned(), refusal);
    restantectl(BY_ID)
        .at(&fake)
        .code(1)
        .says("1@store.example: cannot recall:")
        .says("begun to send it");
}

#[test]
fn half_a_name_is_no_name() {
    let fake = Fake::start(service(1));
    for wrong in [
        "recall --sender alice@example.org",
        "recall --sender alice@example.org --imdn-message-id 34jk",
        "recall 1@store.example",
        "recall 1@store.example --sender alice@example.org --expires soon",
    ] {
        restantectl(wrong).at(&fake).code(64);
    }
    assert!(fake.state().recalls.is_empty());
}

#[test]
fn a_trial_finds_the_one_that_waits_on_whatever_page() {
    use MessageState::{Delivered, Stored};
    let messages = (1..).zip([Delivered, Delivered, Stored, Delivered]);
    let fake = Fake::start(State {
        messages: messages
            .map(|(number, state)| in_state(number, state))
            .collect(),
        page_cap: Some(1),
        ..State::default()
    });
    let named = "recall --sender alice@example.org --to bob@example.org --imdn-message-id im1";
    let run = restantectl(named).arg_list("--dry-run -o json").at(&fake);
    let result = &run.well().json()["results"][0];
    assert_eq!(
        (&result["outcome"], &result["message_id"]),
        (&"would_do".into(), &"3@store.example".into())
    );
    assert_eq!(fake.state().lists[0].sender, "sip:alice@example.org");
}
