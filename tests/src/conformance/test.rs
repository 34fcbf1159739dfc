//! Tests by their names: `ct_dlv_05b_…`, `ct_dlv_13_14_…`, `ct_def_11_to_13_…`, `ct_def_26_and_err_32_…`.

use std::collections::BTreeSet;
use std::fmt;

/// When a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// With every change: `make test`.
    Ci,
    /// With the timers of a real deployment: minutes, not with every change.
    Long,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ci => "ci",
            Self::Long => "long",
        })
    }
}

/// A row as the name of a test has it: its area and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedRow {
    area: String,
    number: String,
}

impl NamedRow {
    /// The row of the checklist, else the requirement, that this is.
    pub(super) fn name<'a>(&self, known: &'a BTreeSet<String>) -> Option<&'a str> {
        let row = format!("CT-{}-{}", self.area, self.number);
        let found = known.get(&row).or_else(|| known.get(&row["CT-".len()..]));
        found.map(String::as_str)
    }
}

impl fmt::Display for NamedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CT-{}-{}", self.area, self.number)
    }
}

/// A test that is named after rows of the checklist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Its function.
    pub function: String,
    /// Its source, from the root of the repository.
    pub path: String,
    /// When it runs.
    pub tier: Tier,
    pub(super) rows: Vec<NamedRow>,
}

impl Test {
    /// Rows and requirements it is named after.
    pub fn names<'a>(&self, known: &'a BTreeSet<String>) -> impl Iterator<Item = &'a str> {
        self.rows.iter().filter_map(|row| row.name(known))
    }

    /// The folder of its package.
    pub fn folder(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }
}

/// How the reason of a test begins that does not run with every change.
const LONG: &str = concat!("#[", "ignore = \"long: ");

/// The tests of a source that are named after rows.
pub fn tests(path: &str, source: &str) -> Vec<Test> {
    let mut tests = Vec::new();
    let mut tier = Tier::Ci;
    for line in source.lines().map(str::trim_start) {
        let is_attribute = line.starts_with("#[");
        if line.starts_with(LONG) {
            tier = Tier::Long;
        }
        let declaration = line.strip_prefix("async ").unwrap_or(line);
        let function = declaration
            .strip_prefix("fn ct_")
            .and_then(|rest| rest.split_once('('));
        if let Some((name, _)) = function {
            tests.push(Test {
                function: format!("ct_{name}"),
                path: path.to_owned(),
                tier,
                rows: rows_of(name),
            });
        }
        if !is_attribute {
            tier = Tier::Ci;
        }
    }
    tests
}

fn is_area(word: &str) -> bool {
    (2..=3).contains(&word.len()) && word.bytes().all(|octet| octet.is_ascii_lowercase())
}

fn is_number(word: &str) -> bool {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    digits.len() == 2 && word.len() <= 3 && digits.bytes().all(|octet| octet.is_ascii_digit())
}

/// The rows of a name, up to its first word that is neither of them nor between them.
fn rows_of(name: &str) -> Vec<NamedRow> {
    let mut rows: Vec<NamedRow> = Vec::new();
    let mut area: Option<&str> = None;
    let mut is_range = false;
    for word in name.split('_') {
        match (word, area) {
            ("ct" | "and", _) => {}
            ("to", Some(_)) if !rows.is_empty() => is_range = true,
            (number, Some(area)) if is_number(number) => {
                let area = area.to_ascii_uppercase();
                let row = |number: String| NamedRow {
                    area: area.clone(),
                    number,
                };
                if let (true, Some(last)) = (is_range, rows.last().map(|row| row.number.clone())) {
                    rows.extend(between(&last, number).map(row));
                }
                rows.push(row(number.to_owned()));
                is_range = false;
            }
            (word, _) if is_area(word) => area = Some(word),
            _ => break,
        }
    }
    rows
}

/// The numbers between these two, without them.
fn between(first: &str, last: &str) -> impl Iterator<Item = String> {
    let number = |text: &str| text.parse::<u32>().unwrap_or_default();
    (number(first) + 1..number(last)).map(|number| format!("{number:02}"))
}

#[cfg(test)]
mod unit {
    use super::{LONG, Test, Tier, rows_of, tests};

    #[test]
    fn names_are_read_in_every_form() {
        for (name, expected) in [
            ("dlv_05b_every_body", "DLV-05b"),
            ("def_11_to_13_only", "DEF-11 DEF-12 DEF-13"),
            ("def_26_and_msr_02", "DEF-26 MSR-02"),
            ("dlv_13_14_a_large", "DLV-13 DLV-14"),
            ("def_02_ct_dlv_08_a", "DEF-02 DLV-08"),
            ("dlm_03_2xx_delivers", "DLM-03"),
            ("tls_01_tls_1_1_is_refused", "TLS-01"),
            ("prv_a_private_message", ""),
        ] {
            let rows: Vec<_> = rows_of(name).iter().map(ToString::to_string).collect();
            let rows = rows.join(" ").replace("CT-", "");
            assert_eq!(rows, expected, "{name}");
        }
    }

    #[test]
    fn tests_are_found_with_their_tier() {
        let source = [
            "#[tokio::test]\nasync fn ct_dlv_01_a() {\n}\n\n#[test]\n",
            LONG,
            "32 s\")]\nfn ct_dlv_02_b() {}\nfn ct_dlv_03_c() {}\nfn d() {}\n",
        ];
        let source = source.concat();
        let found = tests("net/src/a.rs", &source);
        let found: Vec<_> = found
            .iter()
            .map(|test: &Test| (test.function.as_str(), test.tier))
            .collect();
        let expected = [
            ("ct_dlv_01_a", Tier::Ci),
            ("ct_dlv_02_b", Tier::Long),
            ("ct_dlv_03_c", Tier::Ci),
        ];
        assert_eq!(found, expected);
        assert_eq!(tests("net/src/a.rs", &source)[0].folder(), "net");
    }
}
