//! PFM-09, REG-04, STO-12.

use super::bench::{
    Bench, EVERYTHING, Engine, MINUTE, START, address, by_msrp, letter, numbers, registration,
};
use super::uploads::octets;
use crate::config::{Provisioning, StoreConfig};
use crate::model::{
    Deposit, Entity, EntityTag, ListQuery, Publish, PublishChange, Refusal, Registration, Released,
    Sequence, Setting, SettingValues, Settled, State, Suspended, Suspension, Verb,
};
use crate::store::{Store, StoreError};
use crate::suspension::SuspensionStore;

fn listed<E: Engine>() -> Bench<E> {
    Bench::with(StoreConfig {
        provisioning: Provisioning::Listed,
        ..StoreConfig::default()
    })
}

async fn create<E: Engine>(bench: &Bench<E>, user: &str) {
    let made = bench.store().create_account(address(user)).await;
    made.expect("it is free");
}

pub(crate) async fn a_listed_store_knows_only_its_accounts<E: Engine>() {
    let bench = listed::<E>();
    assert_eq!(bench.refuse(letter("bob")).await, Refusal::UnknownUser);
    create(&bench, "bob").await;
    bench.mail("bob").await;
    assert_eq!(bench.refuse(letter("carol")).await, Refusal::UnknownUser);
    assert_eq!(bench.store().mailbox(address("carol")).await, Ok(None));
}

pub(crate) async fn a_provisioned_account_takes_over_what_mail_has_made<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let mailbox = bench.mailbox("bob").await;
    create(&bench, "bob").await;
    assert_eq!(bench.mailbox("bob").await, mailbox);
    let accounts = bench.store().list_accounts(None, 10).await;
    let accounts = accounts.expect("the store answers");
    assert_eq!(accounts.len(), 1);
    assert!(accounts[0].provisioned);
    assert_eq!(bench.store().account(mailbox).await, Ok(address("bob")));
}

pub(crate) async fn an_alias_leads_to_the_same_mailbox<E: Engine>() {
    let bench = listed::<E>();
    create(&bench, "bob").await;
    let added = bench
        .store()
        .add_alias(address("bob"), address("bobby"))
        .await;
    added.expect("it is free");
    let number = bench.mail("bobby").await;
    assert_eq!(bench.mailbox("bobby").await, bench.mailbox("bob").await);
    let bench = bench.reopen().await;
    assert_eq!(bench.deliver_all("bob").await, [number]);
}

pub(crate) async fn an_alias_of_somebody_else_is_refused<E: Engine>() {
    let bench = listed::<E>();
    create(&bench, "bob").await;
    create(&bench, "carol").await;
    let store = bench.store();
    let stolen = store.add_alias(address("bob"), address("carol")).await;
    assert_eq!(stolen, Err(StoreError::AddressTaken));
    store
        .add_alias(address("carol"), address("c"))
        .await
        .expect("it is free");
    let taken = store.create_account(address("c")).await;
    assert_eq!(taken, Err(StoreError::AddressTaken));
    let nobody = store.add_alias(address("nobody"), address("x")).await;
    assert_eq!(nobody, Err(StoreError::UnknownAccount));
}

pub(crate) async fn an_account_with_mail_is_not_deleted<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.mail("bob").await;
    let deleted = bench.store().delete_account(address("bob")).await;
    assert!(matches!(deleted, Err(StoreError::Precondition { .. })));
}

pub(crate) async fn a_deleted_account_is_forgotten_with_its_aliases<E: Engine>() {
    let bench = Bench::<E>::new();
    let registered = bench.register(Registration {
        aliases: vec![address("bobby")],
        ..registration("bob", "sip:a@1", 1)
    });
    let mailbox = registered.await.expect("it is new").mailbox;
    let mailbox = mailbox.expect("it has one");
    let store = bench.store();
    store
        .delete_account(address("bob"))
        .await
        .expect("it is empty");
    for user in ["bob", "bobby"] {
        assert_eq!(store.mailbox(address(user)).await, Ok(None));
    }
    assert_eq!(store.list_accounts(None, 10).await, Ok(Vec::new()));
    let left = store
        .registration(mailbox)
        .await
        .expect("the mailbox stays");
    assert!(left.bindings.is_empty());
    bench.mail("bob").await;
    assert_ne!(bench.mailbox("bob").await, mailbox);
}

