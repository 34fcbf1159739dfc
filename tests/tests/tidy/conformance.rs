//! Every row of the conformance checklist is the name of a test, or `docs/conformance.md` says why not.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{File, assert_none, tracked_as};

/// The document with all rows, and those without a test or with only a part of one.
const DOCUMENT: &str = "docs/conformance.md";

/// Its section on rows that no test is named after.
const WITHOUT: &str = "## Rows without a test";

/// Its section on rows of which a test leaves something out.
const IN_PART: &str = "## Rows tested in part";

/// A row: its area, such as `DLV`, and its number, such as `05b`.
type Row = (String, String);

fn row(area: &str, number: &str) -> Row {
    (area.to_ascii_uppercase(), number.to_owned())
}

fn show((area, number): &Row) -> String {
    format!("CT-{area}-{number}")
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    digits.len() == 2 && word.len() <= 3 && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// The rows after which a test is named: `ct_dlv_05b_…`, `ct_dlv_13_14_…`, `ct_def_11_to_13_…`,
/// `ct_def_26_and_msr_02_…`. Areas are those of the checklist.
fn rows_of(test: &str, areas: &BTreeSet<String>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    let mut area: Option<String> = None;
    let mut is_range = false;
    for word in test.split('_') {
        match (word, area.as_deref()) {
            ("ct" | "and", _) => {}
            ("to", Some(_)) if !rows.is_empty() => is_range = true,
            (number, Some(area)) if is_number(number) => {
                let last = rows.last().map(|(_, last)| last.clone());
                if let (true, Some(last)) = (is_range, last) {
                    rows.extend(
                        between(&last, number)
                            .iter()
                            .map(|number| row(area, number)),
                    );
                }
                rows.push(row(area, number));
                is_range = false;
            }
            (word, _) if areas.contains(&word.to_ascii_uppercase()) => area = Some(word.to_owned()),
            _ => break,
        }
    }
    rows
}

/// The numbers between these two, without them.
fn between(first: &str, last: &str) -> Vec<String> {
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    let inner = number(first) + 1..number(last);
    inner.map(|number| format!("{number:02}")).collect()
}

/// Names of test functions in a source.
fn tests(file: &File) -> impl Iterator<Item = &str> {
    let names = file.text.split("fn ct_").skip(1);
    names
        .filter_map(|rest| rest.split_once('('))
        .map(|(name, _)| name)
}

/// Rows of the checklist: lines `| DLV | 01–05 05b 06–36 |`.
fn checklist(document: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in document.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(area), Some(numbers)) = (cells.next(), cells.next()) else {
            continue;
        };
        let is_area = !area.is_empty() && area.bytes().all(|octet| octet.is_ascii_uppercase());
        let spans = numbers.split(' ').filter(|_| is_area);
        for span in spans {
            let (first, last) = span.split_once('–').unwrap_or((span, span));
            rows.push(row(area, first));
            if first != last {
                rows.extend(between(first, last).iter().map(|number| row(area, number)));
                rows.push(row(area, last));
            }
        }
    }
    rows
}

/// The rows that a section of the document is about: lines `| CT-DLV-01 | why |`, each with a reason.
fn exceptions(document: &str, section: &str) -> BTreeMap<Row, String> {
    let body = document.split(section).nth(1).unwrap_or_default();
    let body = body.split("\n## ").next().unwrap_or_default();
    let mut rows = BTreeMap::new();
    for line in body.lines() {
        let mut cells = line.split('|').map(str::trim).skip(1);
        let (Some(names), Some(why)) = (cells.next(), cells.next()) else {
            continue;
        };
        for name in names.split(", ") {
            let name = name
                .strip_prefix("CT-")
                .and_then(|name| name.split_once('-'));
            if let Some((area, numbers)) = name {
                let (first, last) = numbers.split_once('–').unwrap_or((numbers, numbers));
                let inner = between(first, last).into_iter();
                let ends = [first.to_owned(), last.to_owned()];
                rows.extend(
                    inner
                        .chain(ends)
                        .map(|number| (row(area, &number), why.to_owned())),
                );
            }
        }
    }
    rows
}

