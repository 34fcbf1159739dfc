//! `dead`.

use proto::v1::MessageState;

use crate::fake::{Fake, State};
use crate::run::restantectl;
use crate::sample::in_state;

/// A message that waits and a dead letter.
fn service() -> State {
    let states = [MessageState::Stored, MessageState::Refused];
    let messages = (1..).zip(states);
    State {
        messages: messages
            .map(|(number, state)| in_state(number, state))
            .collect(),
        ..State::default()
    }
}

#[test]
fn only_dead_letters_are_dropped_and_delivered_again() {
    for (command, order) in [("dead drop", "delete"), ("dead redeliver", "redeliver")] {
        let fake = Fake::start(service());
        let both = format!("{command} 1@store.example 2@store.example");
        restantectl(&both)
            .arg("--dry-run")
            .at(&fake)
            .code(1)
            .says("1@store.example: cannot")
            .says("it is no dead letter");
        assert!(fake.state().orders.is_empty());
        let ran = restantectl(&both)
            .arg_list("--yes -o json")
            .at(&fake)
            .code(1);
        let document = ran.json();
        assert_eq!(
            document["results"][0]["error"]["code"],
            "failed_precondition"
        );
        assert_eq!(document["results"][1]["outcome"], "done");
        let orders = fake.state().orders.clone();
        let orders: Vec<_> = orders
            .iter()
            .map(|(it, to)| (*it, &*to.message_id))
            .collect();
        assert_eq!(orders, [(order, "2@store.example")]);
    }
}

#[test]
fn other_states_are_no_filter_of_dead_letters() {
    let fake = Fake::start(service());
    for command in ["dead list", "dead drop --yes", "dead redeliver --yes"] {
        let run = restantectl(command).arg_list("--state stored,refused");
        run.at(&fake).code(64).says("in state refused");
    }
    assert!(fake.state().orders.is_empty());
    restantectl("dead list --state refused").at(&fake).well();
    assert_eq!(
        fake.state().lists.remove(0).states,
        [i32::from(MessageState::Refused)]
    );
}
