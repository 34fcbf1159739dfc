//! MWI-09, CT-STO-07; lists and summaries.

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, START, address, deposit_to, failed, letter};
use crate::model::{
    Address, Class, Deposit, ListPage, ListQuery, MailboxId, MailboxSummary, MessageCount,
    MessageNumber, Priority, State, UnixMillis, Verb,
};
use crate::store::{Store, StoreError};

fn ids(page: &ListPage) -> Vec<MessageNumber> {
    page.messages.iter().map(|m| m.envelope.id.number).collect()
}

async fn list<E: Engine>(bench: &Bench<E>, query: ListQuery) -> ListPage {
    let query = ListQuery {
        page_size: query.page_size.max(100),
        ..query
    };
    bench.store().list(query).await.expect("the store answers")
}

async fn summary<E: Engine>(bench: &Bench<E>, user: &str) -> MailboxSummary {
    let summary = bench.store().summary(bench.mailbox(user).await).await;
    summary.expect("it is there")
}

pub(crate) async fn a_mailbox_lists_in_order<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await;
    bench.mail("carol").await;
    let second = bench.mail("bob").await;
    let query = |user| ListQuery {
        served_user: Some(address(user)),
        ..ListQuery::default()
    };
    let page = list(&bench, query("bob")).await;
    assert_eq!(ids(&page), [first, second]);
    assert_eq!(page.next, None);
    assert!(list(&bench, query("nobody")).await.messages.is_empty());
}

pub(crate) async fn everybody_lists_in_the_order_of_ids<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut expected = Vec::new();
    for user in ["carol", "bob", "dave", "bob"] {
        expected.push(bench.mail(user).await);
    }
    let page = list(&bench, ListQuery::default()).await;
    assert_eq!(ids(&page), expected);
}

pub(crate) async fn every_filter_filters<E: Engine>() {
    let bench = Bench::<E>::new();
    let plain = bench.mail("bob").await;
    let from_mallory = Deposit {
        sender: Some(address("mallory")),
        ..letter("bob")
    };
    let from_mallory = bench.accept(from_mallory).await.id.number;
    bench.clock.advance(MINUTE);
    let imdn = Deposit {
        class: Class::Imdn,
        ..letter("bob")
    };
    let imdn = bench.accept(imdn).await.id.number;
    bench.order(plain, Verb::Hold).await.expect("it waits");
    let later = Some(START.after(MINUTE));
    let queries = [
        (
            ListQuery {
                sender: Some(address("mallory")),
                ..ListQuery::default()
            },
            from_mallory,
        ),
        (
            ListQuery {
                states: vec![State::Held, State::Delivered],
                ..ListQuery::default()
            },
            plain,
        ),
        (
            ListQuery {
                class: Some(Class::Imdn),
                ..ListQuery::default()
            },
            imdn,
        ),
        (
            ListQuery {
                received_from: later,
                ..ListQuery::default()
            },
            imdn,
        ),
        (
            ListQuery {
                received_until: later,
                sender: Some(address("mallory")),
                ..ListQuery::default()
            },
            from_mallory,
        ),
    ];
    for (query, expected) in queries {
        assert_eq!(
            ids(&list(&bench, query.clone()).await),
            [expected],
            "{query:?}"
        );
    }
    let before = ListQuery {
        received_until: Some(UnixMillis(START.0)),
        ..ListQuery::default()
    };
    assert!(list(&bench, before).await.messages.is_empty());
}

pub(crate) async fn messages_are_found_by_size_domain_and_failure<E: Engine>() {
    let bench = Bench::<E>::new();
    let short = deposit_to("bob", "short", "Hi");
    let short = bench.accept(short).await.id.number;
    let long = deposit_to("bob", "long", &"long ".repeat(50));
    let long = bench.accept(long).await.id.number;
    let abroad = Deposit {
        served_user: Address::new("sip:carol@Example.NET"),
        ..letter("carol")
    };
    let abroad = bench.accept(abroad).await.id.number;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.settle(claim, short, failed(false)).await;
    let all = ListQuery::default;
    let queries = [
        (
            ListQuery {
                max_octets: Some(2),
                ..all()
            },
            short,
        ),
        (
            ListQuery {
                min_octets: Some(250),
                ..all()
            },
            long,
        ),
        (
            ListQuery {
                domain: Some("example.net".to_owned()),
                ..all()
            },
            abroad,
        ),
        (
            ListQuery {
                error: Some("msrp 41".to_owned()),
                ..all()
            },
            short,
        ),
        (
            ListQuery {
                min_attempts: 1,
                ..all()
            },
            short,
        ),
    ];
    for (query, expected) in queries {
        let found = list(&bench, query.clone()).await;
        assert_eq!(ids(&found), [expected], "{query:?}");
    }
}

