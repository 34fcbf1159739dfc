//! How sources are written: heads, stubs, sizes.

use crate::tree::{File, assert_none, tracked, tracked_as};

/// A longer file has more than one subject.
const MAX_LINES: usize = 700;

/// What stands for work that was not done. In two parts each, or this file would be an offence.
const STUBS: [&str; 5] = [
    concat!("todo", "!("),
    concat!("todo", "!{"),
    concat!("unimplemented", "!("),
    concat!("#[", "ignore"),
    concat!("dbg", "!("),
];

/// A test that takes too long to run with every change: it belongs to a tier of its own (docs/conformance.md).
const LONG: &str = concat!("#[", "ignore = \"long: ");

/// Words of comments that announce such work.
const PROMISES: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];

fn headless(files: &[File]) -> Vec<String> {
    let headless = files.iter().filter(|file| !file.text.starts_with("//! "));
    headless
        .map(|file| file.offence(1, "does not begin with `//! `"))
        .collect()
}

fn stubs(files: &[File]) -> Vec<String> {
    let mut offences = Vec::new();
    for file in files {
        for (number, line) in file.lines() {
            let comment = line
                .split_once("//")
                .map(|(_, comment)| comment)
                .unwrap_or_default();
            let mut words = comment.split(|c: char| !c.is_alphanumeric());
            let promised = words.find(|word| PROMISES.contains(word));
            let is_long = line.trim_start().starts_with(LONG);
            let mut stubs = STUBS.into_iter().filter(|_| !is_long);
            let stub = stubs.find(|stub| line.contains(stub));
            offences.extend(stub.or(promised).map(|word| file.offence(number, word)));
        }
    }
    offences
}

fn too_long(files: &[File]) -> Vec<String> {
    // Lock files are cargo's, the document is a program's; the others are what peers sent, word for word.
    let ours = |file: &&File| {
        !file.path.ends_with("Cargo.lock")
            && file.path != restante_tests::conformance::DOCUMENT
            && !file.path.contains("/testdata/")
            && !file.path.contains("/fixtures/")
    };
    let lengths = files
        .iter()
        .filter(ours)
        .map(|file| (file, file.text.lines().count()));
    let long = lengths.filter(|(_, length)| *length > MAX_LINES);
    long.map(|(file, length)| format!("{}: {length} lines", file.path))
        .collect()
}

#[test]
fn every_source_says_what_it_is_for() {
    assert_none("sources without a head", headless(&tracked_as(&["rs"])));
}

#[test]
fn nothing_is_left_to_be_done() {
    assert_none("stubs", stubs(&tracked_as(&["rs"])));
}

#[test]
fn no_file_is_too_long() {
    assert_none("longer than 700 lines", too_long(&tracked()));
}

#[test]
fn offences_are_found() {
    let text = format!(
        "fn a() {{ {}) }}\n// {} later\nlet a = b;\n{}]\n{LONG}32 s\")]",
        STUBS[0], PROMISES[0], STUBS[3]
    );
    let file = File::new("a.rs", &text);
    let expected = [
        format!("a.rs:1: {}", STUBS[0]),
        format!("a.rs:2: {}", PROMISES[0]),
        format!("a.rs:4: {}", STUBS[3]),
    ];
    let files = [file];
    assert_eq!(stubs(&files), expected);
    assert_eq!(headless(&files), ["a.rs:1: does not begin with `//! `"]);
    assert_eq!(headless(&[File::new("a.rs", "//! A.\n")]), [""; 0]);
    let long = "\n".repeat(MAX_LINES + 1);
    let files = ["a.md", "Cargo.lock", "sip/testdata/a.txt"].map(|path| File::new(path, &long));
    assert_eq!(too_long(&files), ["a.md: 701 lines"]);
}
