//! Node selectors (RFC 4825 §6.3): which element, attribute or bindings of a document are meant.

use crate::percent;

/// What is selected in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// The element itself.
    Element,
    /// One of its attributes.
    Attribute(Name),
    /// The namespaces in scope at it.
    Namespaces,
}

/// A qualified name, with its prefix resolved by the `xmlns` expressions of the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// `None`: the default namespace of the application usage for an element, none for an attribute
    /// (RFC 4825 §6.4).
    pub namespace: Option<String>,
    /// The local part.
    pub local: String,
}

/// One step from an element to a child of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `None`: any name.
    pub name: Option<Name>,
    /// Which of those with that name, from 1.
    pub position: Option<usize>,
    /// An attribute and the value it must have.
    pub attribute: Option<(Name, String)>,
}

/// Steps from the document to an element, and what of it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSelector {
    /// At least one; the first selects the root element.
    pub steps: Vec<Step>,
    /// What of the element.
    pub target: Target,
}

/// A selector that cannot be read; 400 on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a node selector")]
pub struct BadSelector;

/// Prefixes and their namespaces, from the query.
pub(crate) type Bindings = Vec<(String, String)>;

impl NodeSelector {
    /// Reads the segments behind `~~`, still percent-encoded.
    pub(crate) fn parse(segments: &[&str], bindings: &Bindings) -> Result<Self, BadSelector> {
        let mut steps = Vec::new();
        let mut target = Target::Element;
        for (place, segment) in segments.iter().enumerate() {
            let text = percent::decode(segment).ok_or(BadSelector)?;
            let is_last = place + 1 == segments.len();
            if let Some(name) = text.strip_prefix('@').filter(|_| is_last) {
                target = Target::Attribute(Name::parse(name, bindings)?);
            } else if text == "namespace::*" && is_last {
                target = Target::Namespaces;
            } else {
                steps.push(Step::parse(&text, bindings)?);
            }
        }
        match steps.is_empty() {
            true => Err(BadSelector),
            false => Ok(Self { steps, target }),
        }
    }
}

impl Step {
    fn parse(text: &str, bindings: &Bindings) -> Result<Self, BadSelector> {
        let (name, mut tests) = match text.find('[') {
            Some(at) => text.split_at(at),
            None => (text, ""),
        };
        let name = match name {
            "*" => None,
            name => Some(Name::parse(name, bindings)?),
        };
        let mut step = Self {
            name,
            position: None,
            attribute: None,
        };
        if let Some(rest) = tests.strip_prefix('[')
            && rest.starts_with(|c: char| c.is_ascii_digit())
        {
            let (digits, rest) = rest.split_once(']').ok_or(BadSelector)?;
            step.position = Some(position(digits)?);
            tests = rest;
        }
        if let Some(rest) = tests.strip_prefix("[@") {
            let (name, rest) = rest.split_once('=').ok_or(BadSelector)?;
            let name = Name::parse(name, bindings)?;
            let quote = rest.chars().next().ok_or(BadSelector)?;
            if quote != '"' && quote != '\'' {
                return Err(BadSelector);
            }
            let (value, rest) = rest[1..].split_once(quote).ok_or(BadSelector)?;
            step.attribute = Some((name, value.to_owned()));
            tests = rest.strip_prefix(']').ok_or(BadSelector)?;
        }
        match tests.is_empty() {
            true => Ok(step),
            false => Err(BadSelector),
        }
    }
}

fn position(digits: &str) -> Result<usize, BadSelector> {
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    let number = digits.parse().ok().filter(|_| is_number);
    number.filter(|number| *number > 0).ok_or(BadSelector)
}

impl Name {
    fn parse(text: &str, bindings: &Bindings) -> Result<Self, BadSelector> {
        let (prefix, local) = match text.split_once(':') {
            Some((prefix, local)) => (Some(prefix), local),
            None => (None, text),
        };
        if !is_name(local) || prefix.is_some_and(|prefix| !is_name(prefix)) {
            return Err(BadSelector);
        }
        let namespace = match prefix {
            Some(prefix) => {
                let mut bound = bindings.iter().filter(|(known, _)| known == prefix);
                Some(bound.next().ok_or(BadSelector)?.1.clone())
            }
            None => None,
        };
        Ok(Self {
            namespace,
            local: local.to_owned(),
        })
    }
}

/// What XML calls a name without a colon, roughly: no character that means something in a selector.
pub(crate) fn is_name(text: &str) -> bool {
    let is_start = |c: char| c.is_alphabetic() || c == '_';
    let is_part = |c: char| c.is_alphanumeric() || "-._".contains(c);
    text.starts_with(is_start) && text.chars().all(is_part)
}
