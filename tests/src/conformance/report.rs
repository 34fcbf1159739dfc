//! What came of a run against a target: nothing that did not run counts as passed.

use std::collections::BTreeMap;

use super::junit::Outcome;
use super::test::{Test, Tier};

/// Why tests of parts alone say nothing of a target.
const ALONE: &str = "tests a part alone, beside a peer that does what the test tells it";

/// The report on the tests of tier ci; `only` is what the names of those that were asked for hold.
pub fn report(tests: &[Test], outcomes: &BTreeMap<String, Outcome>, only: &str) -> String {
    let mut passed = 0;
    let mut failed = Vec::new();
    let mut not_run: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let asked = tests
        .iter()
        .filter(|test| test.tier == Tier::Ci && test.function.contains(only));
    for test in asked {
        let function = test.function.as_str();
        match outcomes.get(function) {
            Some(Outcome::Passed) => passed += 1,
            Some(Outcome::Failed) => failed.push(function),
            Some(Outcome::NotRun(why)) => not_run.entry(why).or_default().push(function),
            None if test.folder() == "tests" => {
                not_run.entry("was not reached").or_default().push(function);
            }
            None => not_run.entry(ALONE).or_default().push(function),
        }
    }
    let count: usize = not_run.values().map(Vec::len).sum();
    let mut text = format!(
        "{passed} passed, {} failed, {count} not run against the target\n",
        failed.len()
    );
    if !failed.is_empty() {
        text += &section("Failed", &failed);
    }
    for (why, functions) in &not_run {
        let why = why.strip_prefix("it ").unwrap_or(why);
        text += &section(&format!("Not run: each {why}"), functions);
    }
    text
}

fn section(title: &str, functions: &[&str]) -> String {
    let lines = functions.iter().map(|function| format!("  {function}\n"));
    format!("\n{title}\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod unit {
    use super::super::test::tests;
    use super::{Outcome, report};

    #[test]
    fn what_did_not_run_is_told_by_name_and_reason() {
        let mut all = tests(
            "tests/a.rs",
            "fn ct_dlv_01_a() {}\nfn ct_dlv_02_b() {}\nfn ct_dlv_03_c() {}\nfn ct_dlv_04_d() {}",
        );
        all.extend(tests("sip-edge/a.rs", "fn ct_dlv_05_e() {}"));
        let outcomes = [
            ("ct_dlv_01_a", Outcome::Passed),
            ("ct_dlv_02_b", Outcome::Failed),
            (
                "ct_dlv_03_c",
                Outcome::NotRun("it starts processes".to_owned()),
            ),
        ];
        let outcomes = outcomes
            .map(|(name, outcome)| (name.to_owned(), outcome))
            .into();
        let expected = "1 passed, 1 failed, 3 not run against the target\n\nFailed\n  ct_dlv_02_b\n\n\
            Not run: each starts processes\n  ct_dlv_03_c\n\n\
            Not run: each tests a part alone, beside a peer that does what the test tells it\n  ct_dlv_05_e\n\n\
            Not run: each was not reached\n  ct_dlv_04_d\n";
        assert_eq!(report(&all, &outcomes, ""), expected);
        assert!(report(&all, &outcomes, "dlv_01").starts_with("1 passed, 0 failed, 0 not run"));
    }
}
