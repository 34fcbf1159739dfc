//! `status`.

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::status;

#[test]
fn json_document_is_stable() {
    let fake = Fake::start(State {
        status: status(),
        ..State::default()
    });
    restantectl("status -o json")
        .at(&fake)
        .well()
        .golden("status.json");
}

#[test]
fn people_read_it_at_a_glance() {
    let fake = Fake::start(State {
        status: status(),
        ..State::default()
    });
    restantectl("status").at(&fake).well().golden("status.txt");
}

#[test]
fn a_service_that_is_not_ready_ends_with_one() {
    let conditions = vec!["the store is latched".to_owned()];
    let status = proto::v1::Status {
        ready: false,
        conditions,
        edges: Vec::new(),
        ..status()
    };
    let fake = Fake::start(State {
        status,
        ..State::default()
    });
    let ran = restantectl("status")
        .at(&fake)
        .code(1)
        .says("the service is not ready");
    assert!(ran.text().contains("Condition:  the store is latched\n"));
    assert!(ran.text().contains("No edge is attached"));
}
