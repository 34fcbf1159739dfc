//! The requirements, the checklist that tests them, and what is known to be left out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::test::Test;

/// The content of `tests/checklist.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// The requirements, in the order of their document.
    pub requirements: Vec<Requirements>,
    /// The checklist, in the order of the document.
    pub checklist: Vec<Area>,
    /// Rows and requirements that no test is named after, and why.
    pub without_test: BTreeMap<String, String>,
    /// Rows whose tests expect a refusal, because what they are about is not supported, and why.
    #[serde(default)]
    pub not_supported: BTreeMap<String, String>,
    /// Rows of which the tests leave something out, and what.
    pub in_part: BTreeMap<String, String>,
}

/// The requirements of one table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    area: String,
    /// What they are about.
    pub title: String,
    numbers: String,
}

impl Requirements {
    /// Their names: `DLV-01`.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let numbers = self.numbers.split_whitespace();
        numbers.map(|number| format!("{}-{number}", self.area))
    }
}

/// The rows of one area of the checklist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    area: String,
    /// What they are about.
    pub title: String,
    rows: BTreeMap<String, String>,
}

/// One row of the checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// Such as `CT-DLV-05b`.
    pub name: String,
    /// The requirements it tests, and sections (`3.5`) of their document.
    pub requirements: Vec<&'a str>,
}

impl Area {
    /// Its rows, in their order.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, requirements)| Row {
            name: format!("CT-{}-{number}", self.area),
            requirements: requirements.split_whitespace().collect(),
        })
    }
}

/// Whether a row refers to a section, not to a requirement.
pub(super) fn is_section(reference: &str) -> bool {
    reference.contains('.')
}

impl Checklist {
    /// Reads the file.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.checklist.iter().flat_map(Area::rows)
    }

    /// Names of all rows and all requirements.
    pub fn names(&self) -> BTreeSet<String> {
        let rows = self.rows().map(|row| row.name);
        let requirements = self.requirements.iter().flat_map(Requirements::names);
        rows.chain(requirements).collect()
    }

    /// Sections that rows refer to, in the order of their numbers.
    pub fn sections(&self) -> Vec<&str> {
        let references = self.rows().flat_map(|row| row.requirements);
        let sections: BTreeSet<&str> = references.filter(|name| is_section(name)).collect();
        let mut sections: Vec<&str> = sections.into_iter().collect();
        let number = |part: &str| part.parse::<u32>().unwrap_or_default();
        sections.sort_by_key(|section| section.split('.').map(number).collect::<Vec<_>>());
        sections
    }

    /// What is wrong with it, by the tests that there are: what has neither a test nor a reason, and
    /// reasons that are out of date.
    pub fn offences(&self, tests: &[Test]) -> Vec<String> {
        let known = self.names();
        let named: BTreeSet<&str> = tests.iter().flat_map(|test| test.names(&known)).collect();
        let mut offences = Vec::new();
        for test in tests {
            if test.names(&known).next().is_none() {
                offences.push(format!("{} names no row of the checklist", test.function));
            }
            let unknown = test.rows.iter().filter(|row| row.name(&known).is_none());
            offences.extend(unknown.map(|row| format!("{row} is not in the checklist")));
        }
        let rows: BTreeSet<String> = self.rows().map(|row| row.name).collect();
        for row in &rows {
            let is_named = named.contains(row.as_str());
            match (is_named, self.without_test.contains_key(row)) {
                (false, false) => offences.push(format!(
                    "{row} is the name of no test, and nothing says why"
                )),
                (true, true) => offences.push(format!(
                    "{row} is the name of a test: it does not belong to those without"
                )),
                _ => {}
            }
        }
        let partly = self.in_part.keys().chain(self.not_supported.keys());
        for row in partly.filter(|row| !named.contains(row.as_str())) {
            offences.push(format!("{row} is the name of no test, so it has no part"));
        }
        offences.extend(self.untested(&named));
        for (name, why) in self
            .without_test
            .iter()
            .chain(&self.in_part)
            .chain(&self.not_supported)
        {
            if !known.contains(name) {
                offences.push(format!("{name} is not in the checklist"));
            }
            if why.is_empty() {
                offences.push(format!("{name} has no reason"));
            }
        }
        offences
    }

    /// Requirements that neither a row nor a test refers to and that have no reason, and references to none.
    fn untested(&self, named: &BTreeSet<&str>) -> Vec<String> {
        let references: BTreeSet<&str> = self.rows().flat_map(|row| row.requirements).collect();
        let requirements = self.requirements.iter().flat_map(Requirements::names);
        let requirements: BTreeSet<String> = requirements.collect();
        let mut offences = Vec::new();
        for name in &requirements {
            let is_tested = references.contains(name.as_str()) || named.contains(name.as_str());
            if is_tested == self.without_test.contains_key(name) {
                offences.push(format!("{name} needs either a row or a reason"));
            }
        }
        let unknown = references
            .iter()
            .filter(|name| !is_section(name) && !requirements.contains(**name));
        offences.extend(unknown.map(|name| format!("{name} is no requirement")));
        offences
    }
}

