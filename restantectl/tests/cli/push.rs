//! `push`.

use proto::v1::suspension::Target;
use proto::v1::{
    DeliveryPhase, DeliveryPlan, GetMessageReply, Message, MessageState, PushMailboxReply,
    PushPlan, Suspension,
};
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::{at, mailbox, message, reply};

fn service() -> State {
    let plans = [
        ("sip:a@h", PushPlan::Started, 3),
        ("sip:b@h", PushPlan::Joined, 2),
        ("sip:c@h", PushPlan::NothingWaiting, 0),
        ("sip:d@h", PushPlan::NotRegistered, 4),
    ];
    let replies = plans.map(|(user, plan, waiting)| {
        (
            user.to_owned(),
            PushMailboxReply {
                plan: plan.into(),
                waiting,
            },
        )
    });
    State {
        pushes: replies.into(),
        ..State::default()
    }
}

#[test]
fn each_plan_is_told_to_people() {
    let fake = Fake::start(service());
    let ran = restantectl("push a@h b@h c@h").at(&fake).well();
    let lines = "sip:a@h: push started, 3 waiting\n\
                 sip:b@h: a push is running and looks again, 2 waiting\n\
                 sip:c@h: nothing waits\n";
    assert_eq!(ran.text(), lines);
    assert!(fake.state().pushed.iter().all(|push| !push.force));
}

#[test]
fn json_document_is_stable() {
    let fake = Fake::start(service());
    restantectl("push a@h d@h unknown@h -o json")
        .at(&fake)
        .code(1)
        .golden("push.json");
}

#[test]
fn a_user_who_is_not_registered_is_a_failure_that_names_the_way() {
    let fake = Fake::start(service());
    let ran = restantectl("push d@h")
        .at(&fake)
        .code(1)
        .says("sip:d@h: not registered");
    ran.says("--force");
}

#[test]
fn force_is_asked_for() {
    let fake = Fake::start(service());
    restantectl("push a@h --force").at(&fake).well();
    assert!(fake.state().pushed[0].force);
}

#[test]
fn users_of_listed_messages_are_pushed_once() {
    let fake = Fake::start(service());
    let records = "{\"message_id\":\"1@h\",\"served_user\":\"sip:a@h\"}\n".repeat(3);
    restantectl("push -").input(records).at(&fake).well();
    assert_eq!(fake.state().pushed.len(), 1);
}

#[test]
fn no_edge_is_the_failure_of_that_user_only() {
    let refusal = Status::failed_precondition("no edge is attached");
    let fake = Fake::start(service().refuse("sip:a@h", refusal));
    let ran = restantectl("push a@h b@h").at(&fake).code(1);
    assert!(
        ran.says("sip:a@h: no edge is attached")
            .text()
            .starts_with("sip:b@h: ")
    );
}

fn plan(waiting: u64) -> DeliveryPlan {
    DeliveryPlan {
        phase: DeliveryPhase::Idle.into(),
        bindings: mailbox().bindings,
        reachable: true,
        offline_delivery: true,
        mode: "auto".to_owned(),
        edges: 1,
        waiting,
        ..DeliveryPlan::default()
    }
}

fn unregistered() -> DeliveryPlan {
    DeliveryPlan {
        bindings: Vec::new(),
        reachable: false,
        ..plan(2)
    }
}

/// A message that waits, and one that is held.
fn waiting() -> Vec<GetMessageReply> {
    let held = Message {
        state: MessageState::Held.into(),
        deliver_after: at(3_600),
        ..message(2)
    };
    vec![reply(message(1)), reply(held)]
}

fn planned(user: &str, plan: DeliveryPlan) -> State {
    State {
        messages: waiting(),
        plans: [(user.to_owned(), plan)].into(),
        ..State::default()
    }
}

#[test]
fn a_dry_run_pushes_nothing_and_foresees_the_plan() {
    let plans = [
        ("sip:a@h", plan(2)),
        ("sip:b@h", unregistered()),
        ("sip:c@h", plan(0)),
    ];
    let plans = plans.map(|(user, plan)| (user.to_owned(), plan));
    let fake = Fake::start(State {
        plans: plans.into(),
        messages: waiting(),
        ..service()
    });
    let run = restantectl("push a@h b@h c@h unknown@h --dry-run -o json");
    run.at(&fake).code(1).golden("push-dry-run.json");
    restantectl("push b@h --dry-run --force").at(&fake).well();
    assert!(fake.state().pushed.is_empty());
}

#[test]
fn a_dry_run_names_what_is_held_and_which_pause_it_ends() {
    let paused = DeliveryPlan {
        phase: DeliveryPhase::Waiting.into(),
        tries: 2,
        due_at: at(60),
        ..plan(2)
    };
    let fake = Fake::start(planned("sip:a@h", paused));
    let text = restantectl("push a@h --dry-run").at(&fake).well().text();
    let expected = "sip:a@h: would push, 2 waiting, without the pause until 2026-08-23T10:01:00.250Z after 2 failed \
                    tries\n  2@store.example: would be kept back: it is held until 2026-08-23T11:00:00.250Z\n";
    assert_eq!(text, expected);
}

#[test]
fn a_dry_run_names_what_keeps_everything_back() {
    let suspended = Suspension {
        until: at(600),
        target: Some(Target::Domain("h".to_owned())),
        ..Suspension::default()
    };
    let obstacles = [
        (
            "suspension",
            "deliveries to h are suspended until 2026-08-23T10:10:00.250Z",
            DeliveryPlan {
                suspension: Some(suspended),
                ..plan(2)
            },
        ),
        ("registration", "not registered", unregistered()),
        (
            "client",
            "no registered client takes what delivery.mode = auto sends",
            DeliveryPlan {
                reachable: false,
                ..plan(2)
            },
        ),
        (
            "setting",
            "has switched offline delivery off",
            DeliveryPlan {
                offline_delivery: false,
                ..plan(2)
            },
        ),
        (
            "edge",
            "no edge is attached",
            DeliveryPlan {
                edges: 0,
                ..plan(2)
            },
        ),
    ];
    for (by, why, plan) in obstacles {
        let fake = Fake::start(planned("sip:a@h", plan));
        let run = restantectl("push a@h --dry-run -o jsonl").at(&fake).code(1);
        let records = run.says(why).records();
        let messages = &records[0]["messages"];
        assert_eq!(messages[0]["kept_back"][0]["by"], by);
        let held = [&messages[1]["kept_back"][0], &messages[1]["kept_back"][1]];
        assert_eq!(held.map(|it| it["by"].as_str()), [Some("hold"), Some(by)]);
    }
}

#[test]
fn who_has_switched_pushes_off_is_a_failure_that_names_the_way() {
    let reply = PushMailboxReply {
        plan: PushPlan::SwitchedOff.into(),
        waiting: 2,
    };
    let fake = Fake::start(State {
        pushes: [("sip:a@h".to_owned(), reply)].into(),
        ..State::default()
    });
    let ran = restantectl("push a@h").at(&fake).code(1);
    ran.says("switched offline delivery off").says("--force");
}
