//! What processes log is of the closed list, through a whole story with its mishaps.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use restante_tests::log_events::{DOCUMENT, LogEvent, documented};
use restante_tests::run::{command, run};
use restante_tests::sip::example;
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use serde_json::Value;

const PARTS: [Part; 3] = [Part::Storage, Part::SipEdge, Part::ControllingEdge];

/// What every line has.
const COMMON: [&str; 5] = ["timestamp", "level", "target", "message", "event"];

async fn printed() -> String {
    let mut printing = command("restante");
    printing.arg("log-events");
    run(printing).await.done().output
}

#[tokio::test]
async fn the_document_is_what_the_binary_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(DOCUMENT);
    let kept = std::fs::read_to_string(path).expect("the document");
    assert!(
        kept == printed().await,
        "{DOCUMENT} is old: make log-events-document"
    );
}

/// What is wrong with a line.
fn offence(line: &Value, rows: &BTreeMap<String, LogEvent>) -> Option<&'static str> {
    let Some(name) = line["event"].as_str() else {
        return Some("no event");
    };
    let Some(row) = rows.get(name) else {
        return Some("an event that is not documented");
    };
    let level = line["level"].as_str().unwrap_or_default();
    if !level.eq_ignore_ascii_case(&row.level) {
        return Some("another level than is documented");
    }
    let fields = line.as_object().into_iter().flat_map(|line| line.keys());
    let mut fields = fields.filter(|field| !COMMON.contains(&field.as_str()));
    fields
        .any(|field| !row.fields.contains(field))
        .then_some("a field that is not documented")
}

#[tokio::test]
async fn every_line_of_a_whole_story_is_an_event_of_the_list() {
    let rows = documented(&printed().await);
    let rows: BTreeMap<_, _> = rows.into_iter().map(|r| (r.name.clone(), r)).collect();
    let mut scene = Scene::start(Deployment::three_processes()).await;
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await.len(), 1);
    scene.operator.list(&uri(&user)).await;
    let logs = PARTS.map(|part| (part, scene.deployment.process(part).log().clone()));
    scene.deployment.kill(Part::Storage).await;
    for (part, log) in logs.iter().filter(|(part, _)| *part != Part::Storage) {
        let lost = |line: &Value| (line["event"] == "storage.connection_lost").then_some(());
        assert!(log.find(lost).await.is_some(), "{part:?}");
        scene.deployment.terminate(*part).await;
        log.closed().await;
    }
    let read = |line: String| {
        serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("no JSON: {line}"))
    };
    let lines = logs.iter().flat_map(|(part, log)| {
        let lines = log.lines().into_iter();
        lines.map(move |line| (part, read(line)))
    });
    let lines: Vec<_> = lines.collect();
    let wrong: Vec<_> = lines
        .iter()
        .filter_map(|(part, line)| Some(format!("{part:?}: {}: {line}", offence(line, &rows)?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let seen: BTreeSet<_> = lines
        .iter()
        .filter_map(|(_, line)| line["event"].as_str())
        .collect();
    for name in [
        "process.started",
        "process.listening",
        "readiness.changed",
        "storage.connected",
        "edge.attached",
        "process.stopping",
        "process.draining",
    ] {
        assert!(seen.contains(name), "{name} is not in {seen:?}");
    }
}
