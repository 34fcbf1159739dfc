//! Each threat of SECURITY.md names tests that try it, and there are such tests.

use std::collections::BTreeSet;

use crate::tree::{File, assert_none, tracked_as};

/// The document.
const DOCUMENT: &str = "SECURITY.md";

/// The head of a table of threats: its last column names tests.
const HEAD: &str = "| threat | protection | test |";

/// Rows that name no test, and tests that do not exist.
fn offences(document: &File, tests: &BTreeSet<String>) -> Vec<String> {
    let mut offences = Vec::new();
    let mut is_table = false;
    for (number, line) in document.lines() {
        is_table = line == HEAD || is_table && line.starts_with('|');
        if !is_table || line == HEAD || line.starts_with("|---") {
            continue;
        }
        let cells = line.trim_end_matches([' ', '|']).rsplit_once('|');
        let named = cells.map_or("", |(_, tests)| tests);
        // What stands between backticks is every second piece.
        let named: Vec<_> = named.split('`').skip(1).step_by(2).collect();
        if named.is_empty() {
            offences.push(document.offence(number, "no test tries this threat"));
        }
        let unknown = named.iter().filter(|test| !tests.contains(**test));
        offences.extend(
            unknown.map(|test| document.offence(number, &format!("there is no test `{test}`"))),
        );
    }
    offences
}

/// Names of functions in these sources.
fn functions(sources: &[File]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources {
        for (_, line) in source.lines() {
            let Some((_, rest)) = line.split_once("fn ") else {
                continue;
            };
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            names.insert(rest[..end].to_owned());
        }
    }
    names
}

#[test]
fn every_threat_is_tried_by_tests_that_exist() {
    let tests = functions(&tracked_as(&["rs"]));
    let documents = tracked_as(&["md"]);
    let document = documents.iter().find(|file| file.path == DOCUMENT);
    let document = document.expect("SECURITY.md");
    assert!(document.text.contains(HEAD), "it has a table of threats");
    assert_none("threats without their tests", offences(document, &tests));
}

#[test]
fn threats_without_tests_are_found() {
    let text =
        format!("{HEAD}\n|---|---|---|\n| a | b | `known` |\n| c | d | `gone` |\n| e | `f` | |\n");
    let document = File::new(DOCUMENT, &text);
    let tests = functions(&[File::new("a.rs", "async fn known() {}\n")]);
    let found = offences(&document, &tests);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("gone"), "{found:?}");
}