/// What is wrong with the document, by the names of tests.
fn offences<'a>(document: &str, tests: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let rows: BTreeSet<Row> = checklist(document).into_iter().collect();
    let areas = rows.iter().map(|(area, _)| area.clone()).collect();
    let tests = tests.into_iter();
    let named: BTreeSet<Row> = tests.flat_map(|test| rows_of(test, &areas)).collect();
    let without = exceptions(document, WITHOUT);
    let in_part = exceptions(document, IN_PART);
    let mut offences = Vec::new();
    let mut note = |row: &Row, sentence: &str| offences.push(format!("{} {sentence}", show(row)));
    for row in &rows {
        match (named.contains(row), without.contains_key(row)) {
            (false, false) => note(row, "is the name of no test, and nothing says why"),
            (true, true) => note(
                row,
                "is the name of a test: it does not belong to those without",
            ),
            _ => {}
        }
        if in_part.contains_key(row) && !named.contains(row) {
            note(row, "is the name of no test: it is not tested in part");
        }
    }
    for row in named.iter().chain(without.keys()).chain(in_part.keys()) {
        if !rows.contains(row) {
            note(row, "is not in the checklist");
        }
    }
    for (row, why) in without.iter().chain(&in_part) {
        if why.is_empty() {
            note(row, "has no reason");
        }
    }
    offences
}

#[test]
fn every_row_is_the_name_of_a_test_or_has_a_reason() {
    let files = tracked_as(&["rs", "md"]);
    let document = files.iter().find(|file| file.path == DOCUMENT);
    let document = document.expect("the document is tracked");
    let sources = files.iter().filter(|file| file.path.ends_with(".rs"));
    // This file names rows that are none.
    let sources = sources.filter(|file| !file.path.ends_with("tidy/conformance.rs"));
    assert_none(
        "rows and tests differ",
        offences(&document.text, sources.flat_map(tests)),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKLIST: &str = "| Area | Rows |\n|---|---|\n| DLV | 01–03 05b |\n| MSR | 02 |\n";

    fn found(document: &str, tests: &[&str]) -> Vec<String> {
        offences(&format!("{CHECKLIST}{document}"), tests.iter().copied())
    }

    #[test]
    fn names_are_read_in_every_form() {
        let areas = ["DEF", "MSR", "DLV"].map(str::to_owned).into();
        for (test, expected) in [
            ("dlv_05b_every_body", "DLV-05b"),
            ("def_11_to_13_only", "DEF-11 DEF-12 DEF-13"),
            ("def_26_and_msr_02", "DEF-26 MSR-02"),
            ("dlv_13_14_a_large", "DLV-13 DLV-14"),
            ("def_02_ct_dlv_08_a", "DEF-02 DLV-08"),
            ("prv_a_private_message", ""),
        ] {
            let rows: Vec<_> = rows_of(test, &areas).iter().map(show).collect();
            let rows = rows.join(" ").replace("CT-", "");
            assert_eq!(rows, expected, "{test}");
        }
    }

    #[test]
    fn a_row_needs_a_test_or_a_reason() {
        let tests = ["dlv_01_to_03_a", "dlv_05b_b", "msr_02_c"];
        assert_eq!(found("", &tests), [""; 0]);
        assert_eq!(
            found("", &tests[..2]),
            ["CT-MSR-02 is the name of no test, and nothing says why"]
        );
        let reason = format!("{WITHOUT}\n\n| CT-MSR-02 | later |\n");
        assert_eq!(found(&reason, &tests[..2]), [""; 0]);
        assert_eq!(found(&reason, &tests).len(), 1, "a stale reason");
        let empty = format!("{WITHOUT}\n\n| CT-MSR-02 | |\n");
        assert_eq!(found(&empty, &tests[..2]), ["CT-MSR-02 has no reason"]);
        let part = format!("{IN_PART}\n\n| CT-DLV-01–03, CT-MSR-02 | half |\n");
        assert_eq!(found(&part, &tests), [""; 0]);
        assert_eq!(found(&part, &tests[..2]).len(), 2);
    }

    #[test]
    fn a_row_that_is_none_is_found() {
        let tests = ["dlv_01_to_03_a", "dlv_05b_b", "msr_02_c", "dlv_99_d"];
        assert_eq!(found("", &tests), ["CT-DLV-99 is not in the checklist"]);
    }
}