pub(crate) async fn a_removed_alias_leads_nowhere<E: Engine>() {
    let bench = listed::<E>();
    create(&bench, "bob").await;
    let store = bench.store();
    store
        .add_alias(address("bob"), address("bobby"))
        .await
        .expect("it is free");
    store
        .remove_alias(address("bobby"))
        .await
        .expect("it is an alias");
    assert_eq!(bench.refuse(letter("bobby")).await, Refusal::UnknownUser);
    let own = store.remove_alias(address("bob")).await;
    assert!(matches!(own, Err(StoreError::Precondition { .. })));
}

pub(crate) async fn accounts_are_listed_page_by_page<E: Engine>() {
    let bench = listed::<E>();
    for user in ["bob", "carol", "dave"] {
        create(&bench, user).await;
    }
    let first = bench.store().list_accounts(None, 2).await;
    let first = first.expect("the store answers");
    assert_eq!(first.len(), 2);
    let after = first.last().map(|account| account.mailbox);
    let second = bench.store().list_accounts(after, 2).await;
    let second = second.expect("the store answers");
    assert_eq!(second.len(), 1);
    assert_eq!(second[0].address, address("dave"));
}

/// Bob's number has had mail before his first REGISTER says that it is his.
async fn bob_learns_his_number<E: Engine>() -> (Bench<E>, Vec<u64>) {
    let bench = Bench::<E>::new();
    let to_number = bench.mail("15551234").await.0;
    let to_bob = bench.mail("bob").await.0;
    let both = Registration {
        aliases: vec![address("15551234")],
        ..registration("bob", "sip:a@1", 1)
    };
    let registered = bench.register(both).await.expect("it is new");
    assert!(registered.refused_aliases.is_empty());
    assert!(registered.has_waiting);
    let later = bench.mail("15551234").await.0;
    (bench, vec![to_number, to_bob, later])
}

pub(crate) async fn mail_to_a_later_alias_joins_the_account<E: Engine>() {
    let (bench, expected) = bob_learns_his_number::<E>().await;
    let bench = bench.reopen().await;
    let mailbox = bench.mailbox("bob").await;
    assert_eq!(bench.mailbox("15551234").await, mailbox);
    let summary = bench.store().summary(mailbox).await.expect("it is there");
    assert_eq!(summary.text.new, 3);
    assert_eq!(summary.last_sequence, Sequence(expected[2]));
    let query = ListQuery {
        served_user: Some(address("15551234")),
        page_size: 2,
        ..ListQuery::default()
    };
    let page = bench
        .store()
        .list(query.clone())
        .await
        .expect("the store answers");
    let rest = ListQuery {
        page_token: page.next,
        ..query
    };
    let rest = bench.store().list(rest).await.expect("the store answers");
    let listed = page.messages.iter().chain(&rest.messages);
    let listed: Vec<_> = listed.map(|m| m.envelope.id.number.0).collect();
    assert_eq!(listed, expected);
}

pub(crate) async fn joined_mail_is_delivered_in_one_run<E: Engine>() {
    let (bench, expected) = bob_learns_his_number::<E>().await;
    let claim = bench.claim("bob").await;
    let taken = bench.take(claim, EVERYTHING).await;
    let taken = numbers(&taken);
    assert_eq!(taken.iter().map(|n| n.0).collect::<Vec<_>>(), expected);
    assert_eq!(bench.release(claim, 0).await, Released::LookAgain);
    for number in taken {
        assert_eq!(bench.delivered(claim, number).await, Settled::Settled);
    }
    assert_eq!(bench.release(claim, expected[2]).await, Released::Released);
}

pub(crate) async fn a_joined_member_is_listed_with_its_account_only<E: Engine>() {
    let (bench, _) = bob_learns_his_number::<E>().await;
    bench.mail("carol").await;
    let bench = bench.reopen().await;
    let (bob, carol) = (bench.mailbox("bob").await, bench.mailbox("carol").await);
    let accounts = bench.store().list_accounts(None, 10).await;
    let accounts = accounts.expect("the store answers");
    let listed: Vec<_> = accounts
        .iter()
        .map(|it| (it.mailbox, &it.address))
        .collect();
    assert_eq!(listed, [(bob, &address("bob")), (carol, &address("carol"))]);
    assert_eq!(accounts[0].aliases, [address("15551234")]);
    // Page by page it is the same list, whatever lies between.
    let first = bench.store().list_accounts(None, 1).await;
    assert_eq!(first.as_deref(), Ok(&accounts[..1]));
    let second = bench.store().list_accounts(Some(bob), 1).await;
    assert_eq!(second.as_deref(), Ok(&accounts[1..]));
}

