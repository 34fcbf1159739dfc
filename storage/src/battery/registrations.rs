//! REG-03..05, DLV-17.

use std::time::Duration;

use super::bench::{Bench, Engine, MINUTE, START, address, binding, registration};
use crate::config::{Provisioning, StoreConfig};
use crate::model::{Binding, BindingChange, Registered, Registration, RegistrationRefusal};
use crate::store::Store;

fn contacts(registered: &Registered) -> Vec<&str> {
    let bindings = registered.bindings.iter();
    bindings.map(|binding| binding.contact.as_str()).collect()
}

fn with(changes: Vec<BindingChange>, cseq: u32) -> Registration {
    Registration {
        changes,
        ..registration("bob", "", cseq)
    }
}

async fn current<E: Engine>(bench: &Bench<E>) -> Registered {
    let mailbox = bench.mailbox("bob").await;
    let registered = bench.store().registration(mailbox).await;
    registered.expect("it is there")
}

async fn bob_has<E: Engine>(bench: &Bench<E>, devices: &[&str]) {
    for (cseq, contact) in (1..).zip(devices) {
        let registered = bench.register(registration("bob", contact, cseq)).await;
        registered.expect("it is in order");
    }
}

pub(crate) async fn bindings_are_kept_in_order_and_end<E: Engine>() {
    let bench = Bench::<E>::new();
    bob_has(&bench, &["sip:a@1", "sip:b@2"]).await;
    let refreshed = bench.register(registration("bob", "sip:a@1", 3)).await;
    let refreshed = refreshed.expect("it is in order");
    assert_eq!(contacts(&refreshed), ["sip:a@1", "sip:b@2"]);
    bench.clock.advance(60 * MINUTE);
    bench.sweep().await;
    assert!(current(&bench).await.bindings.is_empty());
}

pub(crate) async fn bindings_survive_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    bob_has(&bench, &["sip:a@1", "sip:b@2"]).await;
    let before = current(&bench).await;
    let bench = bench.reopen().await;
    assert_eq!(current(&bench).await, before);
}

pub(crate) async fn an_older_cseq_is_refused<E: Engine>() {
    let bench = Bench::<E>::new();
    bob_has(&bench, &["sip:a@1"]).await;
    let out_of_order = Err(RegistrationRefusal::OutOfOrder);
    let same = bench.register(registration("bob", "sip:a@1", 1)).await;
    assert_eq!(same, out_of_order);
    let all = bench
        .register(with(vec![BindingChange::UnbindAll], 1))
        .await;
    assert_eq!(all, out_of_order);
    let restarted = Registration {
        call_id: "another".to_owned(),
        ..registration("bob", "sip:a@1", 1)
    };
    assert!(bench.register(restarted).await.is_ok());
}

pub(crate) async fn the_eleventh_binding_is_refused<E: Engine>() {
    let bench = Bench::<E>::new();
    let devices: Vec<_> = (0..10).map(|device| format!("sip:d{device}@1")).collect();
    let devices: Vec<_> = devices.iter().map(String::as_str).collect();
    bob_has(&bench, &devices).await;
    let eleventh = bench.register(registration("bob", "sip:d10@1", 99)).await;
    assert_eq!(eleventh, Err(RegistrationRefusal::TooManyBindings));
    assert_eq!(current(&bench).await.bindings.len(), 10);
}

pub(crate) async fn the_same_instance_replaces_its_binding<E: Engine>() {
    let bench = Bench::<E>::new();
    let device = |contact, cseq| {
        let binding = Binding {
            instance: "<urn:uuid:1>".to_owned(),
            reg_id: 1,
            ..binding("bob", contact, cseq)
        };
        with(vec![BindingChange::Bind(binding)], cseq)
    };
    bench
        .register(device("sip:a@1", 1))
        .await
        .expect("it is new");
    let moved = bench.register(device("sip:a@2", 2)).await;
    assert_eq!(contacts(&moved.expect("it is in order")), ["sip:a@2"]);
}

