//! `summary`.

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::mailbox;

fn service() -> State {
    let mailboxes = [("sip:bob@example.org".to_owned(), mailbox())].into();
    State {
        mailboxes,
        ..State::default()
    }
}

#[test]
fn json_document_is_stable() {
    let fake = Fake::start(service());
    restantectl("summary bob@example.org -o json")
        .at(&fake)
        .well()
        .golden("summary.json");
}

#[test]
fn people_read_counters_and_bindings() {
    let fake = Fake::start(service());
    restantectl("summary bob@example.org")
        .at(&fake)
        .well()
        .golden("summary.txt");
}

#[test]
fn a_user_without_a_mailbox_is_not_found() {
    let fake = Fake::start(service());
    restantectl("summary carol@example.org")
        .at(&fake)
        .code(1)
        .says("no mailbox");
}
