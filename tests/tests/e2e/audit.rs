//! The audit log: who changed what or read a content, when, why, and what came of it.

use std::path::Path;

use restante_tests::sip::example;
use restante_tests::{Deployment, Part, Scene, uri};
use serde_json::Value;

use crate::secure::{BODY_READER, Certificates, OPERATOR, READER, operate};

fn lines(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).expect("an audit log");
    let line = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no record: {line}"));
    text.lines().map(line).collect()
}

/// Those of one verb.
fn of<'a>(lines: &'a [Value], verb: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["verb"] == verb).collect()
}

#[tokio::test]
async fn changes_and_readings_are_told_with_who_and_why_and_what_is_refused_too() {
    let plan = Deployment::two_processes();
    let certificates = Certificates::new(plan.net());
    let mut scene = Scene::start(certificates.secure(plan)).await;
    scene.deposit(&example::message("bob")).await;
    let deployment = &scene.deployment;
    let run = async |name: &str, arguments: &[&str]| {
        let own = certificates.authority.certify(&[name]);
        operate(deployment, &certificates, Some(&own), arguments).await
    };

    let listed = run(READER, &["list", "--to", &uri("bob")]).await.done();
    let listed = listed.records();
    let id = listed[0]["message_id"].as_str().expect("a Message-ID");

    run(OPERATOR, &["hold", id, "--reason", "für Ticket 4711"])
        .await
        .done();
    run(OPERATOR, &["hold", id]).await;
    run(
        OPERATOR,
        &["user", "add", "dave@example.org", "--reason", "moved here"],
    )
    .await
    .done();
    run(
        BODY_READER,
        &["show", id, "--body", "--reason", "court order 12"],
    )
    .await
    .done();
    run(READER, &["list", "--to", &uri("bob")]).await.done();
    let refused = run(READER, &["delete", id, "--reason", "curious"]).await;
    assert_eq!(refused.code, Some(77), "{}", refused.errors);

    let told = lines(&deployment.data().join("audit.jsonl"));
    let held = of(&told, "HoldMessage");
    let stages: Vec<_> = held.iter().map(|line| line["stage"].as_str()).collect();
    let twice = [Some("asked"), Some("answered")].repeat(2);
    assert_eq!(stages, twice);
    assert!(held.iter().all(|line| line["request"]["message_id"] == id));
    assert!(held.iter().all(|line| {
        line["who"]
            .as_str()
            .is_some_and(|who| who.contains(OPERATOR))
    }));
    assert_eq!(held[0]["call"], held[1]["call"]);
    assert_ne!(held[1]["call"], held[2]["call"]);
    assert_eq!(held[1]["reason"], "für Ticket 4711");
    assert_eq!(
        (&held[1]["outcome"], &held[1]["messages"]),
        (&"OK".into(), &1.into())
    );
    assert_eq!(
        (&held[1]["before"]["state"], &held[1]["after"]["state"]),
        (&"stored".into(), &"held".into())
    );
    assert_eq!(held[3]["outcome"], "FAILED_PRECONDITION");

    let added = of(&told, "CreateAccount");
    assert_eq!(added[1]["reason"], "moved here");
    assert_eq!(added[1]["request"]["address"], "sip:dave@example.org");
    let read = of(&told, "ReadContent");
    assert_eq!(
        (&read[0]["role"], &read[0]["reason"]),
        (&"body_reader".into(), &"court order 12".into())
    );
    let refused = of(&told, "DeleteMessage");
    assert_eq!(refused.len(), 1);
    assert_eq!(
        (&refused[0]["stage"], &refused[0]["reason"]),
        (&"refused".into(), &"curious".into())
    );
    assert_eq!(refused[0]["outcome"], "PERMISSION_DENIED");
    assert!(of(&told, "ListMessages").is_empty(), "looking is not told");

    let shown = run(READER, &["show", id, "--timeline"]).await.done();
    assert!(shown.output.contains("für Ticket 4711"), "{}", shown.output);
}

#[tokio::test]
async fn what_cannot_be_told_is_refused() {
    let plan = Deployment::all().set("audit.file", "/dev/full");
    let mut scene = Scene::start(plan).await;
    let message = scene.deposit_text("bob", "Lunch?").await;
    let deployment = &scene.deployment;
    let held = deployment.restantectl(&["hold", &message.message_id]).await;
    assert_eq!(held.code, Some(69), "{}", held.errors);
    assert!(
        held.errors.contains("the audit log cannot be written"),
        "{}",
        held.errors
    );
    let listed = deployment
        .restantectl(&["list", "-o", "jsonl"])
        .await
        .done();
    assert_eq!(listed.records()[0]["state"], "stored");
    let (status, conditions) = deployment.fetch(Part::All, "/readyz").await;
    assert_eq!(status, 200, "messages come and go as ever: {conditions}");
    assert!(
        conditions.contains("the audit log cannot be written"),
        "{conditions}"
    );
}

#[tokio::test]
async fn log_that_was_moved_away_is_followed_by_a_new_one_and_off_is_off() {
    let mut scene = Scene::all().await;
    let message = scene.deposit_text("bob", "Lunch?").await;
    let id = message.message_id.as_str();
    let (log, old) = {
        let data = scene.deployment.data();
        (data.join("audit.jsonl"), data.join("audit.jsonl.1"))
    };
    scene.deployment.restantectl(&["hold", id]).await.done();
    std::fs::rename(&log, &old).expect("moved");
    scene.deployment.restantectl(&["unhold", id]).await.done();
    assert_eq!(of(&lines(&old), "HoldMessage").len(), 2);
    assert_eq!(of(&lines(&log), "UnholdMessage").len(), 2);
    assert!(lines(&log).iter().all(|line| line["who"] != "unknown"));

    scene.deployment.set("audit.file", "off");
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.deployment.restantectl(&["hold", id]).await.done();
    assert_eq!(of(&lines(&log), "HoldMessage").len(), 0);
}
