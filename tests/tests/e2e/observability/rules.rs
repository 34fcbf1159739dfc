//! Alert rules: each fires for what it is for, has a section in the handbook, and asks for metrics that there are.

use std::collections::BTreeSet;
use std::path::PathBuf;

use restante_tests::run::run;
use tokio::process::Command;

use super::dashboards::{known_metrics, metrics_of};
use crate::interop::are_there;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path)
}

fn text(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What follows a key in a line of its own.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.trim().trim_start_matches("- ").strip_prefix(key))
}

#[tokio::test]
async fn alert_rules_pass_their_unit_tests() {
    if !are_there(&["promtool"]) {
        return;
    }
    for arguments in [
        ["check", "rules", "deploy/prometheus/alerts.yml"],
        ["test", "rules", "deploy/prometheus/tests/alerts.yml"],
    ] {
        let mut promtool = Command::new("promtool");
        promtool.args(arguments).current_dir(file("."));
        run(promtool).await.done();
    }
}

#[test]
fn every_alert_has_its_section_and_its_tests() {
    let rules = text("deploy/prometheus/alerts.yml");
    let alerts: BTreeSet<_> = values(&rules, "alert: ").collect();
    let handbook = text("docs/operations-by-failure.md");
    let sections: BTreeSet<_> = values(&handbook, "## ")
        .filter(|name| name.starts_with("Restante"))
        .collect();
    assert_eq!(
        alerts, sections,
        "alerts, and sections of docs/operations-by-failure.md"
    );
    let tests = text("deploy/prometheus/tests/alerts.yml");
    for alert in &alerts {
        let is_it = |name: &&str| name == alert;
        let tested = values(&tests, "alertname: ").filter(is_it).count();
        assert!(tested >= 2, "{alert} is tested to fire and not to fire");
        let book = format!("docs/operations-by-failure.md#{}", alert.to_lowercase());
        assert!(
            values(&rules, "runbook_url: ").any(|url| url == book),
            "{book}"
        );
    }
}

#[test]
fn alerts_ask_for_metrics_that_there_are() {
    let known = known_metrics();
    let rules = text("deploy/prometheus/alerts.yml");
    let used: BTreeSet<_> = metrics_of(&rules);
    assert!(used.len() > 20, "{used:?}");
    let unknown: Vec<_> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
