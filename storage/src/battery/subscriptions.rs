//! MWI-03, MWI-07, MWI-10.

use std::time::Duration;

use super::bench::{Bench, Engine, MINUTE, address, letter};
use crate::config::{Provisioning, StoreConfig};
use crate::model::{
    Class, MailboxId, Notified, Order, Owner, SUBSCRIPTIONS_MAX, Sequence, Subscribe, Subscribed,
    Subscription, SubscriptionDialog, SubscriptionId, SubscriptionRefusal, Verb, WaitingQuestion,
};
use crate::store::Store;

fn owner(edge: &str) -> Owner {
    Owner {
        edge: edge.to_owned(),
        incarnation: 1,
    }
}

fn ask(tag: &str, cseq: u32) -> Subscribe {
    Subscribe {
        address: address("bob"),
        local_tag: tag.to_owned(),
        refreshes: cseq > 1,
        dialog: SubscriptionDialog {
            call_id: format!("call-{tag}"),
            remote_tag: "theirs".to_owned(),
            local: format!("<sip:bob@example.org>;tag={tag}"),
            remote: "<sip:bob@example.org>;tag=theirs".to_owned(),
            target: format!("sip:bob@192.0.2.{cseq}"),
            routes: vec!["<sip:core.example.org;lr>".to_owned()],
            remote_cseq: cseq,
        },
        event_id: String::new(),
        is_trusted: true,
        lifetime: 10 * MINUTE,
        owner: owner("edge-1"),
    }
}

async fn subscribe<E: Engine>(
    bench: &Bench<E>,
    ask: Subscribe,
) -> Result<Subscribed, SubscriptionRefusal> {
    let subscribed = bench.store().subscribe(ask).await;
    let subscribed = subscribed.expect("the store answers");
    subscribed.map(crate::store::Synced::into_inner)
}

/// Begins a subscription to the mailbox of Bob; its epoch.
pub(crate) async fn subscribed<E: Engine>(bench: &Bench<E>) -> u32 {
    bench.mail("bob").await;
    let subscribed = subscribe(bench, ask("a", 1)).await.expect("it is new");
    subscribed.subscription.epoch
}

async fn all<E: Engine>(bench: &Bench<E>) -> Vec<(MailboxId, Vec<Subscription>)> {
    let listed = bench.store().list_subscriptions(None, 100).await;
    listed.expect("the store answers")
}

fn id(subscribed: &Subscribed) -> SubscriptionId {
    SubscriptionId {
        mailbox: subscribed.mailbox,
        local_tag: subscribed.subscription.local_tag.clone(),
    }
}

pub(crate) async fn a_subscription_is_there_after_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    let new = subscribe(&bench, ask("a", 1)).await.expect("it is new");
    assert_eq!(new.subscription.epoch, 1);
    assert_eq!(new.remaining, 10 * MINUTE);
    let bench = bench.reopen().await;
    assert_eq!(all(&bench).await, [(new.mailbox, vec![new.subscription])]);
}

pub(crate) async fn a_refresh_moves_target_and_end_only<E: Engine>() {
    let bench = Bench::<E>::new();
    let new = subscribe(&bench, ask("a", 1)).await.expect("it is new");
    bench.clock.advance(MINUTE);
    let refresh = Subscribe {
        event_id: "other".to_owned(),
        ..ask("a", 2)
    };
    let refreshed = subscribe(&bench, refresh).await.expect("it is in order");
    assert_eq!(refreshed.subscription.dialog.target, "sip:bob@192.0.2.2");
    assert_eq!(refreshed.subscription.event_id, "");
    assert_eq!(refreshed.subscription.epoch, 1);
    assert_eq!(
        refreshed.subscription.expires_at,
        new.subscription.expires_at.after(MINUTE)
    );
}