pub(crate) async fn a_refused_register_changes_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    bob_has(&bench, &["sip:a@1"]).await;
    let before = current(&bench).await;
    let mixed = with(
        vec![
            BindingChange::Bind(binding("bob", "sip:new@1", 1)),
            BindingChange::Bind(binding("bob", "sip:a@1", 1)),
        ],
        1,
    );
    assert!(bench.register(mixed).await.is_err());
    assert_eq!(current(&bench).await, before);
}

pub(crate) async fn unbind_all_ends_every_binding<E: Engine>() {
    let bench = Bench::<E>::new();
    bob_has(&bench, &["sip:a@1", "sip:b@2", "sip:c@3"]).await;
    let one = BindingChange::Unbind {
        contact: "sip:b@2".to_owned(),
        instance: String::new(),
        reg_id: 0,
    };
    let left = bench.register(with(vec![one], 4)).await;
    assert_eq!(
        contacts(&left.expect("it is in order")),
        ["sip:a@1", "sip:c@3"]
    );
    let none = bench
        .register(with(vec![BindingChange::UnbindAll], 5))
        .await;
    assert!(none.expect("it is in order").bindings.is_empty());
    assert!(current(&bench).await.bindings.is_empty());
}

pub(crate) async fn a_query_changes_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    bob_has(&bench, &["sip:a@1"]).await;
    let asked = bench.register(with(vec![BindingChange::Query], 1)).await;
    assert_eq!(asked, Ok(current(&bench).await));
}

pub(crate) async fn asking_for_an_unknown_user_makes_no_account<E: Engine>() {
    let bench = Bench::<E>::new();
    for change in [BindingChange::Query, BindingChange::UnbindAll] {
        let asked = bench.register(with(vec![change], 1)).await;
        assert_eq!(asked.expect("it is in order").mailbox, None);
    }
    assert_eq!(bench.store().mailbox(address("bob")).await, Ok(None));
    let listed = Bench::<E>::with(StoreConfig {
        provisioning: Provisioning::Listed,
        ..StoreConfig::default()
    });
    let refused = listed.register(registration("bob", "sip:a@1", 1)).await;
    assert_eq!(refused, Err(RegistrationRefusal::UnknownUser));
}

pub(crate) async fn a_registration_says_whether_something_waits<E: Engine>() {
    let bench = Bench::<E>::new();
    let waits = async |cseq| {
        let registered = bench.register(registration("bob", "sip:a@1", cseq)).await;
        registered.expect("it is in order").has_waiting
    };
    assert!(!waits(1).await);
    bench.mail("bob").await;
    assert!(waits(2).await);
    bench.deliver_all("bob").await;
    assert!(!waits(3).await);
}

pub(crate) async fn aliases_of_others_are_not_taken<E: Engine>() {
    let bench = Bench::<E>::new();
    let carol = bench.register(registration("carol", "sip:c@1", 1)).await;
    let carol = carol.expect("it is new").mailbox;
    let greedy = Registration {
        aliases: vec![address("bob-work"), address("carol")],
        ..registration("bob", "sip:a@1", 1)
    };
    let bob = bench.register(greedy).await.expect("it is new");
    assert_eq!(bob.refused_aliases, [address("carol")]);
    assert_eq!(Some(bench.mailbox("bob-work").await), bob.mailbox);
    assert_eq!(Some(bench.mailbox("carol").await), carol);
}

pub(crate) async fn reachable_mailboxes_are_found_page_by_page<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut expected = Vec::new();
    for user in ["bob", "carol", "dave", "erin"] {
        let registered = bench.register(registration(user, "sip:a@1", 1)).await;
        expected.extend(registered.expect("it is new").mailbox);
        bench.mail(user).await;
    }
    bench.mail("offline").await;
    bench
        .register(registration("idle", "sip:i@1", 1))
        .await
        .expect("it is new");
    let bench = bench.reopen().await;
    let page = async |after, limit| {
        let found = bench.store().reachable_with_waiting(after, limit).await;
        found.expect("the store answers")
    };
    let first = page(None, 3).await;
    assert_eq!(first, expected[..3]);
    assert_eq!(page(first.last().copied(), 3).await, expected[3..]);
    bench.clock.jump_to(START.after(Duration::from_secs(3_600)));
    assert!(page(None, 10).await.is_empty());
}
