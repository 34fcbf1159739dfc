//! The commented default file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::section::{KeyDoc, SectionDoc};

const HEAD: &str = "\
# Configuration of Restante.
#
# Every key is shown with its default; remove the `#` before a key to change it.
# A key can also be set in the environment: [push] delay as RESTANTE_PUSH__DELAY.
";

/// Prints the default file: every key with its description, commented out at its default.
/// Sections of one name are joined, and a key that several of them declare is shown once.
pub fn render_default(sections: &[&SectionDoc]) -> String {
    let mut out = HEAD.to_owned();
    let mut printed = BTreeSet::new();
    // Top-level keys first: in TOML they would otherwise belong to the table before them.
    let top = sections.iter().filter(|section| section.name.is_empty());
    let tables = sections.iter().filter(|section| !section.name.is_empty());
    for section in top.chain(tables) {
        if printed.insert(section.name) {
            render_section(&mut out, section.name, sections);
        }
    }
    out
}

/// Keys that several sections of one name declare with another default or type, as `section.key`.
/// There should be none: one line of the file would mean two things. For a test of whoever brings
/// the sections together.
pub fn conflicts(sections: &[&SectionDoc]) -> BTreeSet<String> {
    let mut seen = BTreeMap::new();
    let mut conflicts = BTreeSet::new();
    for section in sections {
        for key in section.keys {
            let meaning = (key.default, (key.expected)());
            let first = seen
                .entry((section.name, key.name))
                .or_insert_with(|| meaning.clone());
            if *first != meaning {
                conflicts.insert(format!("{}.{}", section.name, key.name));
            }
        }
    }
    conflicts
}

fn render_section(out: &mut String, name: &str, sections: &[&SectionDoc]) {
    let parts: Vec<_> = sections
        .iter()
        .filter(|section| section.name == name)
        .collect();
    out.push('\n');
    let mut said = BTreeSet::new();
    for part in parts.iter().filter(|part| said.insert(part.doc)) {
        comment(out, part.doc);
    }
    if !name.is_empty() {
        push_line(out, &format!("[{name}]"));
    }
    let mut printed = BTreeSet::new();
    for key in parts.iter().flat_map(|part| part.keys) {
        if printed.insert(key.name) {
            render_key(out, key);
        }
    }
}

fn render_key(out: &mut String, key: &KeyDoc) {
    out.push('\n');
    comment(out, key.doc);
    push_line(out, &format!("# Takes {}.", (key.expected)()));
    // A long list was wrapped by the compiler; the comment sign stands for one line only.
    let default: Vec<_> = key.default.lines().map(str::trim).collect();
    push_line(out, &format!("#{} = {}", key.name, default.join(" ")));
}

fn comment(out: &mut String, lines: &[&str]) {
    for line in lines {
        push_line(out, format!("#{line}").trim_end());
    }
}

fn push_line(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes all that is written to it");
}
