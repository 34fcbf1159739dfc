//! Deposits through the edges' client, over good and broken connections.

use futures_util::future::join_all;
use storage_client::{DepositAnswer, RefusalReason};

use crate::support::{
    BOB, Service, client_of, config, connected, deposited, memory, message_to, soon,
};

async fn stores_once_and_recognises_a_retry(service: &Service) {
    let client = service.client();
    let first = deposited(&client, message_to(BOB, 1)).await;
    assert!(!first.duplicate());
    assert!(first.message_id().ends_with("@store.example"));
    let again = deposited(&client, message_to(BOB, 1)).await;
    assert!(again.duplicate());
    assert_eq!(again.message_id(), first.message_id());
    assert_eq!(again.received_at(), first.received_at());
    let messages = service.messages().await;
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].message_id, first.message_id());
}

#[tokio::test]
async fn a_deposit_is_stored_once_in_memory() {
    stores_once_and_recognises_a_retry(&Service::in_memory(config())).await;
}

#[tokio::test]
async fn a_deposit_is_stored_once_on_disk() {
    stores_once_and_recognises_a_retry(&Service::on_disk(config()).await).await;
}

/// Subjects of a thousand deposits of one stream, in the order of the mailbox.
async fn many_at_once(service: &Service) -> Vec<String> {
    let client = service.client();
    connected(&client).await;
    let deposits = (1..=1_000).map(|number| deposited(&client, message_to(BOB, number)));
    let all = join_all(deposits).await;
    assert!(all.iter().all(|deposited| !deposited.duplicate()));
    let messages = service.messages().await.into_iter();
    messages
        .map(|message| message.headers.expect("stored").subject)
        .collect()
}

fn expected() -> Vec<String> {
    (1..=1_000).map(|number| format!("no. {number}")).collect()
}

#[tokio::test]
async fn many_deposits_of_one_stream_enter_the_store_in_their_order() {
    let subjects = many_at_once(&Service::in_memory(config())).await;
    assert_eq!(subjects, expected());
}

/// Their order is the committer's there: what is unanswered at the same time has none of its own.
#[tokio::test(flavor = "multi_thread")]
async fn many_deposits_of_one_stream_are_each_stored_once_on_disk() {
    let mut subjects = many_at_once(&Service::on_disk(config()).await).await;
    let mut expected = expected();
    subjects.sort();
    expected.sort();
    assert_eq!(subjects, expected);
}

#[tokio::test]
async fn a_full_mailbox_refuses_with_the_time_to_try_again() {
    let mut config = config();
    config.limits.mailbox_messages = 1;
    let service = Service::in_memory(config);
    let client = service.client();
    deposited(&client, message_to(BOB, 1)).await;
    let answer = client.deposit(message_to(BOB, 2)).await.expect("answered");
    let DepositAnswer::Refused(refusal) = answer else {
        panic!("stored: {answer:?}");
    };
    assert_eq!(refusal.reason, RefusalReason::MailboxFull);
    assert_eq!(refusal.retry_after.map(|wait| wait.as_secs()), Some(3_600));
}

#[tokio::test]
async fn an_unknown_user_is_refused_where_users_are_listed() {
    let mut config = config();
    config.common.provisioning = restante_service::Provisioning::Listed;
    let service = Service::in_memory(config);
    let answer = service.client().deposit(message_to(BOB, 1)).await;
    let Ok(DepositAnswer::Refused(refusal)) = answer else {
        panic!("not refused: {answer:?}");
    };
    assert_eq!(refusal.reason, RefusalReason::UnknownUser);
}

#[tokio::test]
async fn a_sync_that_never_returns_answers_no_deposit() {
    let store = memory(&config());
    store.hold_syncs();
    let service = Service::over(config(), store);
    let client = service.client();
    connected(&client).await;
    let deposits = (1..=50).map(|number| client.deposit(message_to(BOB, number)));
    let answers = join_all(deposits).await;
    assert!(answers.iter().all(Result::is_err), "{answers:?}");
}

#[tokio::test]
async fn a_latched_store_makes_deposits_unavailable_and_the_service_not_ready() {
    let store = memory(&config());
    store.fail_syncs();
    let service = Service::over(config(), store);
    let client = service.client();
    connected(&client).await;
    let answer = client.deposit(message_to(BOB, 1)).await;
    let unavailable = answer.expect_err("latched");
    assert!(unavailable.reason.contains("latched"), "{unavailable}");
    assert!(!*client.connected().borrow(), "an edge is not ready either");
    assert!(!unavailable.retry_after.is_zero());
    let mut follower = service.readiness.follow();
    let mut snapshot = follower.snapshot();
    while !snapshot.to_string().contains("latched") {
        snapshot = soon(follower.changed()).await.expect("the service lives");
    }
    assert!(!snapshot.is_ready());
}

#[tokio::test]
async fn a_full_window_is_answered_at_once() {
    let store = memory(&config());
    store.hold_syncs();
    let service = Service::over(config(), store);
    let client = client_of(service.data, "edge-1", |config| config.window = 4);
    connected(&client).await;
    let deposits = (1..=40).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let begun = tokio::time::Instant::now();
            let answer = client.deposit(message_to(BOB, number)).await;
            (answer.expect_err("nothing is synced"), begun.elapsed())
        })
    });
    let answers: Vec<_> = join_all(deposits).await;
    let at_once = answers.iter().filter(|answer| {
        let (unavailable, took) = answer.as_ref().expect("no panic");
        unavailable.reason.contains("too many") && took.as_secs() < 2
    });
    assert_eq!(at_once.count(), 36);
}

#[tokio::test]
async fn a_deposit_that_makes_no_sense_is_refused_alone() {
    let service = Service::in_memory(config());
    let client = service.client();
    connected(&client).await;
    let (before, senseless, after) = tokio::join!(
        client.deposit(message_to(BOB, 1)),
        client.deposit(message_to("", 2)),
        client.deposit(message_to(BOB, 3)),
    );
    assert!(before.is_ok() && after.is_ok(), "{before:?} {after:?}");
    let reason = senseless.expect_err("nobody is served").reason;
    assert!(reason.contains("makes no sense"), "{reason}");
    assert!(*client.connected().borrow(), "the stream goes on");
    assert_eq!(service.messages().await.len(), 2);
}

#[tokio::test]
async fn an_edge_without_deposits_is_told_that_the_store_is_latched() {
    let store = memory(&config());
    let service = Service::over(config(), store.clone());
    let (client, other) = (service.client(), service.client_named("edge-2"));
    let mut unready = other.unready();
    soon(unready.wait_for(Option::is_none))
        .await
        .expect("the client lives");
    store.fail_syncs();
    let answer = client.deposit(message_to(BOB, 1)).await;
    answer.expect_err("latched");
    let is_latched =
        |reason: &Option<String>| reason.as_ref().is_some_and(|r| r.contains("latched"));
    soon(unready.wait_for(is_latched))
        .await
        .expect("the client lives");
    // An edge that comes now is told at once.
    let third = service.client_named("edge-3");
    soon(third.unready().wait_for(is_latched))
        .await
        .expect("the client lives");
}
