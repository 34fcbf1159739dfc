//! Requirements §4.10, §4.11: what happens to messages is told to others who act on it.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac as _};
use restante_tests::patience::{START, eventually};
use restante_tests::sip::example;
use restante_tests::webhook::Webhook;
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use serde_json::Value;
use sha2::Sha256;

const SECRET: &str = "a secret of the tests";

async fn watched(scene: &Scene, arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["events", "watch", "-o", "jsonl"];
    all.extend_from_slice(arguments);
    let ended = scene.deployment.restantectl(&all).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.records()
}

fn texts<'a>(events: &'a [Value], field: &str) -> Vec<&'a str> {
    let texts = events.iter();
    texts
        .map(|event| event[field].as_str().unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn what_happens_to_messages_can_be_followed_from_any_position() {
    let mut scene = Scene::start(Deployment::all().set("events.enabled", "true")).await;
    let (bob, carol) = (somebody(), somebody());
    let body = "nobody but Bob may read this";
    let message = example::message(&bob).body("text/plain", body);
    scene
        .deposit(&message.set("Subject", "a secret subject"))
        .await;
    scene.deposit(&example::message(&carol)).await;
    scene.register(&bob).await;
    let ids = scene.receive(&bob, 1).await;
    let deleted = scene.operator.only(&uri(&carol)).await.message_id;
    scene.operator.delete(&deleted).await.expect("it waits");
    let all = watched(&scene, &["--from-beginning", "--count", "4"]).await;
    assert_eq!(
        texts(&all, "event"),
        ["deposited", "deposited", "delivered", "deleted"]
    );
    assert_eq!(
        texts(&all, "message_id"),
        [&ids[0], &deleted, &ids[0], &deleted]
    );
    assert_eq!(texts(&all, "served_user")[0], uri(&bob));
    assert_eq!(texts(&all, "sender")[0], "sip:alice@example.org");
    assert_eq!(all[0]["registered"], false);
    assert_eq!(all[2]["registered"], true);
    let told = serde_json::to_string(&all).expect("JSON");
    for secret in [body, "a secret subject"] {
        assert!(!told.contains(secret), "{told}");
    }
    // What is on disk is told again after a crash, with the same names, and goes on from where somebody was.
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    let again = watched(&scene, &["--from-beginning", "--count", "4"]).await;
    assert_eq!(texts(&again, "id"), texts(&all, "id"));
    scene.deposit(&example::message(&bob)).await;
    let position = texts(&all, "position")[1];
    let rest = watched(&scene, &["--after", position, "--count", "3"]).await;
    assert_eq!(texts(&rest, "event"), ["delivered", "deleted", "deposited"]);
    let of_bob = [
        "--from-beginning",
        "--kind",
        "deposited",
        "--count",
        "2",
        &uri(&bob),
    ];
    let of_bob = watched(&scene, &of_bob).await;
    assert_eq!(texts(&of_bob, "served_user"), [uri(&bob), uri(&bob)]);
}

#[tokio::test]
async fn nothing_is_told_where_it_is_not_switched_on() {
    let scene = Scene::all().await;
    let ended = scene.deployment.restantectl(&["events", "watch"]).await;
    assert_ne!(ended.code, Some(0), "{ended:?}");
    assert!(ended.errors.contains("events.enabled"), "{ended:?}");
}

/// The events that a webhook has taken, each checked to be signed.
fn taken(webhook: &Webhook) -> Vec<Value> {
    let mut events = Vec::new();
    for request in webhook.taken() {
        let signature = request.field("Restante-Signature");
        let (time, mac) = signature.split_once(",v1=").expect("a signature");
        let time = time.strip_prefix("t=").expect("a time");
        let mut expected = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
        expected.update(format!("{time}.{}", request.body).as_bytes());
        let expected = expected.finalize().into_bytes();
        let expected: String = expected
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert_eq!(mac, expected);
        let kind = request.field("Content-Type");
        assert_eq!(kind, "application/cloudevents-batch+json");
        let batch: Vec<Value> = serde_json::from_str(&request.body).expect("JSON");
        events.extend(batch);
    }
    events
}

#[tokio::test]
async fn a_webhook_is_told_of_everything_in_order_whatever_fails_in_between() {
    let webhook = Webhook::start().await;
    let plan = Deployment::all()
        .set("events.enabled", "true")
        .set("events.webhook", &format!("{}/events", webhook.url()))
        .set("events.webhook_secret", SECRET);
    let mut scene = Scene::start(plan).await;
    let bob = somebody();
    let mut ids = Vec::new();
    for round in 0..4 {
        // It fails, says nothing, or is served well; the process dies with events that nobody has taken.
        webhook.answer(["200 OK", "500 Broken", "302 Found", "204 No Content"][round]);
        for _ in 0..3 {
            let exchange = scene.deposit(&example::message(&bob)).await;
            let call_id = exchange.request.field("Call-ID").to_owned();
            ids.push(scene.find(&bob, &call_id).await.message_id);
        }
        let asked = webhook.asked();
        eventually(START, "a further request", async || {
            (round == 0 || webhook.asked() > asked).then_some(())
        })
        .await;
        scene.deployment.kill(Part::All).await;
        scene.deployment.launch(Part::All).await;
        scene.reconnect().await;
    }
    webhook.answer("200 OK");
    let subjects = || -> Vec<String> {
        let mut seen = BTreeSet::new();
        let events = taken(&webhook).into_iter();
        let fresh = events.filter(|event| seen.insert(event["id"].to_string()));
        fresh
            .map(|event| event["subject"].as_str().expect("a text").to_owned())
            .collect()
    };
    eventually(START, "all events", async || {
        (subjects().len() >= ids.len()).then_some(())
    })
    .await;
    assert_eq!(subjects(), ids);
    for event in taken(&webhook) {
        assert_eq!(event["type"], "restante.message.deposited");
        assert_eq!(event["data"]["served_user"], uri(&bob));
    }
}

#[tokio::test]
async fn a_webhook_is_asked_by_the_path_as_it_was_written() {
    for path in ["/events/", "/events", ""] {
        let webhook = Webhook::start().await;
        let plan = Deployment::all()
            .set("events.enabled", "true")
            .set("events.webhook", &format!("{}{path}", webhook.url()));
        let mut scene = Scene::start(plan).await;
        scene.deposit(&example::message(&somebody())).await;
        let posted = eventually(START, "a request", async || webhook.taken().pop()).await;
        let path = if path.is_empty() { "/" } else { path };
        assert_eq!(posted.request_line(), format!("POST {path} HTTP/1.1"));
    }
}
