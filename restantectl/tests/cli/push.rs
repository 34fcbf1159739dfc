//! `push`.

use proto::v1::{Mailbox, PushMailboxReply, PushPlan};
use tonic::Status;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::mailbox;

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

#[test]
fn a_dry_run_pushes_nothing_and_foresees_the_plan() {
    let offline = Mailbox {
        bindings: Vec::new(),
        ..mailbox()
    };
    let empty = Mailbox {
        text: None,
        multimedia: None,
        imdn: 0,
        ..mailbox()
    };
    let mailboxes = [
        ("sip:a@h", mailbox()),
        ("sip:b@h", offline),
        ("sip:c@h", empty),
    ];
    let mailboxes = mailboxes
        .map(|(user, mailbox)| (user.to_owned(), mailbox))
        .into();
    let fake = Fake::start(State {
        mailboxes,
        ..service()
    });
    let run = restantectl("push a@h b@h c@h unknown@h --dry-run -o json");
    run.at(&fake).code(1).golden("push-dry-run.json");
    restantectl("push b@h --dry-run --force").at(&fake).well();
    assert!(fake.state().pushed.is_empty());
}
