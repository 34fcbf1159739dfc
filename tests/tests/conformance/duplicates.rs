//! Requirements §5.8: a sender who tries again is answered as before, and stored once.

use std::path::Path;
use std::time::{Duration, SystemTime};

use proto::v1::{EventKind, Message, MessageState};
use restante_tests::patience::{ANSWER, START, eventually};
use restante_tests::shim::Shim;
use restante_tests::sip::{RequestText, Transport, example, fresh};
use restante_tests::{Deployment, Part, Scene, somebody, uri};

/// How often a message has absorbed a duplicate.
async fn absorbed(scene: &Scene, id: &str) -> usize {
    let timeline = scene.operator.timeline(id).await;
    let duplicates = timeline.iter();
    duplicates
        .filter(|kind| **kind == EventKind::DuplicateAbsorbed)
        .count()
}

/// T1 is 10 ms, so that the transaction ends after 640 ms instead of 32 s.
#[tokio::test]
async fn ct_dup_02_a_retry_after_the_transaction_has_ended_is_stored_once() {
    let mut scene = Scene::start(Deployment::all().set("sip.t1", "10ms")).await;
    let (bob, way) = (somebody(), scene.udp().await);
    let request = example::message(&bob);
    let first = scene.core.call(&way, &request).await;
    assert_eq!(first.response.status(), Some(202), "{}", first.response);
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    // What the transaction answers itself does not reach the store.
    let before = eventually(ANSWER, "the end of the transaction", async || {
        way.send(first.request.octets()).await;
        let again = scene.core.response_to(&first.request).await;
        assert_eq!(again.status(), Some(202), "{again}");
        let count = absorbed(&scene, &id).await;
        (count > 0).then_some(count)
    })
    .await;
    let retry = scene.core.call(&way, &request).await;
    assert_ne!(retry.request.branch(), first.request.branch());
    assert_eq!(retry.response.status(), Some(202), "{}", retry.response);
    eventually(ANSWER, "the retry in the timeline", async || {
        (absorbed(&scene, &id).await > before).then_some(())
    })
    .await;
    assert_eq!(scene.operator.only(&uri(&bob)).await.message_id, id);
}

#[tokio::test]
#[ignore = "long: a retry after 40 s, by when the transaction of 32 s has ended"]
async fn ct_dup_02_a_retry_after_40_s_is_stored_once() {
    let mut scene = Scene::all().await;
    let (bob, way) = (somebody(), scene.udp().await);
    let request = example::message(&bob);
    let first = scene.core.call(&way, &request).await;
    assert_eq!(first.response.status(), Some(202), "{}", first.response);
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    tokio::time::sleep(Duration::from_secs(40)).await;
    way.send(first.request.octets()).await;
    let again = scene.core.response_to(&first.request).await;
    assert_eq!(again.status(), Some(202), "{again}");
    let again = scene.core.call(&way, &request).await.response;
    assert_eq!(again.status(), Some(202), "{again}");
    assert_eq!(scene.operator.only(&uri(&bob)).await.message_id, id);
    eventually(ANSWER, "both retries in the timeline", async || {
        (absorbed(&scene, &id).await == 2).then_some(())
    })
    .await;
}

/// A message in CPIM with this `imdn.Message-ID`.
fn named(user: &str, id: &str, date: &str, text: &str) -> RequestText {
    let body = format!(
        "From: Alice <sip:alice@example.org>\r\nTo: Bob <{}>\r\nDateTime: {date}\r\n\
         NS: imdn <urn:ietf:params:imdn>\r\nimdn.Message-ID: {id}\r\n\
         imdn.Disposition-Notification: negative-delivery\r\n\r\nContent-Type: text/plain\r\n\r\n{text}",
        uri(user)
    );
    example::message(user).body("message/cpim", body)
}

/// A client that tries again after a 408 or 503 may do so in a new request, and write another `DateTime`.
#[tokio::test]
async fn ct_dup_06_10_a_retry_under_a_new_call_id_is_stored_once_and_other_content_anew() {
    let mut scene = Scene::all().await;
    let (bob, id) = (somebody(), fresh());
    for (date, text, stored) in [
        ("2026-11-21T12:00:00Z", "one", 1),
        ("2026-11-21T12:00:00Z", "one", 1),
        ("2026-11-21T12:00:09Z", "one", 1),
        ("2026-11-21T12:00:10Z", "two", 2),
        ("2026-11-21T12:00:11Z", "two", 2),
        ("2026-11-21T12:00:12Z", "one", 2),
    ] {
        scene.deposit(&named(&bob, &id, date, text)).await;
        assert_eq!(scene.operator.list(&uri(&bob)).await.len(), stored);
    }
    let reused = "restante_dedupe_mismatch_total";
    assert_eq!(scene.deployment.counter(Part::Storage, reused).await, 1);
    let first = &scene.operator.list(&uri(&bob)).await[0].message_id;
    assert_eq!(absorbed(&scene, first).await, 3);
}

