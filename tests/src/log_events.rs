//! Log events as the document of all of them has them.

use std::collections::BTreeSet;

/// Where the document is in the repository.
pub const DOCUMENT: &str = "docs/log-events.md";

/// A row of the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Name.
    pub name: String,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// What its lines say besides what all lines do.
    pub fields: BTreeSet<String>,
}

/// The rows of the document.
pub fn documented(document: &str) -> Vec<LogEvent> {
    let unquoted = |text: &str| Some(text.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    let rows = document.lines().filter_map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, level, fields, _, _] = cells[..] else {
            return None;
        };
        Some(LogEvent {
            name: unquoted(name)?,
            level: level.to_owned(),
            fields: fields.split(", ").filter_map(unquoted).collect(),
        })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_headings_are_not() {
        let text = "## One\n\n| event | level | fields | what has happened | what to do |\n|---|---|---|---|---|\n\
                    | `a.b` | warn | `x`, `y` | It has. | Look. |\n| `c.d` | info |  | It has. | Nothing. |\n\n\
                    | field | what it holds |\n|---|---|\n| `x` | a number |\n";
        let rows = documented(text);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].name.as_str(), rows[0].level.as_str()),
            ("a.b", "warn")
        );
        assert_eq!(rows[0].fields.len(), 2);
        assert!(rows[1].fields.is_empty());
    }
}