#[cfg(test)]
mod tests {
    use super::super::test::tests as tests_of;
    use super::Checklist;

    fn checklist(more: &str) -> Checklist {
        let text = format!(
            r#"
            requirements = [{{ area = "DLV", title = "a", numbers = "01 02" }}]
            [[checklist]]
            area = "DLV"
            title = "b"
            [checklist.rows]
            01 = "DLV-01 3.5"
            05b = "DLV-02 3.14"
            {more}"#
        );
        Checklist::read(&text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn found(more: &str, source: &str) -> Vec<String> {
        checklist(more).offences(&tests_of("a.rs", source))
    }

    const NONE: &str = "[without_test]\n[in_part]";

    #[test]
    fn rows_come_in_their_order_and_sections_in_that_of_their_numbers() {
        let checklist = checklist(NONE);
        let rows: Vec<_> = checklist.rows().map(|row| row.name).collect();
        assert_eq!(rows, ["CT-DLV-01", "CT-DLV-05b"]);
        assert_eq!(checklist.sections(), ["3.5", "3.14"]);
    }

    #[test]
    fn a_row_needs_a_test_or_a_reason() {
        let both = "fn ct_dlv_01_a() {}\nfn ct_dlv_05b_b() {}\n";
        let one = "fn ct_dlv_01_a() {}\n";
        assert_eq!(found(NONE, both), [""; 0]);
        assert_eq!(
            found(NONE, one),
            ["CT-DLV-05b is the name of no test, and nothing says why"]
        );
        let reason = "[without_test]\nCT-DLV-05b = \"later\"\n[in_part]";
        assert_eq!(found(reason, one), [""; 0]);
        assert_eq!(found(reason, both).len(), 1, "a stale reason");
        let empty = "[without_test]\nCT-DLV-05b = \"\"\n[in_part]";
        assert_eq!(found(empty, one), ["CT-DLV-05b has no reason"]);
        let part = "[without_test]\nCT-DLV-05b = \"later\"\n[in_part]\nCT-DLV-05b = \"half\"";
        assert_eq!(
            found(part, one),
            ["CT-DLV-05b is the name of no test, so it has no part"]
        );
    }

    #[test]
    fn a_row_that_is_none_is_found() {
        let tests = "fn ct_dlv_01_a() {}\nfn ct_dlv_05b_99_b() {}\nfn ct_nothing() {}";
        let expected = [
            "CT-DLV-99 is not in the checklist",
            "ct_nothing names no row of the checklist",
        ];
        assert_eq!(found(NONE, tests), expected);
    }

    #[test]
    fn a_requirement_needs_a_row_or_a_reason() {
        let text = r#"
            requirements = [{ area = "DLV", title = "a", numbers = "01 02 03" }]
            [[checklist]]
            area = "DLV"
            title = "b"
            [checklist.rows]
            01 = "DLV-01 DLV-09"
            [without_test]
            DLV-02 = "says nothing"
            [in_part]"#;
        let checklist = Checklist::read(text).expect("a checklist");
        let offences = checklist.offences(&tests_of("a.rs", "fn ct_dlv_01_a() {}"));
        let expected = [
            "DLV-03 needs either a row or a reason",
            "DLV-09 is no requirement",
        ];
        assert_eq!(offences, expected);
    }
}
