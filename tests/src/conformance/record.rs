//! The verdicts of the last runs, as they stand in the document.

use std::collections::BTreeMap;
use std::fmt;

use super::junit::Outcome;
use super::test::{Test, Tier};

/// What is known of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It passed in its last run.
    Passed,
    /// It has not run since it was written.
    NotRun,
    /// It failed in its last run.
    Failed,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::Passed, Self::NotRun, Self::Failed];
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::NotRun => "not run",
            Self::Failed => "**failed**",
        })
    }
}

/// The verdicts of tests by their functions, and when each tier was run as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    verdicts: BTreeMap<String, Verdict>,
    runs: BTreeMap<Tier, String>,
}

/// What a line on a whole run begins with.
fn run_of(tier: Tier) -> String {
    format!("* Tier {tier}: run of ")
}

impl Record {
    /// What a document says.
    pub fn of(document: &str) -> Self {
        let mut record = Self::default();
        for line in document.lines() {
            for tier in [Tier::Ci, Tier::Long] {
                if let Some(when) = line.strip_prefix(&run_of(tier)) {
                    record
                        .runs
                        .insert(tier, when.trim_end_matches('.').to_owned());
                }
            }
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let verdict = Verdict::ALL
                .into_iter()
                .find(|verdict| cells.contains(&verdict.to_string().as_str()));
            let function = line
                .split_once("[`ct_")
                .and_then(|(_, rest)| rest.split_once('`'));
            if let (Some((name, _)), Some(verdict)) = (function, verdict) {
                record.verdicts.insert(format!("ct_{name}"), verdict);
            }
        }
        record
    }

    /// Takes what came of a run; `whole` names its tier and says when it was, if it was all of it: then
    /// what did not run has no verdict any more.
    pub fn add(
        &mut self,
        outcomes: &BTreeMap<String, Outcome>,
        tests: &[Test],
        whole: Option<(Tier, String)>,
    ) {
        if let Some((tier, when)) = whole {
            for test in tests.iter().filter(|test| test.tier == tier) {
                self.verdicts.remove(&test.function);
            }
            self.runs.insert(tier, when);
        }
        for (function, outcome) in outcomes {
            let verdict = match outcome {
                Outcome::Passed => Verdict::Passed,
                Outcome::Failed => Verdict::Failed,
                Outcome::NotRun(_) => Verdict::NotRun,
            };
            self.verdicts.insert(function.clone(), verdict);
        }
    }

    /// What is known of a test.
    pub fn verdict(&self, test: &Test) -> Verdict {
        let known = self.verdicts.get(&test.function);
        known.copied().unwrap_or(Verdict::NotRun)
    }

    /// A line for each tier that was run as a whole.
    pub(super) fn runs(&self) -> impl Iterator<Item = String> {
        let runs = self.runs.iter();
        runs.map(|(tier, when)| format!("{}{when}.", run_of(*tier)))
    }
}

#[cfg(test)]
mod unit {
    use super::super::test::tests;
    use super::{Outcome, Record, Tier, Verdict};

    const DOCUMENT: &str = "* Tier ci: run of 2026-11-21.\n\
        | CT-DLV-01 | DLV-01 | [`ct_dlv_01_a`](../a.rs) | passed | ci |\n\
        | | | [`ct_dlv_01_b`](../a.rs) | **failed** | ci |\n\
        | | | [`ct_dlv_01_c`](../a.rs) | not run | long |\n";

    #[test]
    fn a_document_is_read() {
        let tests = tests(
            "a.rs",
            "fn ct_dlv_01_a() {}\nfn ct_dlv_01_b() {}\nfn ct_dlv_01_c() {}\nfn ct_dlv_01_d() {}",
        );
        let mut record = Record::of(DOCUMENT);
        let verdicts = |record: &Record| {
            let verdicts = tests.iter().map(|test| record.verdict(test));
            verdicts.collect::<Vec<_>>()
        };
        use Verdict::{Failed, NotRun, Passed};
        assert_eq!(verdicts(&record), [Passed, Failed, NotRun, NotRun]);
        assert_eq!(
            record.runs().collect::<Vec<_>>(),
            ["* Tier ci: run of 2026-11-21."]
        );

        let again = [("ct_dlv_01_b".to_owned(), Outcome::Passed)].into();
        record.add(&again, &tests, None);
        assert_eq!(verdicts(&record), [Passed, Passed, NotRun, NotRun]);
        record.add(&again, &tests, Some((Tier::Ci, "today".to_owned())));
        assert_eq!(verdicts(&record), [NotRun, Passed, NotRun, NotRun]);
    }
}
