//! `docs/conformance.md`, as it is written.

use std::collections::{BTreeMap, BTreeSet};

use super::checklist::{Checklist, Row};
use super::record::{Record, Verdict};
use super::test::{Test, Tier};

const HEAD: &str = "\
# Conformance

Every requirement, the rows of the checklist that test it, the tests that are named after each row, and what came of them. This document
is written by `make conformance`; what it is made of, reasons among it, is [tests/checklist.toml](../tests/checklist.toml). A test of the
repository fails if a row has neither a test nor a reason, or if the tests named here are not those that there are.

The test of row CT-DLV-10 is called `ct_dlv_10_…`, that of several rows `ct_dlv_28_29_…` or `ct_def_11_to_13_…`. Most are black-box tests
in `tests/tests`: the real processes, peers that speak SIP and MSRP over real sockets and share no code with what they test. Those that
need a store or a client which does what the test tells it are in `sip-edge/tests` and `net`; those about the reference client, with a
scripted server as its peer, in `im-client/tests`.

    make conformance                          all of tier ci, and this document (needs cargo-nextest)
    make conformance ONLY=ct_dlv              tests whose names hold this; the verdicts of the others stay
    make conformance TIER=long                those with the timers of a real deployment
    make conformance TARGET=FILE              against a deployment that is there

What the last one needs, and what cannot be run so, is in [conformance-target.md](conformance-target.md).

A verdict is that of the last run of a test: *passed*, *failed*, or *not run* for one that is newer than the run. *In part* names
the rows of which something is left out; it is said with the row what. *Not supported* is what a test expects as an answer to what is
not offered.
";

/// What is known of a row or of a requirement.
#[derive(Clone, Debug, Default)]
struct Standing {
    verdicts: BTreeSet<Verdict>,
    tiers: BTreeSet<Tier>,
}

impl Standing {
    fn add(&mut self, other: &Self) {
        self.verdicts.extend(&other.verdicts);
        self.tiers.extend(&other.tiers);
    }

    /// The worst verdict.
    fn verdict(&self) -> Option<Verdict> {
        self.verdicts.last().copied()
    }

    fn tiers(&self) -> String {
        let tiers = self.tiers.iter().map(Tier::to_string);
        tiers.collect::<Vec<_>>().join(", ")
    }
}

/// What the document is made of.
struct Writer<'a> {
    checklist: &'a Checklist,
    tests: &'a [Test],
    record: &'a Record,
    /// The names of rows and requirements.
    known: BTreeSet<String>,
}

/// The document.
pub fn document(checklist: &Checklist, tests: &[Test], record: &Record) -> String {
    let writer = Writer {
        checklist,
        tests,
        record,
        known: checklist.names(),
    };
    [
        HEAD.to_owned(),
        writer.summary(),
        writer.requirements(),
        writer.rows(),
    ]
    .join("\n")
}