#[tokio::test]
async fn ct_dup_06_a_name_for_a_message_is_that_of_its_sender_and_recipient() {
    let mut scene = Scene::all().await;
    let (bob, carol, id) = (somebody(), somebody(), fresh());
    let date = "2026-11-21T12:00:00Z";
    scene.deposit(&named(&bob, &id, date, "hi")).await;
    scene.deposit(&named(&carol, &id, date, "hi")).await;
    let of_another =
        named(&bob, &id, date, "hi").set("P-Asserted-Identity", "<sip:dave@example.org>");
    scene.deposit(&of_another).await;
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 2);
    assert_eq!(scene.operator.list(&uri(&carol)).await.len(), 1);
}

#[tokio::test]
async fn ct_dup_04_a_copy_by_another_way_while_the_first_is_pending_is_482() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let bob = somebody();
    let request = example::message(&bob);
    scene.deployment.process(Part::Storage).freeze();
    let first = scene.core.send(&scene.way, &request).await;
    let copy = scene.call(&request).await;
    assert_ne!(copy.request.branch(), first.branch());
    assert_eq!(copy.response.status(), Some(482), "{}", copy.response);
    assert_eq!(scene.core.count(|text| text.answers(&first)), 0);
    scene.deployment.process(Part::Storage).thaw();
    let response = scene.core.response_to(&first).await;
    assert_eq!(response.status(), Some(202), "{response}");
    // The first is pending no more.
    scene.deposit(&request).await;
    scene.operator.only(&uri(&bob)).await;
}

#[tokio::test]
async fn ct_dup_08_a_retry_after_the_delivery_is_accepted_and_not_delivered_again() {
    let mut scene = Scene::all().await;
    let bob = somebody();
    let request = example::message(&bob);
    scene.deposit(&request).await;
    scene.register(&bob).await;
    let ids = scene.receive(&bob, 1).await;
    scene.operator.until(&ids[0], MessageState::Delivered).await;
    scene.deposit(&request).await;
    scene.register(&bob).await;
    scene.fence().await;
    assert_eq!(scene.unanswered_invites(&bob), 0);
    let only = scene.operator.only(&uri(&bob)).await;
    assert_eq!(only.message_id, ids[0]);
    assert_eq!(only.state(), MessageState::Delivered);
    assert_eq!(absorbed(&scene, &ids[0]).await, 1);
}

fn received_at(message: &Message) -> SystemTime {
    let time = message.received_at.expect("always set");
    SystemTime::try_from(time).expect("after 1970")
}

/// The window is 3 s instead of 24 h.
#[tokio::test]
async fn ct_dup_08_after_the_window_it_is_stored_as_new_and_delivered() {
    const WINDOW: Duration = Duration::from_secs(3);
    let mut scene = Scene::start(Deployment::all().set("dedupe.window", "3s")).await;
    let bob = somebody();
    let request = example::message(&bob);
    scene.deposit(&request).await;
    scene.register(&bob).await;
    let first = scene.receive(&bob, 1).await;
    let stored = eventually(START, "the end of the window", async || {
        scene.deposit(&request).await;
        let stored = scene.operator.list(&uri(&bob)).await;
        (stored.len() == 2).then_some(stored)
    })
    .await;
    assert_eq!(stored[0].message_id, first[0]);
    // From the acceptance of the first, not from a retry.
    assert!(received_at(&stored[1]) >= received_at(&stored[0]) + WINDOW);
    scene.register(&bob).await;
    assert_eq!(scene.receive(&bob, 1).await, [stored[1].message_id.clone()]);
}

/// Whether a file below this folder holds this text.
fn is_written(folder: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(folder).expect("the folder of the store");
    entries.flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_written(&path, text);
        }
        // The store may have removed it.
        let octets = std::fs::read(&path).unwrap_or_default();
        String::from_utf8_lossy(&octets).contains(text)
    })
}

#[tokio::test]
async fn ct_dup_11_no_copy_is_answered_202_before_the_first_is_synced() {
    let shim = Shim::new();
    let mut scene = Scene::start(shim.under(Deployment::two_processes())).await;
    let second = scene.deployment.second_edge().await;
    let other = scene.core.way(Transport::Tcp, second.tcp).await;
    let bob = somebody();
    let request = example::message(&bob);
    shim.hang();
    let first = scene.core.send(&scene.way, &request).await;
    eventually(ANSWER, "the first copy to be written", async || {
        is_written(&shim.data(), &request.field("Call-ID")).then_some(())
    })
    .await;
    let copy = scene.core.send(&other, &request).await;
    for sent in [&first, &copy] {
        let response = scene.core.response_to(sent).await;
        assert_eq!(response.status(), Some(503), "{response}");
    }
    shim.mend();
    eventually(START, "a store that syncs again", async || {
        (scene.status(&request).await == 202).then_some(())
    })
    .await;
    scene.operator.only(&uri(&bob)).await;
}
