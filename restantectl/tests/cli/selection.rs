//! Which messages commands work on, and where a series goes on that has broken off.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use proto::v1::{Message, PushMailboxReply, PushPlan};
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{message, reply, service};

/// Messages to as many users, who can be pushed.
fn to_many(count: u64) -> State {
    let user = |number: u64| format!("sip:user-{number}@example.org");
    let messages = (1..=count).map(|number| {
        reply(Message {
            served_user: user(number),
            ..message(number)
        })
    });
    let started = PushMailboxReply {
        plan: PushPlan::Started.into(),
        waiting: 1,
    };
    State {
        messages: messages.collect(),
        pushes: (1..=count).map(|number| (user(number), started)).collect(),
        ..State::default()
    }
}

#[test]
fn an_empty_value_is_no_filter() {
    let fake = Fake::start(service(2));
    let filters = [
        "--to",
        "--domain",
        "--from",
        "--state",
        "--conversation-id",
        "--contribution-id",
        "--imdn-message-id",
        "--error",
    ];
    for filter in filters {
        for command in [
            "list",
            "purge --yes --state stored,held",
            "retry --yes --state stored",
        ] {
            let run = restantectl(command).arg(filter).arg("");
            run.at(&fake).code(64).says(filter);
        }
    }
    restantectl("suspend add --domain")
        .arg("")
        .at(&fake)
        .code(64);
    restantectl("suspend cancel --domain")
        .arg("")
        .at(&fake)
        .code(64);
    restantectl("events watch --after")
        .arg("")
        .at(&fake)
        .code(64);
    restantectl("recall --sender a@h --to b@h --imdn-message-id")
        .arg("")
        .at(&fake)
        .code(64);
    let state = fake.state();
    assert!(state.lists.is_empty() && state.orders.is_empty() && state.pushed.is_empty());
}

#[test]
fn what_is_changed_without_a_yes_is_what_was_counted() {
    for command in ["hold", "delete", "purge", "retry"] {
        let fake = Fake::start(to_many(1));
        let run = restantectl(command).arg_list("--domain example.org");
        run.at(&fake).well();
        let state = fake.state();
        assert_eq!(state.lists.len(), 1, "{command} looks once");
        assert_eq!(state.orders.len() + state.pushed.len(), 1, "{command}");
    }
    let fake = Fake::start(service(2));
    for command in ["hold", "delete", "purge", "retry"] {
        let run = restantectl(command).arg_list("--domain example.org");
        run.at(&fake).code(64).says("2 messages").says("--yes");
    }
}

#[test]
fn ids_have_no_page_to_go_on_from() {
    let fake = Fake::start(service(1));
    for command in ["hold", "delete", "purge", "retry"] {
        let run = restantectl(command).arg_list("1@store.example --page-token 3");
        run.at(&fake).code(64).says("--page-token");
    }
    assert!(fake.state().orders.is_empty());
}

#[test]
fn a_time_beyond_the_calendar_is_refused() {
    let run = restantectl("hold 1@store.example --until 999999999999d");
    run.now().code(64).says("how long from now");
}

#[test]
fn a_series_that_breaks_off_says_where_it_goes_on() {
    for command in ["hold", "purge", "retry --rate 4000000000"] {
        let state = State {
            page_cap: Some(2),
            ..to_many(5)
        };
        let fake = Fake::start(state.refuse("4", Status::unavailable("draining")));
        let run = restantectl(command).arg_list("--domain example.org --yes");
        run.at(&fake)
            .code(69)
            .says("stopped after 4")
            .says("draining")
            .says("--page-token 4");
    }
}

#[test]
fn what_fails_is_counted_among_what_was_tried() {
    let fake = Fake::start(to_many(1));
    let run = restantectl("retry 9@store.example 8@store.example 1@store.example --yes");
    run.at(&fake).code(1).says("2 of 3 failed");
}

#[test]
fn a_purge_tells_what_it_could_not_delete() {
    let changed = Status::failed_precondition("it is claimed");
    let fake = Fake::start(service(3).refuse("2@store.example", changed));
    let ran = restantectl("purge --domain example.org --yes -o json")
        .at(&fake)
        .code(1)
        .says("2@store.example: cannot delete: it is claimed")
        .says("1 of 3 failed");
    assert_eq!(
        (&ran.json()["deleted"], &ran.json()["failed"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn a_suspension_that_is_tried_counts_all_that_waits() {
    let fake = Fake::start(State {
        page_cap: Some(2),
        ..service(5)
    });
    let run = restantectl("suspend add --domain example.org --dry-run -o json");
    assert_eq!(run.at(&fake).well().json()["waiting"], 5);
}

#[test]
fn a_reader_that_leaves_a_series_is_a_failure() {
    for series in ["hold", "retry"] {
        let fake = Fake::start(to_many(1_000));
        let mut command = Command::new(env!("CARGO_BIN_EXE_restantectl"));
        command.args([series, "--domain", "example.org", "--yes", "-o", "json"]);
        command.args(["--server", &fake.url]);
        if series == "retry" {
            command.args(["--rate", "1000000"]);
        }
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(74), "{series}: {told}");
        assert!(told.contains("stopped after"), "{series}: {told}");
    }
}
