//! Semicolon parameters of header values and URIs.

use std::fmt;

use crate::text::{find_top_level, is_token, take_quoted, trim, write_quoted};

/// Parameters in their order; names are compared without letter case (RFC 3261 §7.3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<Param>);

/// One `;name` or `;name=value`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Param {
    name: String,
    value: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Value {
    Plain(String),
    /// Meaning of a quoted string, printed in quotes again.
    Quoted(String),
}

/// A parameter is empty, or its quoted string is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("malformed parameter")]
pub(crate) struct BadParams;

impl Param {
    /// The name as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value without quotes and escapes, if there is one.
    pub fn value(&self) -> Option<&str> {
        self.value
            .as_ref()
            .map(|(Value::Plain(value) | Value::Quoted(value))| value.as_str())
    }

    fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    fn parse(text: &str) -> Result<Self, BadParams> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (trim(name), Some(Value::parse(trim(value))?)),
            None => (trim(text), None),
        };
        if name.is_empty() || name.contains(' ') || !is_bare(name) {
            return Err(BadParams);
        }
        Ok(Self {
            name: name.to_owned(),
            value,
        })
    }
}

impl Value {
    fn parse(text: &str) -> Result<Self, BadParams> {
        if text.starts_with('"') {
            return match take_quoted(text) {
                Some((meaning, "")) => Ok(Self::Quoted(meaning.into_owned())),
                _ => Err(BadParams),
            };
        }
        if !is_bare(text) {
            return Err(BadParams);
        }
        Ok(Self::Plain(text.to_owned()))
    }
}

impl Params {
    /// Reads `a;b=c` as it stands after the first semicolon of a header value.
    pub(crate) fn parse(mut text: &str) -> Result<Self, BadParams> {
        let mut params = Vec::new();
        loop {
            let end = find_top_level(text, b';');
            params.push(Param::parse(&text[..end.unwrap_or(text.len())])?);
            match end {
                Some(position) => text = &text[position + 1..],
                None => return Ok(Self(params)),
            }
        }
    }

    /// Reads the parameters of a URI, where quotes mean nothing.
    pub(crate) fn parse_uri(text: &str) -> Self {
        let split = text
            .split(';')
            .filter(|param| !param.is_empty())
            .map(|param| {
                let (name, value) = match param.split_once('=') {
                    Some((name, value)) => (name, Some(Value::Plain(value.to_owned()))),
                    None => (param, None),
                };
                Param {
                    name: name.to_owned(),
                    value,
                }
            });
        Self(split.collect())
    }

    /// `None` if absent, `Some(None)` for a bare flag such as `lr`.
    pub fn get(&self, name: &str) -> Option<Option<&str>> {
        self.0
            .iter()
            .find(|param| param.is_named(name))
            .map(Param::value)
    }

    /// The value, if the parameter is present and has one.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.get(name).flatten()
    }

    /// Whether the parameter is present, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether the feature tag (RFC 3840 §9) is present: `tag` with or without its leading `+`, letter case apart;
    /// `="FALSE"` means absent (requirements 2.13).
    pub fn has_feature_tag(&self, tag: &str) -> bool {
        let tag = tag.strip_prefix('+').unwrap_or(tag);
        self.0.iter().any(|param| {
            param
                .name
                .strip_prefix('+')
                .is_some_and(|name| name.eq_ignore_ascii_case(tag))
                && !param
                    .value()
                    .is_some_and(|value| value.eq_ignore_ascii_case("FALSE"))
        })
    }

    /// All parameters in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.0.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets or appends the parameter. A value that is no token is printed as a quoted string, unless it can stand
    /// bare as a host does.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(|value| {
            if is_bare_value(value) {
                Value::Plain(value.to_owned())
            } else {
                Value::Quoted(value.to_owned())
            }
        });
        match self.0.iter_mut().find(|param| param.is_named(name)) {
            Some(param) => param.value = value,
            None => self.0.push(Param {
                name: name.to_owned(),
                value,
            }),
        }
    }

    /// Drops every parameter of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|param| !param.is_named(name));
    }
}

/// Whether the text can stand without quotes and leave what follows it alone: an open quote or bracket would take in
/// the parameters appended behind it, and the printer makes spaces of control characters.
fn is_bare(text: &str) -> bool {
    let breaks_out = |octet: u8| octet.is_ascii_control() || matches!(octet, b'"' | b'<' | b'>');
    !text.bytes().any(breaks_out)
}

/// A token, or a host such as `[2001:db8::1]` or `2001:db8::1` (gen-value, RFC 3261 §25.1).
fn is_bare_value(value: &str) -> bool {
    is_token(value.as_bytes())
        || (!value.is_empty()
            && value.bytes().all(|octet| {
                octet.is_ascii_hexdigit() || matches!(octet, b'[' | b']' | b':' | b'.')
            }))
}

impl fmt::Display for Params {
    /// Each parameter with its leading semicolon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|param| param.fmt(f))
    }
}

impl fmt::Display for Param {
    /// With its leading semicolon.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(";")?;
        f.write_str(&self.name)?;
        match &self.value {
            Some(Value::Plain(value)) => {
                f.write_str("=")?;
                f.write_str(value)
            }
            Some(Value::Quoted(value)) => {
                f.write_str("=")?;
                write_quoted(f, value)
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feature_tags_ignore_case_and_honour_false() {
        let contact = Params::parse(r#"+G.OMA.sip-im;+sip.instance="<urn:uuid:1>";+audio="FALSE""#)
            .expect("valid");
        assert!(contact.has_feature_tag("+g.oma.sip-im"));
        assert!(contact.has_feature_tag("g.oma.sip-im"));
        assert!(!contact.has_feature_tag("+audio"));
        assert_eq!(contact.value("+sip.instance"), Some("<urn:uuid:1>"));
    }

    #[test]
    fn empty_parameters_and_open_quotes_are_refused() {
        for text in ["", ";", "a;", "a;;b", "=b", r#"a="b"#, r#"a="b"c"#] {
            assert_eq!(Params::parse(text), Err(BadParams), "{text}");
        }
    }

    #[test]
    fn controls_quotes_and_brackets_stand_in_quotes_only() {
        for text in [
            "br\0anch",
            "branch=z\0",
            "a\tb",
            "a=b\tc",
            "branch=z\" <x",
            "a=b<c",
        ] {
            assert_eq!(Params::parse(text), Err(BadParams), "{text:?}");
        }
        let quoted = Params::parse("a=\"NUL:\\\0\"").expect("a quoted pair");
        assert_eq!(quoted.value("a"), Some("NUL:\0"));
    }

    #[test]
    fn quoted_values_print_quoted() {
        let text = r#";secondparam;q=0.33;x="a\"b""#;
        assert_eq!(Params::parse(&text[1..]).expect("valid").to_string(), text);
    }
}
