//! `redeliver`, `hold`, `unhold`, `expire` and `delete`.

use std::time::Duration;

use proto::v1::{Message, MessageState};
use serde_json::Value;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{in_state, message, reply, service};

const COMMANDS: [&str; 5] = ["redeliver", "hold", "unhold", "expire", "delete"];

fn outcomes(document: &Value) -> Vec<&str> {
    let results = document["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["outcome"].as_str().unwrap())
        .collect()
}

#[test]
fn each_command_gives_its_order_with_the_reason() {
    for command in COMMANDS {
        let fake = Fake::start(service(1));
        let run = restantectl(command).arg("sip:1@store.example");
        run.arg("--reason").arg("ticket 4711").at(&fake).well();
        let (order, sent) = fake.state().orders.remove(0);
        assert_eq!(order, command);
        assert_eq!(
            (sent.message_id.as_str(), sent.reason.as_str()),
            ("1@store.example", "ticket 4711")
        );
    }
}

#[test]
fn people_read_what_was_done() {
    let fake = Fake::start(service(1));
    let text = restantectl("hold 1@store.example").at(&fake).well().text();
    let line = "1@store.example: held, to sip:bob@example.org, from sip:alice@example.org\n";
    assert_eq!(text, line);
}

#[test]
fn json_document_is_stable() {
    let fake = Fake::start(service(1));
    let run = restantectl("delete 1@store.example 9@store.example --yes -o json");
    run.at(&fake)
        .code(1)
        .says("9@store.example: cannot delete: no such message")
        .golden("delete.json");
}

#[test]
fn several_messages_need_a_yes() {
    for command in COMMANDS {
        let fake = Fake::start(service(2));
        let two = format!("{command} 1@store.example 2@store.example");
        restantectl(&two).at(&fake).code(64).says("--yes");
        assert!(fake.state().orders.is_empty());
        restantectl(&two).arg("--yes").at(&fake).well();
        assert_eq!(fake.state().orders.len(), 2);
    }
}

#[test]
fn one_message_named_twice_is_one_message() {
    let fake = Fake::start(service(1));
    restantectl("hold 1@store.example sip:1@store.example")
        .at(&fake)
        .well();
    assert_eq!(fake.state().orders.len(), 1);
}

#[test]
fn ids_are_read_from_standard_input() {
    let fake = Fake::start(service(3));
    let ids = "1@store.example\n\nsip:2@store.example\n{\"message_id\":\"3@store.example\"}\n";
    restantectl("expire - --yes").input(ids).at(&fake).well();
    assert_eq!(fake.state().orders.len(), 3);
}

#[test]
fn a_bad_line_stops_everything_before_it_begins() {
    let fake = Fake::start(service(1));
    let run = restantectl("delete - --yes").input("1@store.example\nnonsense\n");
    run.at(&fake)
        .code(65)
        .says("standard input, line 2")
        .says("nothing was done");
    assert!(fake.state().orders.is_empty());
}

#[test]
fn empty_input_is_nothing_to_do() {
    let fake = Fake::start(service(1));
    assert_eq!(
        restantectl("delete -").input("").at(&fake).well().text(),
        ""
    );
}

#[test]
fn a_failure_of_one_does_not_stop_the_others() {
    let refusal = Status::failed_precondition("it is delivered");
    let fake = Fake::start(service(3).refuse("2@store.example", refusal));
    let run = restantectl("hold 1@store.example 2@store.example 3@store.example --yes -o json");
    let ran = run
        .at(&fake)
        .code(1)
        .says("2@store.example: cannot hold: it is delivered");
    let ran = ran.says("1 of 3 failed");
    assert_eq!(outcomes(&ran.json()), ["done", "failed", "done"]);
    assert_eq!(
        ran.json()["results"][1]["error"]["code"],
        "failed_precondition"
    );
}

#[test]
fn a_service_that_goes_away_ends_the_series() {
    let mut details = ErrorDetails::new();
    details.set_retry_info(Some(Duration::from_secs(5)));
    let refusal = Status::with_error_details(Code::Unavailable, "latched", details);
    let fake = Fake::start(service(3).refuse("2@store.example", refusal));
    let run = restantectl("hold 1@store.example 2@store.example 3@store.example --yes -o json");
    let ran = run
        .at(&fake)
        .code(69)
        .says("1 of 3 handled")
        .says("try again in 5s");
    assert_eq!(outcomes(&ran.json()), ["done"]);
    assert_eq!(fake.state().orders.len(), 1);
}

#[test]
fn an_operator_without_the_role_is_told_so() {
    let refusal = Status::permission_denied("role operator is missing");
    let fake = Fake::start(service(1).refuse("delete", refusal));
    restantectl("delete 1@store.example")
        .at(&fake)
        .code(77)
        .says("role operator is missing");
}

#[test]
fn without_an_answer_nobody_knows_what_happened() {
    let fake = Fake::start(State {
        silent: true,
        ..service(1)
    });
    let ran = restantectl("delete 1@store.example --timeout 50ms").at(&fake);
    ran.code(69)
        .says("is not known")
        .says("no answer")
        .says("within 50ms");
}

#[test]
fn a_dry_run_changes_nothing_and_foresees_refusals() {
    use MessageState::{Claimed, Delivered, Held, Stored};
    let states = [Stored, Claimed, Held, Delivered];
    let gone = Message {
        content_retained: false,
        state: Delivered.into(),
        ..message(5)
    };
    let messages = (1..)
        .zip(states)
        .map(|(number, state)| in_state(number, state));
    let messages: Vec<_> = messages.chain([reply(gone)]).collect();
    let expected = [
        (
            "redeliver",
            [
                "would_fail",
                "would_fail",
                "would_fail",
                "would_do",
                "would_fail",
            ],
        ),
        (
            "hold",
            [
                "would_do",
                "would_do",
                "would_fail",
                "would_fail",
                "would_fail",
            ],
        ),
        (
            "unhold",
            [
                "would_fail",
                "would_fail",
                "would_do",
                "would_fail",
                "would_fail",
            ],
        ),
        (
            "expire",
            [
                "would_do",
                "would_do",
                "would_do",
                "would_fail",
                "would_fail",
            ],
        ),
        (
            "delete",
            ["would_do", "would_do", "would_do", "would_do", "would_fail"],
        ),
    ];
    let fake = Fake::start(State {
        messages,
        ..State::default()
    });
    for (command, foreseen) in expected {
        let ids: String = (1..=5)
            .map(|number| format!("{number}@store.example\n"))
            .collect();
        let ran = restantectl(command)
            .arg("-")
            .arg("--dry-run")
            .arg_list("-o json")
            .input(ids);
        let ran = ran.at(&fake).code(1);
        assert_eq!(outcomes(&ran.json()), foreseen, "{command}");
        assert_eq!(ran.json()["dry_run"], true);
    }
    assert!(fake.state().orders.is_empty());
}

#[test]
fn people_read_what_would_be_done() {
    let fake = Fake::start(service(1));
    let text = restantectl("expire 1@store.example --dry-run")
        .at(&fake)
        .well()
        .text();
    assert!(
        text.starts_with("1@store.example: would expire, now stored, to "),
        "{text}"
    );
}