pub(crate) async fn an_erased_account_leaves_nothing<E: Engine>() {
    let bench = Bench::<E>::new();
    let delivered = bench.mail("bob").await;
    bench.deliver_all("bob").await;
    bench
        .register(registration("bob", "sip:a@1", 1))
        .await
        .expect("it is new");
    let store = bench.store();
    let member = bench.mail("bobby").await;
    store
        .add_alias(address("bob"), address("bobby"))
        .await
        .expect("nobody has it");
    let suspension = Suspension {
        target: Suspended::User(address("bobby")),
        since: START,
        until: START.after(MINUTE),
        actor: "operator".to_owned(),
        reason: "loops".to_owned(),
    };
    store.suspend(suspension).await.expect("there is room");
    let held = bench.mail("bob").await;
    bench.order(held, Verb::Hold).await.expect("it waits");
    let large = bench
        .uploaded("bob", "m-1", &octets(700_000))
        .await
        .id
        .number;
    let of_carol = bench.mail("carol").await;
    let erase = |user: &str| {
        let erased = store.erase_account(address(user), "operator".to_owned(), String::new());
        async move { erased.await.map(crate::store::Synced::into_inner) }
    };
    assert!(matches!(
        erase("bobby").await,
        Err(StoreError::Precondition { .. })
    ));
    assert_eq!(erase("nobody").await, Err(StoreError::UnknownAccount));
    let claim = bench.claim("bob").await;
    assert_eq!(bench.take_numbers(claim).await.len(), 2);
    assert_eq!(erase("bob").await, Ok(4));
    for number in [delivered, member, held, large] {
        assert_eq!(store.message(number).await, Err(StoreError::NotFound));
        assert_eq!(store.timeline(number).await, Err(StoreError::NotFound));
    }
    let late = store.acknowledge(claim, large, by_msrp()).await;
    let late = late.map(crate::store::Synced::into_inner);
    assert_eq!(late, Ok(Settled::Unknown(large)));
    let again = erase("bob").await;
    assert_eq!(again, Err(StoreError::UnknownAccount));
    assert_eq!(store.suspensions().await, Ok(Vec::new()));
    let left = store.list(ListQuery::default()).await.expect("it reads");
    let left: Vec<_> = left.messages.iter().map(|m| m.envelope.id.number).collect();
    assert_eq!(left, [of_carol]);
    let accounts = store.list_accounts(None, 10).await.expect("it reads");
    assert_eq!(accounts.len(), 1);
    // Somebody new gets the address.
    let new = bench.mail("bob").await;
    assert_eq!(bench.deliver_all("bob").await, [new]);
    let bench = bench.reopen().await;
    assert_eq!(bench.deliver_all("carol").await, [of_carol]);
}

/// What a member has said before it was one does not keep the store from ending other things.
pub(crate) async fn settings_of_a_member_go_with_the_account<E: Engine>() {
    let bench = Bench::<E>::new();
    let store = bench.store();
    let values = SettingValues::default().with(Setting::MessageBarring, true);
    let id = "urn:uuid:1".to_owned();
    let said = store.publish(Publish {
        served_user: address("bobby"),
        publisher: address("bobby"),
        change: PublishChange::Initial(vec![Entity { id, values }]),
        lifetime: MINUTE,
        tag: EntityTag(1),
    });
    said.await.expect("the store answers").expect("he may");
    bench.mail("bob").await;
    let joined = store.add_alias(address("bob"), address("bobby")).await;
    joined.expect("nobody owns it");
    let erased = store.erase_account(address("bob"), String::new(), String::new());
    erased.await.expect("the store answers");
    let carols = bench
        .accept(Deposit {
            lifetime: Some(2 * MINUTE),
            ..letter("carol")
        })
        .await;
    bench.clock.advance(3 * MINUTE);
    bench.sweep().await;
    let carols = store.message(carols.id.number).await;
    assert_eq!(carols.map(|found| found.state), Ok(State::Expired));
}