pub(crate) async fn pages_join_without_gap_or_overlap<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut expected = Vec::new();
    for _ in 0..7 {
        expected.push(bench.mail("bob").await);
    }
    bench
        .order(expected[2], Verb::Delete)
        .await
        .expect("it waits");
    for served_user in [None, Some(address("bob"))] {
        let mut found = Vec::new();
        let mut pages = 0;
        let mut token = None;
        loop {
            let query = ListQuery {
                served_user: served_user.clone(),
                page_size: 3,
                page_token: token,
                ..ListQuery::default()
            };
            let page = bench.store().list(query).await.expect("the store answers");
            found.extend(ids(&page));
            pages += 1;
            token = page.next;
            if token.is_none() {
                break;
            }
        }
        assert_eq!((found, pages), (expected.clone(), 3));
    }
}

pub(crate) async fn unknown_messages_are_not_found<E: Engine>() {
    let bench = Bench::<E>::new();
    let nothing = MessageNumber(1);
    assert_eq!(
        bench.store().message(nothing).await,
        Err(StoreError::NotFound)
    );
    assert_eq!(
        bench.store().timeline(nothing).await,
        Err(StoreError::NotFound)
    );
    let nowhere = MailboxId(77);
    assert_eq!(
        bench.store().summary(nowhere).await,
        Err(StoreError::NotFound)
    );
    assert_eq!(
        bench.store().account(nowhere).await,
        Err(StoreError::NotFound)
    );
    assert_eq!(
        bench.store().registration(nowhere).await,
        Err(StoreError::NotFound)
    );
}

pub(crate) async fn summaries_count_by_kind_and_priority<E: Engine>() {
    let bench = Bench::<E>::new();
    let deposits = [
        letter("bob"),
        Deposit {
            priority: Priority::Urgent,
            ..letter("bob")
        },
        Deposit {
            is_text: false,
            priority: Priority::Emergency,
            ..letter("bob")
        },
        Deposit {
            class: Class::Imdn,
            ..letter("bob")
        },
    ];
    let mut octets = 0;
    for deposit in deposits {
        octets += deposit.parts[0].octets.len() as u64;
        bench.accept(deposit).await;
    }
    let bench = bench.reopen().await;
    let summary = summary(&bench, "bob").await;
    let new = |new, new_urgent| MessageCount {
        new,
        new_urgent,
        ..MessageCount::default()
    };
    assert_eq!(summary.text, new(2, 1));
    assert_eq!(summary.multimedia, new(1, 1));
    assert_eq!((summary.imdn, summary.octets), (1, octets));
}

pub(crate) async fn delivered_and_retained_messages_are_old<E: Engine>() {
    let bench = Bench::<E>::new();
    let urgent = Deposit {
        priority: Priority::Urgent,
        ..letter("bob")
    };
    let urgent = bench.accept(urgent).await.id.number;
    let deleted = bench.mail("bob").await;
    bench.order(deleted, Verb::Delete).await.expect("it waits");
    bench.deliver_all("bob").await;
    let old = MessageCount {
        old: 1,
        old_urgent: 1,
        ..MessageCount::default()
    };
    let counted = summary(&bench, "bob").await;
    assert_eq!((counted.text, counted.octets), (old, 0));
    let again = bench.order(urgent, Verb::Redeliver).await;
    again.expect("its content is retained");
    assert_eq!(summary(&bench, "bob").await.text.new_urgent, 1);
    bench.deliver_all("bob").await;
    let removed = bench.order(urgent, Verb::Delete).await;
    removed.expect("its content is retained");
    assert_eq!(summary(&bench, "bob").await.text, MessageCount::default());
}

pub(crate) async fn versions_grow_with_every_change<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(deposit_to("bob", "a", "hi")).await.id.number;
    let deposited = summary(&bench, "bob").await;
    bench.deposit(deposit_to("bob", "a", "hi")).await;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    assert_eq!(summary(&bench, "bob").await, deposited, "nothing to tell");
    bench.delivered(claim, number).await;
    assert!(summary(&bench, "bob").await.version > deposited.version);
}
