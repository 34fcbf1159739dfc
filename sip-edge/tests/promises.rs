//! What must hold of the sources themselves.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of the crate");
    let paths = entries.map(|entry| entry.expect("readable").path());
    let nested = paths.map(|path| {
        if path.is_dir() {
            sources(&path)
        } else {
            vec![path]
        }
    });
    nested.flatten().collect()
}

/// The crates of which a participating edge is made.
const CRATES: [&str; 2] = ["sip-edge", "edge"];

/// Files of these crates one of whose lines of code holds `word`.
fn naming(word: &str) -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let names_it = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("text");
        text.lines()
            .any(|line| !line.trim_start().starts_with("//") && line.contains(word))
    };
    let sources = CRATES.map(|name| sources(&root.join(name).join("src")));
    let found = sources.into_iter().flatten().filter(names_it);
    let relative = found.map(|path| {
        path.strip_prefix(&root)
            .expect("below the root")
            .display()
            .to_string()
    });
    relative.collect()
}

#[test]
fn one_file_makes_a_202_and_it_takes_the_proof() {
    assert_eq!(
        naming("StatusCode::ACCEPTED"),
        ["sip-edge/src/ingress/accept.rs"]
    );
    let accept = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ingress/accept.rs");
    let text = fs::read_to_string(accept).expect("text");
    assert!(
        text.contains("&Deposited"),
        "the proof is no argument any more"
    );
}

#[test]
fn the_marks_secret_is_read_in_two_places_only() {
    let mut readers = naming(".secret");
    readers.sort();
    assert_eq!(readers, ["edge/src/checks.rs", "edge/src/user_agent.rs"]);
}
