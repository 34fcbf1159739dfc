//! The log of a whole process: this test binary run again, with its standard error read.

use std::process::{Command, Stdio};

use restante_daemon::config::{Document, Environment};
use restante_daemon::log::{self, Log};
use restante_daemon::redact::Redacted;

/// Set in the child, where the test plays the part of the process.
const CHILD: &str = "LOG_TEST_CHILD";

fn play() {
    let text = "[log]\nformat = \"json\"\nredaction_key = \"a secret for both of them\"";
    let mut document = Document::parse("restante.toml", text, Environment::default());
    let log = document.read::<Log>();
    document.finish().expect("no mistakes");
    log::init(&log).expect("the first log of this process");
    tracing::info!(user = %Redacted("sip:alice@example.org"), "life");
    for user in ["alice", "bob"] {
        let panicked = std::panic::catch_unwind(|| panic!("no mailbox of {user}"));
        assert!(panicked.is_err());
    }
    assert!(log::init(&log).is_err());
}

/// The lines that a run of the child logs.
fn logged() -> Vec<serde_json::Value> {
    let output = Command::new(std::env::current_exe().expect("this binary"))
        .args([
            "--exact",
            "panics_are_events_without_what_they_were_about",
            "--nocapture",
        ])
        .env(CHILD, "")
        .stdout(Stdio::null())
        .output()
        .expect("a child");
    assert!(output.status.success());
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!text.contains("alice") && !text.contains("bob"), "{text}");
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

#[test]
fn panics_are_events_without_what_they_were_about() {
    if std::env::var_os(CHILD).is_some() {
        return play();
    }
    let lines = logged();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for line in &lines[1..] {
        assert_eq!(
            (&line["message"], &line["level"]),
            (&"panicked".into(), &"ERROR".into())
        );
        let location = line["location"].as_str().expect("a text");
        assert!(location.contains("tests/log.rs:"), "{location}");
    }
    // With a configured key another process prints the same hash.
    assert_eq!(lines[0]["user"], logged()[0]["user"]);
}
