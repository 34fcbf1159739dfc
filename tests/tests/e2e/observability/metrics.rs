//! The metrics of all processes are those of the document, with the labels it has, and a story moves those that it should.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use restante_tests::exposition::{Documented, Exposition, documented};
use restante_tests::http::fetch;
use restante_tests::patience::{START, eventually};
use restante_tests::run::{command, run};
use restante_tests::sip::example;
use restante_tests::{Deployment, Part, Scene, somebody, uri};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::interop::are_there;

/// Processes and the headings of what they show.
const PARTS: [(Part, &[&str]); 3] = [
    (Part::Storage, &["storage"]),
    (Part::SipEdge, &["Both edges", "sip-edge"]),
    (Part::ControllingEdge, &["Both edges", "controlling-edge"]),
];

const COMMON: &str = "Every process";

/// Only there once something has happened that this story does not bring about, or, of the system, where it tells.
const RARE: [&str; 2] = [
    "process_virtual_memory_max_bytes",
    "restante_tls_certificate_end_timestamp_seconds",
];

async fn document() -> Vec<Documented> {
    let mut printing = command("restante");
    printing.arg("metrics");
    documented(&run(printing).await.done().output)
}

async fn shown(scene: &Scene, part: Part) -> Exposition {
    let (status, text) = scene.deployment.fetch(part, "/metrics").await;
    assert_eq!(status, 200);
    Exposition::parse(&text)
}

#[tokio::test]
async fn the_document_is_what_the_binary_prints() {
    let mut printing = command("restante");
    printing.arg("metrics");
    let printed = run(printing).await.done().output;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let kept = std::fs::read_to_string(path).expect("the document");
    assert!(
        kept == printed,
        "docs/metrics.md is old: make metrics-document"
    );
}

/// A message is deferred and pushed, a group of one gets one, an operator looks, and somebody asks for a document.
async fn story(scene: &mut Scene) -> String {
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    scene.register(&user).await;
    assert_eq!(scene.receive(&user, 1).await.len(), 1);
    scene.operator.list(&uri(&user)).await;
    let xcap = scene.deployment.address("xcap.listen");
    fetch(xcap, "/nothing").await.expect("an answer");
    let backup = scene.deployment.restantectl(&["backup"]).await;
    backup.done();
    user
}

#[tokio::test]
async fn every_metric_is_documented_and_a_story_moves_what_it_should() {
    let backups = tempfile::tempdir().expect("there is place for tests");
    let folder = backups.path().to_str().expect("a path of the test");
    let plan = Deployment::three_processes().set("maintenance.backups", folder);
    let mut scene = Scene::start(plan).await;
    let rows = document().await;
    let before = shown(&scene, Part::Storage).await;
    assert_eq!(
        before.sum("restante_messages_stored_total", &[("kind", "pager")]),
        0.0
    );
    story(&mut scene).await;
    let mut seen = BTreeSet::new();
    for (part, sections) in PARTS {
        // The gauges of the store come every 5 s.
        let found = eventually(START, "the gauges", async || {
            let found = shown(&scene, part).await;
            let is_measured = found
                .types
                .contains_key("restante_oldest_message_age_seconds");
            (is_measured || part != Part::Storage).then_some(found)
        })
        .await;
        assert_documented(part, sections, &rows, &found);
        seen.extend(found.types.keys().cloned());
        check_by_promtool(&scene, part).await;
    }
    let unseen: Vec<_> = rows
        .iter()
        .map(|row| row.name.as_str())
        .filter(|name| !seen.contains(*name) && !RARE.contains(name))
        .collect();
    assert!(unseen.is_empty(), "documented and never shown: {unseen:?}");
    assert_moved(&scene).await;
}

fn assert_documented(part: Part, sections: &[&str], rows: &[Documented], found: &Exposition) {
    for series in &found.series {
        let name = found.metric(series);
        let row = rows.iter().find(|row| row.name == name);
        let row = row.unwrap_or_else(|| panic!("{part:?} shows {name}, which is not documented"));
        let is_ours = sections.contains(&row.section.as_str()) || row.section.starts_with(COMMON);
        assert!(is_ours, "{part:?} shows {name} of {}", row.section);
        assert_eq!(found.types[name], row.kind, "{name}");
        assert!(found.helps.contains_key(name), "{name} has no HELP");
        for (label, value) in series.labels.iter().filter(|(label, _)| *label != "le") {
            let values = row.labels.get(label);
            let values = values.unwrap_or_else(|| panic!("{name} has a label {label}"));
            assert!(
                values.is_empty() || values.contains(value),
                "{name}: {label}=\"{value}\" is not documented"
            );
        }
    }
}

/// Debian's Prometheus has nothing to say against them.
async fn check_by_promtool(scene: &Scene, part: Part) {
    if !are_there(&["promtool"]) {
        return;
    }
    let (_, text) = scene.deployment.fetch(part, "/metrics").await;
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    promtool
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut promtool = promtool.spawn().expect("it is there");
    let mut input = promtool.stdin.take().expect("piped");
    input.write_all(text.as_bytes()).await.expect("it reads");
    drop(input);
    let ended = promtool.wait_with_output().await.expect("it ends");
    let said = String::from_utf8_lossy(&ended.stdout).into_owned()
        + &String::from_utf8_lossy(&ended.stderr);
    assert!(
        ended.status.success() && said.trim().is_empty(),
        "{part:?}: {said}"
    );
}

