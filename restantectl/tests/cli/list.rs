//! `list`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use proto::v1::{Message, MessageClass, MessageState};
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{message, reply, service};

#[test]
fn json_document_is_stable() {
    let fake = Fake::start(service(2));
    restantectl("list -o json")
        .at(&fake)
        .well()
        .golden("list.json");
}

#[test]
fn jsonl_has_one_record_per_line() {
    let fake = Fake::start(service(2));
    restantectl("list -o jsonl")
        .at(&fake)
        .well()
        .golden("list.jsonl");
}

#[test]
fn nothing_found_is_an_empty_document_and_an_empty_table() {
    let fake = Fake::start(State::default());
    assert_eq!(restantectl("list").at(&fake).well().text(), "");
    let document = restantectl("list -o json").at(&fake).well().json();
    assert_eq!(document["messages"].as_array().unwrap().len(), 0);
}

#[test]
fn table_has_a_line_per_message() {
    let fake = Fake::start(service(2));
    let text = restantectl("mailq").at(&fake).well().text();
    let lines: Vec<Vec<_>> = text
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        [
            "MESSAGE-ID",
            "STATE",
            "AGE",
            "TRIES",
            "OCTETS",
            "TO",
            "FROM"
        ]
    );
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[1][..2], ["1@store.example", "stored"]);
    assert_eq!(
        lines[1][3..],
        ["2", "21", "sip:bob@example.org", "sip:alice@example.org"]
    );
}

#[test]
fn hostile_fields_do_not_reach_the_terminal() {
    let hostile = "sip:a\u{1b}]0;pwned\u{7}\u{202e}\n@h".to_owned();
    let hostile = Message {
        served_user: hostile.clone(),
        sender: hostile,
        ..message(1)
    };
    let fake = Fake::start(State {
        messages: vec![reply(hostile.clone())],
        ..State::default()
    });
    let text = restantectl("list").at(&fake).well().text();
    assert!(
        text.contains("sip:a\\u{1b}]0;pwned\\u{7}\\u{202e}\\n@h"),
        "{text}"
    );
    for format in ["table", "json", "jsonl"] {
        let text = restantectl("list -o").arg(format).at(&fake).well().text();
        assert!(
            !text.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{format}: {text}"
        );
    }
    let record = &restantectl("list -o jsonl").at(&fake).well().records()[0];
    assert_eq!(record["sender"], hostile.sender);
}

#[test]
fn filters_are_asked_for() {
    let fake = Fake::start(service(0));
    let filters = "list --to bob@example.org --from +4930 --group team@example.org --state stored,held --state expired \
                   --class large --since 2026-08-23 --before 2026-08-23T12:00:00+02:00 --limit 7 \
                   --page-token 3";
    restantectl(filters).at(&fake).well();
    let asked = fake.state().lists.remove(0);
    assert_eq!(asked.served_user, "sip:bob@example.org");
    assert_eq!(asked.sender, "tel:+4930");
    assert_eq!(asked.group, "sip:team@example.org");
    let states = [
        MessageState::Stored,
        MessageState::Held,
        MessageState::Expired,
    ];
    assert_eq!(asked.states, states.map(i32::from));
    assert_eq!(asked.class(), MessageClass::Large);
    assert_eq!(asked.received_from.unwrap().seconds, 1_787_443_200);
    assert_eq!(asked.received_until.unwrap().seconds, 1_787_479_200);
    assert_eq!((asked.page_size, asked.page_token.as_str()), (7, "3"));
}

#[test]
fn pages_are_followed_to_the_end() {
    let fake = Fake::start(State {
        page_cap: Some(2),
        ..service(5)
    });
    let ran = restantectl("list --limit all -o jsonl").at(&fake).well();
    let ids: Vec<_> = ran
        .records()
        .iter()
        .map(|record| record["sequence"].clone())
        .collect();
    assert_eq!(ids, [10, 20, 30, 40, 50]);
    assert_eq!(fake.state().lists.len(), 3);
}

#[test]
fn a_limit_ends_the_list_and_says_how_to_go_on() {
    let fake = Fake::start(State {
        page_cap: Some(2),
        ..service(5)
    });
    let ran = restantectl("list --limit 3 -o jsonl")
        .at(&fake)
        .code(0)
        .says("--page-token 3");
    assert_eq!(ran.records().len(), 3);
    let rest = restantectl("list --page-token 3 -o jsonl").at(&fake).well();
    assert_eq!(rest.records()[0]["message_id"], "4@store.example");
    let document = restantectl("list --limit 3 -o json")
        .at(&fake)
        .well()
        .json();
    assert_eq!(document["next_page_token"], "3");
}

#[test]
fn a_page_that_leads_to_itself_is_a_defect() {
    let fake = Fake::start(State {
        page_cap: Some(0),
        ..service(1)
    });
    restantectl("list --page-token 0")
        .at(&fake)
        .code(70)
        .says("leads to itself");
}

#[test]
fn a_failure_on_the_way_leaves_a_document_that_can_go_on() {
    let state = State {
        page_cap: Some(2),
        ..service(5)
    };
    let fake = Fake::start(state.refuse("2", Status::unavailable("draining")));
    let ran = restantectl("list -o json")
        .at(&fake)
        .code(69)
        .says("draining");
    assert_eq!(ran.json()["messages"].as_array().unwrap().len(), 2);
    assert_eq!(ran.json()["next_page_token"], "2");
}

#[test]
fn a_foreign_page_token_is_bad_data() {
    let refusal = Status::invalid_argument("not a page token");
    let fake = Fake::start(State::default().refuse("nonsense", refusal));
    restantectl("list --page-token nonsense")
        .at(&fake)
        .code(65)
        .says("not a page token");
}

#[test]
fn wrong_filters_are_wrong_usage() {
    for wrong in [
        "--state sent",
        "--since soon",
        "--limit 0",
        "--to alice",
        "--class fax",
        "extra",
    ] {
        restantectl("list").arg_list(wrong).now().code(64);
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let fake = Fake::start(State {
        page_cap: Some(20),
        ..service(2_000)
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_restantectl"));
    command.args([
        "list", "--limit", "all", "-o", "jsonl", "--server", &fake.url,
    ]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.contains("\"1@store.example\""));
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}