pub(crate) async fn refreshes_out_of_order_or_of_nothing_are_refused<E: Engine>() {
    let bench = Bench::<E>::new();
    let unknown = subscribe(&bench, ask("a", 2)).await;
    assert_eq!(unknown, Err(SubscriptionRefusal::NoSubscription));
    subscribe(&bench, ask("a", 1)).await.expect("it is new");
    let again = subscribe(&bench, ask("a", 1)).await;
    assert_eq!(again, Err(SubscriptionRefusal::OutOfOrder));
    let mut stranger = ask("a", 2);
    stranger.dialog.remote_tag = "guessed".to_owned();
    let stranger = subscribe(&bench, stranger).await;
    assert_eq!(stranger, Err(SubscriptionRefusal::NoSubscription));
    bench.clock.advance(11 * MINUTE);
    let late = subscribe(&bench, ask("a", 2)).await;
    assert_eq!(late, Err(SubscriptionRefusal::NoSubscription));
}

pub(crate) async fn subscriptions_of_a_mailbox_are_bounded<E: Engine>() {
    let bench = Bench::<E>::new();
    for number in 0..SUBSCRIPTIONS_MAX {
        let new = subscribe(&bench, ask(&number.to_string(), 1)).await;
        assert!(new.is_ok(), "{number}");
    }
    let one_more = subscribe(&bench, ask("more", 1)).await;
    assert_eq!(one_more, Err(SubscriptionRefusal::TooMany));
}

pub(crate) async fn a_listed_store_subscribes_nobody_unknown<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        provisioning: Provisioning::Listed,
        ..StoreConfig::default()
    });
    let unknown = subscribe(&bench, ask("a", 1)).await;
    assert_eq!(unknown, Err(SubscriptionRefusal::UnknownUser));
    assert_eq!(all(&bench).await, []);
}

pub(crate) async fn every_owner_has_an_epoch_of_its_own<E: Engine>() {
    let bench = Bench::<E>::new();
    let new = subscribe(&bench, ask("a", 1)).await.expect("it is new");
    let id = id(&new);
    let adopted = bench
        .store()
        .adopt_subscription(id.clone(), owner("edge-2"))
        .await;
    let adopted = adopted.expect("the store answers").expect("it is there");
    assert_eq!(adopted.subscription.epoch, 2);
    assert_eq!(adopted.subscription.owner, owner("edge-2"));
    let told = Notified {
        version: 7,
        sequence: Sequence(7),
    };
    let both = vec![(id.clone(), 1, Notified::default()), (id.clone(), 2, told)];
    let remembered = bench.store().remember_notified(both).await;
    remembered.expect("the store answers");
    assert_eq!(all(&bench).await[0].1[0].notified, told);
    let old = bench.store().unsubscribe(id.clone(), 1).await;
    assert_eq!(old, Ok(None), "a predecessor ends nothing");
    let taken_back = Subscribe {
        owner: owner("edge-1"),
        ..ask("a", 2)
    };
    let taken_back = subscribe(&bench, taken_back).await.expect("it is in order");
    assert_eq!(taken_back.subscription.epoch, 3);
    let ended = bench.store().unsubscribe(id, 3).await;
    assert!(ended.expect("the store answers").is_some());
    assert_eq!(all(&bench).await, []);
}

pub(crate) async fn ended_subscriptions_are_swept_after_a_while<E: Engine>() {
    let bench = Bench::<E>::new();
    subscribe(&bench, ask("a", 1)).await.expect("it is new");
    let longer = Subscribe {
        lifetime: 20 * MINUTE,
        ..ask("b", 1)
    };
    subscribe(&bench, longer).await.expect("it is new");
    bench.clock.advance(10 * MINUTE);
    bench.sweep().await;
    assert_eq!(all(&bench).await[0].1.len(), 2, "its owner says goodbye");
    bench.clock.advance(MINUTE + Duration::from_secs(1));
    bench.sweep().await;
    assert_eq!(all(&bench).await[0].1.len(), 1);
    bench.clock.advance(20 * MINUTE);
    bench.sweep().await;
    assert_eq!(all(&bench).await, []);
}