async fn assert_moved(scene: &Scene) {
    let edge = shown(scene, Part::SipEdge).await;
    for (name, labels) in [
        (
            "restante_messages_accepted_total",
            &[("kind", "pager"), ("transport", "TCP")][..],
        ),
        (
            "restante_accept_duration_seconds_count",
            &[("kind", "pager")],
        ),
        (
            "restante_registers_answered_total",
            &[("result", "committed")],
        ),
        (
            "restante_delivery_attempts_total",
            &[("channel", "msrp"), ("outcome", "completed")],
        ),
        (
            "restante_delivery_duration_seconds_count",
            &[("channel", "msrp")],
        ),
        (
            "restante_messages_pushed_total",
            &[("outcome", "delivered")],
        ),
        ("restante_xcap_requests_total", &[("method", "read")]),
    ] {
        assert_eq!(edge.sum(name, labels), 1.0, "{name} {labels:?}");
    }
    for gauge in ["restante_storage_connected", "restante_next_hop_open"] {
        assert_eq!(edge.sum(gauge, &[("role", "sip-edge")]), 1.0, "{gauge}");
    }
    let controlling = shown(scene, Part::ControllingEdge).await;
    let role = [("role", "controlling-edge")];
    assert_eq!(controlling.sum("restante_storage_connected", &role), 1.0);
    assert!(edge.sum("restante_msrp_bytes_total", &[("direction", "out")]) > 100.0);
    assert!(edge.sum("restante_msrp_bytes_total", &[("direction", "in")]) > 50.0);
    let store = eventually(START, "the message to have left", async || {
        let store = shown(scene, Part::Storage).await;
        (store.sum("restante_messages_waiting", &[]) == 0.0).then_some(store)
    })
    .await;
    for (name, labels) in [
        ("restante_messages_stored_total", &[("kind", "pager")][..]),
        ("restante_commit_duration_seconds_count", &[]),
        (
            "restante_time_in_store_seconds_count",
            &[("kind", "pager"), ("end", "delivered")],
        ),
        (
            "restante_register_refresh_total",
            &[("result", "scheduled")],
        ),
        ("restante_wakeups_total", &[("trigger", "registered")]),
        ("restante_pushes_started_total", &[]),
        ("restante_push_lag_seconds_count", &[]),
        (
            "restante_claims_released_total",
            &[("outcome", "completed")],
        ),
        (
            "restante_operator_calls_total",
            &[("method", "ListMessages"), ("result", "ok")],
        ),
        ("restante_edges_attached", &[]),
        ("restante_fan_out_edges_attached", &[]),
    ] {
        assert_eq!(store.sum(name, labels), 1.0, "{name} {labels:?}");
    }
    assert!(store.sum("restante_sync_duration_seconds_count", &[]) >= 3.0);
    assert!(store.sum("restante_disk_free_bytes", &[]) > 1e6);
    assert!(store.sum("restante_rocksdb_memtable_bytes", &[("family", "messages")]) > 0.0);
    assert_eq!(store.sum("restante_store_latched", &[]), 0.0);
    assert_eq!(store.sum("restante_oldest_message_age_seconds", &[]), 0.0);
}

#[tokio::test]
async fn the_age_of_the_oldest_message_that_waits_is_told_also_after_a_restart() {
    let mut scene = Scene::start(Deployment::two_processes()).await;
    let user = somebody();
    scene.deposit(&example::message(&user)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    scene.deposit(&example::message(&somebody())).await;
    old(&scene).await;
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    let store = old(&scene).await;
    assert_eq!(store.sum("restante_mailboxes_waiting", &[]), 2.0);
}

/// What the store shows once it knows of two messages, the older of which is older than two seconds.
async fn old(scene: &Scene) -> Exposition {
    eventually(START, "the age of the older one", async || {
        let store = shown(scene, Part::Storage).await;
        let age = store.sum("restante_oldest_message_age_seconds", &[]);
        let waiting = store.sum("restante_messages_waiting", &[]);
        (age >= 2.0 && waiting == 2.0).then_some(store)
    })
    .await
}

#[tokio::test]
async fn a_refused_call_of_an_operator_is_counted_by_its_method() {
    let scene = Scene::all().await;
    let ended = scene
        .deployment
        .restantectl(&["hold", "1@store.example.org", "--reason", "a test"])
        .await;
    assert_ne!(ended.code, Some(0));
    let store = shown(&scene, Part::Storage).await;
    let labels = [("method", "HoldMessage"), ("result", "refused")];
    assert_eq!(store.sum("restante_operator_calls_total", &labels), 1.0);
}

/// Alerts on messages to many rely on it.
#[tokio::test]
async fn a_store_without_a_controlling_edge_shows_that_there_is_none() {
    let scene = Scene::start(Deployment::two_processes()).await;
    let store = shown(&scene, Part::Storage).await;
    for gauge in ["restante_fan_out_edges_attached", "restante_legs_in_flight"] {
        assert!(store.types.contains_key(gauge), "{gauge}");
        assert_eq!(store.sum(gauge, &[]), 0.0, "{gauge}");
    }
}

/// Both edges of one process show what is theirs.
#[tokio::test]
async fn edges_in_one_process_are_told_apart() {
    let scene = Scene::all().await;
    let all = shown(&scene, Part::Storage).await;
    for role in ["sip-edge", "controlling-edge"] {
        let role = [("role", role)];
        assert_eq!(
            all.sum("restante_storage_connected", &role),
            1.0,
            "{role:?}"
        );
        assert_eq!(all.sum("restante_next_hop_open", &role), 1.0, "{role:?}");
    }
}
