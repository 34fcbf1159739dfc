//! Every row of the conformance checklist is the name of a test, or says why not, and the document shows
//! what there is.

use std::collections::BTreeSet;

use restante_tests::conformance::{
    CHECKLIST, Checklist, DOCUMENT, Record, all_tests, document, root,
};

use crate::tree::assert_none;

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn checklist() -> Checklist {
    Checklist::read(&read(CHECKLIST)).unwrap_or_else(|error| panic!("{CHECKLIST}: {error}"))
}

#[test]
fn every_row_is_the_name_of_a_test_or_has_a_reason() {
    let offences = checklist().offences(&all_tests());
    assert_none("rows and tests differ", offences);
}

#[test]
fn a_verdict_is_that_of_one_test() {
    let mut seen = BTreeSet::new();
    let tests = all_tests();
    let twice = tests.iter().filter(|test| !seen.insert(&test.function));
    let twice = twice.map(|test| format!("{}: {}", test.path, test.function));
    assert_none("tests of one name", twice);
}

#[test]
fn the_document_shows_the_tests_that_there_are() {
    let shown = read(DOCUMENT);
    let written = document(&checklist(), &all_tests(), &Record::of(&shown));
    let difference = shown
        .lines()
        .zip(written.lines())
        .find(|(shown, written)| shown != written);
    assert!(
        shown == written,
        "{DOCUMENT} is not what its tests and {CHECKLIST} make it: run `make conformance ONLY=` with \
         what the names of new tests hold, or `make conformance-document`.\n{difference:#?}"
    );
}
