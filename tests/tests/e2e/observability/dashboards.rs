//! Every question of every panel is one that Prometheus can answer, about metrics that there are.

use std::collections::BTreeSet;
use std::path::Path;

use restante_tests::exposition::documented;
use restante_tests::http::fetch;
use restante_tests::patience::{START, eventually};
use restante_tests::sip::example;
use restante_tests::{Deployment, Scene, somebody};
use serde_json::Value;

use crate::interop::are_there;
use crate::interop::prometheus::Prometheus;

/// The metrics of the document, with the names their series have.
pub(super) fn known_metrics() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let rows = documented(&std::fs::read_to_string(path).expect("the document"));
    let names = rows.iter().flat_map(|row| match row.kind.as_str() {
        "histogram" => vec![
            format!("{}_bucket", row.name),
            format!("{}_sum", row.name),
            format!("{}_count", row.name),
        ],
        _ => vec![row.name.clone()],
    });
    names.collect()
}

/// Names of metrics of ours in a text.
pub(super) fn metrics_of(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let ours = |word: &&str| word.starts_with("restante_") || word.starts_with("process_");
    words.filter(ours).map(str::to_owned).collect()
}

/// Dashboards by file, and the questions of each with the title of their panel.
fn dashboards() -> Vec<(String, Vec<(String, String)>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana/dashboards");
    let files = std::fs::read_dir(folder).expect("the dashboards");
    let mut all: Vec<_> = files
        .map(|file| {
            let path = file.expect("readable").path();
            let text = std::fs::read_to_string(&path).expect("readable");
            let board: Value = serde_json::from_str(&text).expect("JSON");
            let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            assert!(word(&board["uid"]).starts_with("restante-"), "{path:?}");
            let panels = board["panels"].as_array().cloned().unwrap_or_default();
            let questions = panels.iter().flat_map(|panel| {
                let targets = panel["targets"].as_array().cloned().unwrap_or_default();
                let title = word(&panel["title"]);
                targets
                    .iter()
                    .map(|target| (title.clone(), word(&target["expr"])))
                    .collect::<Vec<_>>()
            });
            (word(&board["title"]), questions.collect())
        })
        .collect();
    all.sort();
    all
}

/// What Grafana puts in its place.
fn filled_in(question: &str) -> String {
    question
        .replace("$__rate_interval", "1m")
        .replace("$instance", ".*")
}

/// As it stands in a query string.
fn encoded(text: &str) -> String {
    let octets = text.bytes().map(|octet| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    });
    octets.collect()
}

#[test]
fn dashboards_show_metrics_that_there_are_and_every_one_somewhere() {
    let known = known_metrics();
    let boards = dashboards();
    assert_eq!(boards.len(), 6);
    let mut used = BTreeSet::new();
    for (board, questions) in &boards {
        assert!(questions.len() >= 10, "{board}");
        for (panel, question) in questions {
            let names = metrics_of(question);
            let unknown: Vec<_> = names.difference(&known).collect();
            assert!(unknown.is_empty(), "{board}, {panel}: {unknown:?}");
            used.extend(names);
        }
    }
    // A histogram is shown if one of its series is.
    let base = |name: &str| {
        let cut = ["_bucket", "_sum", "_count"];
        let cut = cut.iter().find_map(|suffix| name.strip_suffix(suffix));
        cut.unwrap_or(name).to_owned()
    };
    let shown: BTreeSet<_> = used.iter().map(|name| base(name)).collect();
    let unseen: Vec<_> = known
        .iter()
        .map(|name| base(name))
        .filter(|name| name.starts_with("restante_") && !shown.contains(name))
        .filter(|name| {
            !["restante_build_info", "restante_upload_duration_seconds"].contains(&name.as_str())
        })
        .collect();
    assert!(unseen.is_empty(), "on no dashboard: {unseen:?}");
}

#[tokio::test]
async fn prometheus_answers_the_question_of_every_panel() {
    if !are_there(&["prometheus", "promtool", "stdbuf"]) {
        return;
    }
    let mut scene = Scene::start(Deployment::three_processes()).await;
    let prometheus = Prometheus::start(&scene.deployment).await;
    scene.deposit(&example::message(&somebody())).await;
    eventually(START, "a scrape of the message", async || {
        let values = prometheus.asked("restante_messages_waiting").await;
        values.iter().any(|(_, value)| value == "1").then_some(())
    })
    .await;
    let mut answered = 0;
    for (board, questions) in dashboards() {
        for (panel, question) in questions {
            let path = format!("/api/v1/query?query={}", encoded(&filled_in(&question)));
            let (status, answer) = fetch(prometheus.address, &path).await.expect("it answers");
            assert_eq!(status, 200, "{board}, {panel}: {question}: {answer}");
            answered += usize::from(answer.contains("\"value\":["));
        }
    }
    // Rates need two scrapes, rare things have no series: gauges and totals answer.
    assert!(answered > 30, "{answered} have values");
}