pub(crate) async fn a_deleted_account_has_no_subscription<E: Engine>() {
    let bench = Bench::<E>::new();
    subscribe(&bench, ask("a", 1)).await.expect("it is new");
    let deleted = bench.store().delete_account(address("bob")).await;
    assert!(deleted.is_ok());
    assert_eq!(all(&bench).await, []);
}

pub(crate) async fn the_newest_undelivered_messages_are_named<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut numbers = Vec::new();
    for _ in 0..5 {
        numbers.push(bench.mail("bob").await);
    }
    let notification = crate::model::Deposit {
        class: Class::Imdn,
        ..letter("bob")
    };
    bench.accept(notification).await;
    let order = |verb| Order {
        verb,
        actor: "operator".to_owned(),
        reason: String::new(),
    };
    for (number, verb) in [(numbers[4], Verb::Delete), (numbers[3], Verb::Hold)] {
        let done = bench.store().carry_out(number, order(verb)).await;
        assert!(done.is_ok());
    }
    let mailbox = bench.mailbox("bob").await;
    let question = |after, messages| WaitingQuestion {
        mailbox,
        after,
        messages,
    };
    let nobody = WaitingQuestion {
        mailbox: MailboxId(99),
        ..question(Sequence::default(), 3)
    };
    let questions = vec![
        question(Sequence::default(), 3),
        nobody,
        question(Sequence(numbers[1].0), 9),
    ];
    let answers = bench.store().waiting(questions).await;
    let answers = answers.expect("the store answers");
    assert_eq!(answers[1], None);
    let news = answers[2].as_ref().map(|waiting| waiting.newest.len());
    assert_eq!(news, Some(2));
    let waiting = answers[0].as_ref().expect("it is there");
    assert_eq!(waiting.summary.text.new, 4);
    let newest = &waiting.newest;
    let found = newest.iter().map(|message| message.envelope.id.number);
    assert_eq!(
        found.collect::<Vec<_>>(),
        [numbers[3], numbers[2], numbers[1]]
    );
}

pub(crate) async fn changes_are_told_to_those_who_watch<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    let mailbox = bench.mailbox("bob").await;
    let watch = bench.store().watch();
    watch.add(mailbox);
    bench.mail("bob").await;
    bench.mail("carol").await;
    assert_eq!(watch.next(9).await, [mailbox]);
    let order = Order {
        verb: Verb::Delete,
        actor: "operator".to_owned(),
        reason: String::new(),
    };
    let deleted = bench.store().carry_out(first, order).await;
    assert!(deleted.is_ok());
    assert_eq!(watch.next(9).await, [mailbox]);
}

pub(crate) async fn a_subscription_to_a_later_alias_follows_the_account<E: Engine>() {
    let bench = Bench::<E>::new();
    let to_number = |cseq| Subscribe {
        address: address("15551234"),
        ..ask("a", cseq)
    };
    let new = subscribe(&bench, to_number(1)).await.expect("it is new");
    bench.mail("15551234").await;
    bench.mail("bob").await;
    let watch = bench.store().watch();
    watch.add(new.mailbox);
    let alias = bench.store().add_alias(address("bob"), address("15551234"));
    alias.await.expect("nobody owns it");
    assert_eq!(watch.next(9).await, [new.mailbox]);
    bench.mail("bob").await;
    assert_eq!(watch.next(9).await, [new.mailbox]);
    let question = WaitingQuestion {
        mailbox: new.mailbox,
        after: Sequence::default(),
        messages: 9,
    };
    let answers = bench.store().waiting(vec![question]).await;
    let waiting = answers.expect("the store answers").pop().flatten();
    let waiting = waiting.expect("it is there");
    assert_eq!(waiting.summary.mailbox, new.mailbox);
    assert_eq!(waiting.summary.text.new, 3);
    assert_eq!(waiting.newest.len(), 3);
    let refreshed = subscribe(&bench, to_number(2)).await;
    assert_eq!(refreshed.map(|known| known.mailbox), Ok(new.mailbox));
}
