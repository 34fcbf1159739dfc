//! A value as it was written, with its place, before anyone gave it a type.

use std::fmt;

use super::error::Place;

/// A value as written in the file or the environment.
#[derive(Debug, Clone)]
pub struct Node {
    place: Place,
    raw: Raw,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// A TOML string.
    Text(String),
    /// A TOML integer; `None` if it does not fit into 128 bits.
    Integer(Option<i128>),
    /// A TOML float.
    Float(f64),
    /// A TOML boolean.
    Boolean(bool),
    /// A TOML array.
    List(Vec<Node>),
    /// A TOML value that no key takes, under its name with an article.
    Unusable(&'static str),
    /// An environment variable, which has no type of its own.
    Environment(String),
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl Node {
    pub(super) fn new(place: Place, raw: Raw) -> Self {
        Self { place, raw }
    }

    /// Where it was written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The text of a TOML string or an environment variable.
    pub fn text(&self) -> Option<&str> {
        match &self.raw {
            Raw::Text(text) | Raw::Environment(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number; digits may be grouped by `_` as in TOML.
    pub fn integer(&self) -> Option<i128> {
        match &self.raw {
            Raw::Integer(number) => *number,
            Raw::Environment(text) => text.replace('_', "").parse().ok(),
            _ => None,
        }
    }

    /// A finite number with or without a fraction.
    pub fn number(&self) -> Option<f64> {
        let number = match &self.raw {
            Raw::Float(number) => Some(*number),
            _ => self
                .integer()
                .and_then(|whole| whole.to_string().parse().ok()),
        };
        let number = number.or_else(|| match &self.raw {
            Raw::Environment(text) => text.parse().ok(),
            _ => None,
        });
        number.filter(|number| number.is_finite())
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match &self.raw {
            Raw::Boolean(value) => Some(*value),
            Raw::Environment(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// As it would be written in the file; an environment variable as it is.
    pub(super) fn toml(&self) -> String {
        match &self.raw {
            Raw::Text(text) => toml::Value::String(text.clone()).to_string(),
            Raw::Environment(text) => text.clone(),
            Raw::Integer(Some(number)) => number.to_string(),
            Raw::Integer(None) => self.to_string(),
            Raw::Float(number) => number.to_string(),
            Raw::Boolean(value) => value.to_string(),
            Raw::List(nodes) => {
                let nodes: Vec<_> = nodes.iter().map(Self::toml).collect();
                format!("[{}]", nodes.join(", "))
            }
            Raw::Unusable(name) => (*name).to_owned(),
        }
    }

    /// The elements of a TOML array, or of an environment variable split at its commas. An empty
    /// variable is an empty list.
    pub fn list(&self) -> Option<Vec<Self>> {
        match &self.raw {
            Raw::List(nodes) => Some(nodes.clone()),
            Raw::Environment(text) => {
                let words = text
                    .split(',')
                    .map(str::trim)
                    .filter(|word| !word.is_empty());
                let node =
                    |word: &str| Self::new(self.place.clone(), Raw::Environment(word.into()));
                Some(words.map(node).collect())
            }
            _ => None,
        }
    }
}

/// As it is named after "found" in an error.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.raw {
            Raw::Text(text) | Raw::Environment(text) if text.is_empty() => {
                f.write_str("an empty text")
            }
            Raw::Text(text) | Raw::Environment(text) => write!(f, "`{}`", text.escape_debug()),
            Raw::Integer(Some(number)) => write!(f, "the number {number}"),
            Raw::Integer(None) => f.write_str("a number of more than 128 bits"),
            Raw::Float(number) => write!(f, "the number {number}"),
            Raw::Boolean(value) => write!(f, "{value}"),
            Raw::List(_) => f.write_str("a list"),
            Raw::Unusable(name) => f.write_str(name),
        }
    }
}
