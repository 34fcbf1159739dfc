//! Metrics as processes show them, and as the document of all metrics has them.

use std::collections::{BTreeMap, BTreeSet};

/// A series in the text format of Prometheus.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Name of the metric; for a histogram with its suffix.
    pub name: String,
    /// Labels and their values.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

/// What a process shows.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    /// Type by metric.
    pub types: BTreeMap<String, String>,
    /// Help by metric.
    pub helps: BTreeMap<String, String>,
    /// All series.
    pub series: Vec<Series>,
}

impl Exposition {
    /// Reads the text format.
    ///
    /// # Panics
    /// When it is none.
    pub fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            let about = |prefix| {
                let (name, rest) = line.strip_prefix(prefix)?.split_once(' ')?;
                Some((name.to_owned(), rest.to_owned()))
            };
            if let Some((name, kind)) = about("# TYPE ") {
                found.types.insert(name, kind);
            } else if let Some((name, help)) = about("# HELP ") {
                found.helps.insert(name, help);
            } else {
                let series = series(line);
                let series = series.unwrap_or_else(|| panic!("no series: {line}"));
                found.series.push(series);
            }
        }
        found
    }

    /// The metric that a series is part of.
    pub fn metric<'a>(&self, series: &'a Series) -> &'a str {
        let suffixes = ["_bucket", "_sum", "_count"];
        let cut = suffixes
            .iter()
            .filter_map(|suffix| series.name.strip_suffix(suffix));
        let mut histograms =
            cut.filter(|name| self.types.get(*name).is_some_and(|t| t == "histogram"));
        histograms.next().unwrap_or(&series.name)
    }

    /// The sum of all series of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |series: &&Series| {
            let mut wanted = labels.iter();
            wanted.all(|(name, value)| series.labels.get(*name).is_some_and(|v| v == value))
        };
        let named = self.series.iter().filter(|series| series.name == name);
        named.filter(has).map(|series| series.value).sum()
    }
}

fn series(line: &str) -> Option<Series> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = match head.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (head, ""),
    };
    // No value of ours holds a quote or a comma.
    let labels = labels.split(',').filter(|label| !label.is_empty());
    let labels = labels.map(|label| {
        let (name, value) = label.split_once('=')?;
        Some((name.to_owned(), value.trim_matches('"').to_owned()))
    });
    Some(Series {
        name: name.to_owned(),
        labels: labels.collect::<Option<_>>()?,
        value: value.parse().ok()?,
    })
}

/// A row of the document of all metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented {
    /// The heading it stands under.
    pub section: String,
    /// Name.
    pub name: String,
    /// Type.
    pub kind: String,
    /// Labels with their values; none where the document lists none.
    pub labels: BTreeMap<String, BTreeSet<String>>,
}

/// The rows of the document of all metrics.
pub fn documented(document: &str) -> Vec<Documented> {
    let mut section = "";
    let mut rows = Vec::new();
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            section = heading;
        }
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, _] = cells[..] else {
            continue;
        };
        let Some(name) = name
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix('`'))
        else {
            continue;
        };
        let labels = labels.split(';').filter(|label| !label.trim().is_empty());
        let labels = labels.map(|label| {
            let (name, values) = label.split_once(':').unwrap_or((label, ""));
            let values = values.split(',').map(|value| value.trim().to_owned());
            let values = values.filter(|value| !value.is_empty()).collect();
            (name.trim().trim_matches('`').to_owned(), values)
        });
        rows.push(Documented {
            section: section.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
            labels: labels.collect(),
        });
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_with_their_labels() {
        let text = "# HELP a_total All.\n# TYPE a_total counter\na_total{x=\"1\",y=\"b c\"} 3\na_total{x=\"2\"} 4\n\n\
                    # TYPE b_seconds histogram\nb_seconds_bucket{le=\"+Inf\"} 1\nb_seconds_sum 0.5\nb_seconds_count 1\n";
        let found = Exposition::parse(text);
        assert_eq!(found.sum("a_total", &[]), 7.0);
        assert_eq!(found.sum("a_total", &[("y", "b c")]), 3.0);
        assert_eq!(found.helps["a_total"], "All.");
        let names: Vec<_> = found
            .series
            .iter()
            .map(|series| found.metric(series))
            .collect();
        assert_eq!(
            names,
            ["a_total", "a_total", "b_seconds", "b_seconds", "b_seconds"]
        );
    }

    #[test]
    fn the_document_is_read_by_rows() {
        let text = "# M\n\n## One\n\n| name | type | labels | what it says |\n|---|---|---|---|\n\
                    | `a_total` | counter | `x`: 1, 2; `y` | All. |\n| `b` | gauge |  | Now. |\n";
        let rows = documented(text);
        assert_eq!(rows.len(), 2);
        assert_eq!(
            (rows[0].section.as_str(), rows[0].kind.as_str()),
            ("One", "counter")
        );
        assert_eq!(rows[0].labels["x"].len(), 2);
        assert!(rows[0].labels["y"].is_empty() && rows[1].labels.is_empty());
    }
}
