//! What came of each test of a run, as cargo-nextest writes it down in the JUnit format.

use std::collections::BTreeMap;

use crate::target::NOT_RUN;

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It found that it cannot run against a target that it has not started, and why.
    NotRun(String),
}

/// The outcomes of the functions that ran.
///
/// # Errors
/// When the text is no XML.
pub fn outcomes(junit: &str) -> Result<BTreeMap<String, Outcome>, roxmltree::Error> {
    let document = roxmltree::Document::parse(junit)?;
    let cases = document
        .descendants()
        .filter(|node| node.has_tag_name("testcase"));
    let outcomes = cases.filter_map(|case| {
        let name = case.attribute("name")?;
        let function = name.rsplit("::").next().unwrap_or(name);
        Some((function.to_owned(), outcome(case)))
    });
    Ok(outcomes.collect())
}

fn outcome(case: roxmltree::Node<'_, '_>) -> Outcome {
    let failure = case
        .children()
        .find(|child| child.has_tag_name("failure") || child.has_tag_name("error"));
    let Some(failure) = failure else {
        return Outcome::Passed;
    };
    let texts = case.descendants().filter_map(|node| node.text());
    let mut texts = texts.chain(failure.attribute("message"));
    let reason = texts.find_map(|text| {
        let (_, reason) = text.split_once(NOT_RUN)?;
        Some(reason.lines().next().unwrap_or_default().trim().to_owned())
    });
    reason.map_or(Outcome::Failed, Outcome::NotRun)
}

#[cfg(test)]
mod tests {
    use super::{NOT_RUN, Outcome, outcomes};

    #[test]
    fn a_run_is_read() {
        let junit = format!(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="run"><testsuite name="restante-tests::conformance">
            <testcase name="a::ct_dlv_01_a"/>
            <testcase name="a::ct_dlv_02_b"><failure message="m" type="t">assertion failed</failure></testcase>
            <testcase name="ct_dlv_03_c"><failure/><system-err>thread panicked:
{NOT_RUN}it kills a process
note: x</system-err></testcase>
            </testsuite></testsuites>"#
        );
        let expected = [
            ("ct_dlv_01_a", Outcome::Passed),
            ("ct_dlv_02_b", Outcome::Failed),
            (
                "ct_dlv_03_c",
                Outcome::NotRun("it kills a process".to_owned()),
            ),
        ];
        let expected = expected.map(|(name, outcome)| (name.to_owned(), outcome));
        assert_eq!(outcomes(&junit), Ok(expected.into()));
    }
}
