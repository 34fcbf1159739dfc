//! Requirements §5.3: Message-IDs.

use std::collections::{BTreeMap, BTreeSet};

use proto::v1::Message;
use restante_tests::sip::{SipText, Transport, example, fresh};
use restante_tests::{Part, Scene, uri};

/// The number in a Message-ID of the configured host.
fn number(message: &Message) -> u64 {
    let number = message
        .message_id
        .strip_suffix("@store.example.org")
        .and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no Message-ID of this store: {}", message.message_id))
}

#[tokio::test]
async fn ct_sto_01_two_messages_have_neighbouring_ids_of_the_configured_host() {
    let mut scene = Scene::all().await;
    let first = scene.deposit_text("bob", "one").await;
    let second = scene.deposit_text("carol", "two").await;
    assert_eq!(number(&second), number(&first) + 1);
}

#[tokio::test]
async fn ct_sto_02_ids_of_a_thousand_messages_differ_and_grow_in_each_mailbox() {
    let mut scene = Scene::all().await;
    let mut sent: Vec<SipText> = Vec::new();
    let mut ways = vec![scene.way.clone()];
    for _ in 0..3 {
        ways.push(
            scene
                .core
                .way(Transport::Tcp, scene.deployment.edge(Transport::Tcp))
                .await,
        );
    }
    for index in 0..1_000 {
        let request = example::message(&format!("user-{}", index % 50));
        sent.push(scene.core.send(&ways[index % ways.len()], &request).await);
    }
    for request in &sent {
        assert_eq!(scene.core.response_to(request).await.status(), Some(202));
    }
    let stored = scene.operator.list("").await;
    let ids: BTreeSet<u64> = stored.iter().map(number).collect();
    assert_eq!((stored.len(), ids.len()), (1_000, 1_000));
    assert_eq!(
        ids.last().expect("many") - ids.first().expect("many"),
        999,
        "no gaps"
    );
    let mut sequences: BTreeMap<String, BTreeMap<u64, u64>> = BTreeMap::new();
    for message in &stored {
        let mailbox = sequences.entry(message.served_user.clone()).or_default();
        mailbox.insert(message.sequence, number(message));
    }
    assert_eq!(sequences.len(), 50);
    for in_order in sequences.values() {
        assert!(in_order.values().is_sorted(), "{in_order:?}");
    }
}

#[tokio::test]
async fn ct_sto_03_ids_grow_over_a_restart() {
    let mut scene = Scene::all().await;
    let before = scene.deposit_text("bob", "one").await;
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let after = scene.deposit_text("bob", "two").await;
    assert!(
        number(&after) > number(&before),
        "{} then {}",
        before.message_id,
        after.message_id
    );
}

#[tokio::test]
async fn ct_sto_04_refused_messages_leave_no_gap() {
    let mut scene = Scene::all().await;
    let first = scene.deposit_text("bob", "one").await;
    let refused = [
        example::message("bob").without("P-Asserted-Identity"),
        example::message("bob").set("Expires", "0"),
        example::message("bob").body("text/plain", vec![b'x'; 70_000]),
        example::message("bob").set("To", "<sip:bob@example.org>;tag=none"),
    ];
    for request in &refused {
        assert_ne!(scene.status(request).await, 202);
    }
    let second = scene.deposit_text("bob", "two").await;
    assert_eq!(number(&second), number(&first) + 1);
}

#[tokio::test]
async fn ct_sto_07_a_message_is_found_by_both_forms_of_its_id() {
    let mut scene = Scene::all().await;
    let message = scene.deposit_text(&format!("bob-{}", fresh()), "hi").await;
    let bare = scene
        .operator
        .message(&message.message_id)
        .await
        .expect("found");
    let by_uri = scene
        .operator
        .message(&message.message_uri)
        .await
        .expect("found");
    assert_eq!(message.message_uri, format!("sip:{}", message.message_id));
    assert_eq!(bare, by_uri);
    assert_eq!(bare.message.expect("always set"), message);
    assert_eq!(scene.operator.list(&uri("nobody")).await, []);
}