impl Writer<'_> {
    fn tests_of(&self, name: &str) -> Vec<&Test> {
        let named = |test: &&Test| test.names(&self.known).any(|row| row == name);
        self.tests.iter().filter(named).collect()
    }

    fn standing(&self, name: &str) -> Standing {
        let mut standing = Standing::default();
        for test in self.tests_of(name) {
            standing.verdicts.insert(self.record.verdict(test));
            standing.tiers.insert(test.tier);
        }
        standing
    }

    fn summary(&self) -> String {
        let runs: Vec<String> = self.record.runs().collect();
        let mut text = format!("## Runs\n\n{}\n", runs.join("\n"));
        let count = |verdict| {
            let verdicts = self.tests.iter().map(|test| self.record.verdict(test));
            verdicts.filter(|found| *found == verdict).count()
        };
        let requirements = self.checklist.requirements.iter();
        let requirements = requirements.flat_map(|area| area.names()).count();
        let rows = self.checklist.rows().count();
        let without = |row: &Row<'_>| self.checklist.without_test.contains_key(&row.name);
        let without = self.checklist.rows().filter(without).count();
        text += &format!(
            "\n{requirements} requirements; {rows} rows, {without} of them without a test; {} tests: {} passed, {} failed, \
             {} not run.\n",
            self.tests.len(),
            count(Verdict::Passed),
            count(Verdict::Failed),
            count(Verdict::NotRun),
        );
        text
    }

    /// Each requirement with its rows, and each section that rows refer to.
    fn requirements(&self) -> String {
        let mut rows_of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for row in self.checklist.rows() {
            for requirement in row.requirements {
                rows_of
                    .entry(requirement)
                    .or_default()
                    .push(row.name.clone());
            }
        }
        let mut text = String::from("## Requirements\n");
        let mut table = |title: &str, names: Vec<String>| {
            text += &format!(
                "\n### {title}\n\n| Requirement | Rows | Verdict | Tier |\n|---|---|---|---|\n"
            );
            for name in names {
                let rows = rows_of.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                text += &self.requirement(&name, rows);
            }
        };
        for area in &self.checklist.requirements {
            table(&area.title, area.names().collect());
        }
        let sections = self.checklist.sections().into_iter().map(str::to_owned);
        table(
            "Sections of the requirements that rows refer to",
            sections.collect(),
        );
        text
    }

    fn requirement(&self, name: &str, rows: &[String]) -> String {
        let mut standing = self.standing(name);
        let mut cells: Vec<&str> = rows.iter().map(String::as_str).collect();
        let functions: Vec<String> = self
            .tests_of(name)
            .iter()
            .map(|test| format!("`{}`", test.function))
            .collect();
        cells.extend(functions.iter().map(String::as_str));
        for row in rows {
            standing.add(&self.standing(row));
        }
        let verdict = match (standing.verdict(), self.checklist.without_test.get(name)) {
            (Some(verdict), _) => self.with_notes(verdict, rows),
            (None, Some(why)) => format!("no test: {why}"),
            (None, None) => "no test: see its rows".to_owned(),
        };
        format!(
            "| {name} | {} | {verdict} | {} |\n",
            cells.join(", "),
            standing.tiers()
        )
    }

    /// A verdict, and which of these rows it is not the whole truth about.
    fn with_notes(&self, verdict: Verdict, rows: &[String]) -> String {
        let notes = [
            ("in part", &self.checklist.in_part),
            ("not supported", &self.checklist.not_supported),
            ("without a test", &self.checklist.without_test),
        ];
        let mut text = verdict.to_string();
        for (note, known) in notes {
            let rows: Vec<&str> = rows
                .iter()
                .filter(|row| known.contains_key(*row))
                .map(String::as_str)
                .collect();
            if !rows.is_empty() {
                text += &format!("; {note}: {}", rows.join(", "));
            }
        }
        text
    }

    /// Each row with its tests.
    fn rows(&self) -> String {
        let mut text = String::from("## Checklist\n");
        for area in &self.checklist.checklist {
            text += &format!(
                "\n### {}\n\n| Row | Requirements | Test | Verdict | Tier |\n|---|---|---|---|---|\n",
                area.title
            );
            for row in area.rows() {
                text += &self.row(&row);
            }
        }
        text
    }

    fn row(&self, row: &Row<'_>) -> String {
        let mut lines = Vec::new();
        for test in self.tests_of(&row.name) {
            lines.push(format!(
                "[`{}`](../{}) | {} | {}",
                test.function,
                test.path,
                self.record.verdict(test),
                test.tier
            ));
        }
        let notes = [
            ("no test", &self.checklist.without_test),
            ("not supported", &self.checklist.not_supported),
            ("left out", &self.checklist.in_part),
        ];
        for (note, known) in notes {
            if let Some(why) = known.get(&row.name) {
                lines.push(format!("*{note}: {why}* | |"));
            }
        }
        let mut text = String::new();
        for (number, line) in lines.iter().enumerate() {
            let head = match number {
                0 => format!("| {} | {} |", row.name, row.requirements.join(", ")),
                _ => "| | |".to_owned(),
            };
            text += &format!("{head} {line} |\n");
        }
        text
    }
}

#[cfg(test)]
mod unit {
    use super::super::test::tests;
    use super::{Checklist, Record, document};

    #[test]
    fn what_is_written_is_read_back() {
        let checklist = r#"
            requirements = [{ area = "DLV", title = "Delivery", numbers = "01 02 03" }]
            [[checklist]]
            area = "DLV"
            title = "Rows"
            [checklist.rows]
            01 = "DLV-01 3.5"
            02 = "DLV-02"
            [without_test]
            CT-DLV-02 = "later"
            DLV-03 = "says nothing"
            [in_part]
            CT-DLV-01 = "half""#;
        let checklist = Checklist::read(checklist).expect("a checklist");
        let tests = tests("a/b.rs", "fn ct_dlv_01_a() {}\nfn ct_dlv_01_b() {}");
        let known = "| [`ct_dlv_01_a`](x) | passed |\n* Tier ci: run of today.";
        let record = Record::of(known);
        let written = document(&checklist, &tests, &record);
        for line in [
            "3 requirements; 2 rows, 1 of them without a test; 2 tests: 1 passed, 0 failed, 1 not run.",
            "| DLV-01 | CT-DLV-01 | not run; in part: CT-DLV-01 | ci |",
            "| DLV-02 | CT-DLV-02 | no test: see its rows |  |",
            "| DLV-03 |  | no test: says nothing |  |",
            "| 3.5 | CT-DLV-01 | not run; in part: CT-DLV-01 | ci |",
            "| CT-DLV-01 | DLV-01, 3.5 | [`ct_dlv_01_a`](../a/b.rs) | passed | ci |",
            "| | | [`ct_dlv_01_b`](../a/b.rs) | not run | ci |",
            "| | | *left out: half* | | |",
            "| CT-DLV-02 | DLV-02 | *no test: later* | | |",
        ] {
            let found = written.lines().any(|found| found == line);
            assert!(found, "{line}\n\n{written}");
        }
        assert_eq!(document(&checklist, &tests, &Record::of(&written)), written);
    }
}
