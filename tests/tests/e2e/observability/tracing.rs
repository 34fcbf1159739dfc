//! Traces of a message that is deferred and pushed, as a collector gets them.

use restante_tests::otlp::{Span, spans};
use restante_tests::patience::{START, eventually};
use restante_tests::sip::example;
use restante_tests::webhook::Webhook;
use restante_tests::{Deployment, Part, Scene, somebody, uri};

async fn traced() -> (Webhook, Scene) {
    let collector = Webhook::start().await;
    let plan = Deployment::three_processes().set("tracing.endpoint", collector.url());
    (collector, Scene::start(plan).await)
}

/// The spans of this name, once there are so many.
async fn named(collector: &Webhook, name: &str, count: usize) -> Vec<Span> {
    eventually(START, name, async || {
        let mut found = spans(collector);
        found.retain(|span| span.name == name);
        (found.len() >= count).then_some(found)
    })
    .await
}

async fn only(collector: &Webhook, name: &str) -> Span {
    let found = named(collector, name, 1).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("one")
}

fn is_within(child: &Span, parent: &Span) {
    assert_eq!((&child.trace, &child.parent), (&parent.trace, &parent.id));
    // Processes of one machine have one clock; spans of the store are told apart by the stream.
    assert!(child.times.0 >= parent.times.0, "{child:?} in {parent:?}");
    assert!(
        child.times.0 <= child.times.1 && child.times.1 <= parent.times.1,
        "{child:?} in {parent:?}"
    );
}

#[tokio::test]
async fn a_message_is_traced_to_its_commit_and_each_attempt_links_to_that() {
    let (collector, mut scene) = traced().await;
    let user = somebody();
    let message = scene.deposit_text(&user, "Lunch at noon?").await;
    let id = message.message_id.clone();
    let accept = only(&collector, "accept").await;
    let commit = only(&collector, "commit").await;
    assert_eq!(
        (accept.process.as_str(), commit.process.as_str()),
        ("sip-edge", "storage")
    );
    assert_eq!(accept.parent, "");
    is_within(&commit, &accept);
    let stored = format!("00-{}-{}-01", accept.trace, accept.id);
    assert_eq!(message.traceparent, stored);

    // For whom nothing waits nothing is claimed.
    scene.register(&somebody()).await;
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await, [id.as_str()]);
    let claim = only(&collector, "claim").await;
    let deliver = only(&collector, "deliver").await;
    let send = only(&collector, "send").await;
    let settle = only(&collector, "settle").await;
    assert_eq!(claim.parent, "");
    assert_ne!(claim.trace, accept.trace);
    assert_eq!((&deliver.trace, &deliver.parent), (&claim.trace, &claim.id));
    is_within(&send, &deliver);
    is_within(&settle, &send);
    assert_eq!(send.links, [(accept.trace.clone(), accept.id.clone())]);
    for span in [&accept, &commit, &send, &settle] {
        assert_eq!(span.attributes["messaging.message.id"], id, "{span:?}");
        assert!(!span.failed);
    }
    for span in [&accept, &commit, &claim, &deliver, &send, &settle] {
        assert_eq!(span.attributes["messaging.system"], "sip_deferred");
        assert_eq!(span.attributes["messaging.operation.name"], span.name);
    }
    assert_eq!(accept.attributes["messaging.message.body.size"], "14");
    assert_eq!(deliver.attributes["restante.outcome"], "completed");
    assert_eq!(send.attributes["restante.outcome"], "delivered");

    // Another attempt is another trace, which links to the same acceptance.
    let again = ["redeliver", id.as_str(), "--reason", "a test"];
    scene.deployment.restantectl(&again).await.done();
    let push = ["push", &uri(&user)];
    scene.deployment.restantectl(&push).await.done();
    assert_eq!(scene.receive(&user, 1).await, [id.as_str()]);
    let sends = named(&collector, "send", 2).await;
    assert_ne!(sends[0].trace, sends[1].trace);
    assert_eq!(sends[1].links, send.links);

    // Ids stand in spans, persons and bodies do not.
    let told: Vec<_> = collector
        .taken()
        .iter()
        .map(|posted| posted.body.clone())
        .collect();
    let told = told.concat();
    assert!(told.contains(&id));
    assert!(
        !told.contains(&user) && !told.contains("alice") && !told.contains("Lunch"),
        "{told}"
    );
}

#[tokio::test]
async fn the_context_survives_the_store_and_a_refusal_says_why() {
    let (collector, mut scene) = traced().await;
    let user = somebody();
    let message = scene.deposit_text(&user, "Lunch?").await;
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    let found = scene
        .find(&user, &message.headers.clone().expect("headers").call_id)
        .await;
    assert!(!message.traceparent.is_empty());
    assert_eq!(found.traceparent, message.traceparent);
    // What is no message to be stored is no span.
    let composing = "<?xml version=\"1.0\"?><isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\">\
        <state>active</state></isComposing>";
    let composing = example::message(&user).body("application/im-iscomposing+xml", composing);
    assert_eq!(scene.status(&composing).await, 200);
    let refused = example::message(&user).without("P-Asserted-Identity");
    assert_eq!(scene.status(&refused).await, 403);
    let accepts = named(&collector, "accept", 2).await;
    assert_eq!(accepts.len(), 2, "{accepts:?}");
    let failed: Vec<_> = accepts.iter().filter(|span| span.failed).collect();
    assert_eq!(failed.len(), 1, "{accepts:?}");
    assert_eq!(failed[0].attributes["error.type"], "untrusted");
}

#[tokio::test]
async fn a_collector_that_is_gone_keeps_nobody_waiting() {
    let endpoint = "http://127.0.0.1:1";
    let plan = Deployment::two_processes().set("tracing.endpoint", endpoint);
    let mut scene = Scene::start(plan).await;
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await.len(), 1);
    eventually(START, "spans that nobody took", async || {
        let (_, shown) = scene.deployment.fetch(Part::SipEdge, "/metrics").await;
        let failed = "restante_trace_spans_total{outcome=\"failed\"} ";
        let line = shown.lines().find_map(|line| line.strip_prefix(failed))?;
        (line != "0").then_some(())
    })
    .await;
    assert!(scene.deployment.terminate(Part::SipEdge).await.success());
}

#[tokio::test]
async fn without_a_collector_nothing_is_stored_with_a_message() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let message = scene.deposit_text(&somebody(), "Lunch?").await;
    assert_eq!(message.traceparent, "");
}
