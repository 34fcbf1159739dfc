//! The text of a configuration file as nodes with places.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};
use super::node::{Node, Raw};

/// A key and its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where the key is.
    pub(super) place: Place,
    pub(super) node: Node,
}

/// A `[section]` table.
#[derive(Debug)]
pub(super) struct Table {
    /// Where its header is.
    pub(super) place: Place,
    pub(super) entries: BTreeMap<String, Entry>,
}

/// A file taken apart. The section `""` holds the top-level keys and is always there.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) sections: BTreeMap<String, Table>,
    pub(super) syntax_errors: Vec<ConfigError>,
}

impl File {
    /// Takes `text` apart as far as it can be understood; what cannot is in `syntax_errors`.
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let name: Arc<str> = name.into();
        let places = Places { name: &name, text };
        let (root, errors) = DeTable::parse_recoverable(text);
        let sections = places.sections(root.into_inner());
        let syntax_errors = errors
            .iter()
            .map(|error| places.syntax_error(error))
            .collect();
        Self {
            sections,
            syntax_errors,
            name,
        }
    }

    /// A file that could not be read, for the reason given in `sentence`.
    pub(super) fn unreadable(name: &str, sentence: String) -> Self {
        let mut file = Self::parse(name, "");
        let place = Place::File(file.name.clone());
        file.syntax_errors.push(ConfigError {
            place,
            key: String::new(),
            sentence,
        });
        file
    }
}

/// The value written as `text`, without a place.
pub(super) fn parse_value(text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let places = Places {
        name: &"".into(),
        text,
    };
    Some(places.node(value))
}

/// Turns octet offsets of `text` into lines and columns.
struct Places<'a> {
    name: &'a Arc<str>,
    text: &'a str,
}

impl Places<'_> {
    fn at(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Place::Line(self.name.clone(), line, column)
    }

    fn syntax_error(&self, error: &toml::de::Error) -> ConfigError {
        let place = match error.span() {
            Some(span) => self.at(&span),
            None => Place::File(self.name.clone()),
        };
        let sentence = format!("not valid TOML: {}", error.message());
        ConfigError {
            place,
            key: String::new(),
            sentence,
        }
    }

    fn sections(&self, root: DeTable<'_>) -> BTreeMap<String, Table> {
        let mut top = Table {
            place: self.at(&(0..0)),
            entries: BTreeMap::new(),
        };
        let mut sections = BTreeMap::new();
        for (key, value) in root {
            let place = self.at(&key.span());
            let name = key.into_inner().into_owned();
            if let DeValue::Table(_) = value.get_ref() {
                let entries = self.entries(value.into_inner());
                sections.insert(name, Table { place, entries });
            } else {
                top.entries.insert(
                    name,
                    Entry {
                        place,
                        node: self.node(value),
                    },
                );
            }
        }
        sections.insert(String::new(), top);
        sections
    }

    fn entries(&self, value: DeValue<'_>) -> BTreeMap<String, Entry> {
        let DeValue::Table(table) = value else {
            return BTreeMap::new();
        };
        let entry = |(key, value): (Spanned<_>, _)| {
            let place = self.at(&key.span());
            let key: std::borrow::Cow<'_, str> = key.into_inner();
            (
                key.into_owned(),
                Entry {
                    place,
                    node: self.node(value),
                },
            )
        };
        table.into_iter().map(entry).collect()
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Node {
        let place = self.at(&value.span());
        let raw = match value.into_inner() {
            DeValue::String(text) => Raw::Text(text.into_owned()),
            DeValue::Integer(number) => {
                Raw::Integer(i128::from_str_radix(number.as_str(), number.radix()).ok())
            }
            DeValue::Float(number) => Raw::Float(number.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Raw::Boolean(value),
            DeValue::Datetime(_) => Raw::Unusable("a date"),
            DeValue::Table(_) => Raw::Unusable("a table"),
            DeValue::Array(nodes) => {
                Raw::List(nodes.into_iter().map(|node| self.node(node)).collect())
            }
        };
        Node::new(place, raw)
    }
}
