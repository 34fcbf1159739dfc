//! Lists of media types that a peer accepts (RFC 4975 §8.6).

use std::fmt;
use std::str::FromStr;

/// The entries of `a=accept-types` or `a=accept-wrapped-types`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptTypes(Vec<String>);

impl AcceptTypes {
    /// `*`: everything.
    pub fn any() -> AcceptTypes {
        AcceptTypes(vec!["*".to_owned()])
    }

    /// The given entries, each `type/subtype`, `type/*` or `*`.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a str>) -> AcceptTypes {
        AcceptTypes(entries.into_iter().map(str::to_owned).collect())
    }

    /// Whether content of this type may be sent; parameters do not count, nor does case.
    pub fn accepts(&self, content_type: &str) -> bool {
        let wanted = essence(content_type);
        self.0
            .iter()
            .any(|entry| entry_matches(essence(entry), wanted))
    }

    /// The entries as written.
    pub fn entries(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl FromStr for AcceptTypes {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<AcceptTypes, Self::Err> {
        Ok(AcceptTypes::of(text.split_ascii_whitespace()))
    }
}

impl fmt::Display for AcceptTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn entry_matches(entry: &str, wanted: &str) -> bool {
    if entry == "*" || entry == "*/*" {
        return true;
    }
    match (entry.strip_suffix("/*"), wanted.split_once('/')) {
        (Some(family), Some((wanted_family, _))) => family.eq_ignore_ascii_case(wanted_family),
        _ => entry.eq_ignore_ascii_case(wanted),
    }
}
