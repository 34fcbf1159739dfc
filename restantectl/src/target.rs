//! What commands work on: messages and served users, from arguments or standard input.

use std::collections::HashSet;
use std::fmt;
use std::hash::Hash;
use std::io::{self, BufRead, Read};
use std::str::FromStr;

use sip::Aor;
use thiserror::Error;

use crate::exit::Failure;

/// Lines of standard input that one command takes.
const LINES_MAX: usize = 100_000;
/// Octets of one line; a record of `list -o jsonl` is far smaller.
const LINE_OCTETS_MAX: u64 = 256 * 1024;

/// The bare form of a stored message's id, `<decimal>@<store hostname>` (STO-07).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MessageId(String);

/// Why a text is no [`MessageId`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("write a Message-ID as `list` shows it: 17@store.example or sip:17@store.example")]
pub(crate) struct InvalidMessageId;

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        let text = text
            .strip_prefix('<')
            .and_then(|t| t.strip_suffix('>'))
            .unwrap_or(text);
        let bare = without_scheme(text, "sip:").unwrap_or(text);
        let (number, host) = bare.split_once('@').ok_or(InvalidMessageId)?;
        // One spelling per message: neither signs nor leading zeros.
        let is_number = number.parse::<u64>().is_ok_and(|n| n.to_string() == number);
        let is_host = !host.is_empty() && host.bytes().all(is_host_octet);
        match is_number && is_host {
            true => Ok(Self(bare.to_owned())),
            false => Err(InvalidMessageId),
        }
    }
}

fn is_host_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'[' | b']' | b':')
}

/// A served user or sender in the canonical spelling by which the service knows it (requirements 2.13). Without
/// a scheme, `+` and digits are a `tel:` number and everything with an `@` is a `sip:` address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address(Aor);

/// Why a text is no [`Address`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "write an address: sip:alice@example.org, alice@example.org, tel:+4930123456 or +4930123456"
)]
pub(crate) struct InvalidAddress;

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidAddress);
        }
        let has_scheme = ["sip:", "sips:", "im:", "tel:"]
            .iter()
            .any(|scheme| without_scheme(text, scheme).is_some());
        let aor = match text.split_once('@') {
            _ if has_scheme => text.parse(),
            Some((user, _)) if !user.is_empty() && !user.contains(':') => {
                format!("sip:{text}").parse()
            }
            None if text.starts_with('+') => format!("tel:{text}").parse(),
            _ => return Err(InvalidAddress),
        };
        aor.map(Self).map_err(|_| InvalidAddress)
    }
}

/// What follows `scheme`, which is read without regard to case (RFC 3986 §3.1).
fn without_scheme<'a>(text: &'a str, scheme: &str) -> Option<&'a str> {
    let head = text.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme)
        .then(|| &text[scheme.len()..])
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Something that commands take several of.
pub(crate) trait Target: FromStr<Err: fmt::Display> + Clone + Eq + Hash {
    /// The field of our own JSON records that names one, so that `list -o jsonl` can be piped in.
    const FIELD: &'static str;
}

impl Target for MessageId {
    const FIELD: &'static str = "message_id";
}

impl Target for Address {
    const FIELD: &'static str = "served_user";
}

/// One argument: a target, or `-` for those on standard input.
#[derive(Clone, Debug)]
pub(crate) enum Given<T> {
    /// Named on the command line.
    One(T),
    /// One per line of standard input.
    StandardInput,
}

impl<T: Target> FromStr for Given<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            "-" => Ok(Self::StandardInput),
            text => text.parse().map(Self::One),
        }
    }
}

/// All targets, each once, in the order given. Reads standard input at most once and completely, so
/// that a bad line stops a command before it has changed anything.
pub(crate) fn all<T: Target>(given: &[Given<T>]) -> Result<Vec<T>, Failure> {
    let mut targets = Vec::with_capacity(given.len());
    for one in given {
        match one {
            Given::One(target) => targets.push(target.clone()),
            Given::StandardInput => targets.extend(read_lines(&mut io::stdin().lock())?),
        }
    }
    let mut seen = HashSet::with_capacity(targets.len());
    targets.retain(|target| seen.insert(target.clone()));
    Ok(targets)
}

/// One target per line: bare, quoted as JSON, or a JSON record that has it as a field. Empty lines
/// are skipped.
fn read_lines<T: Target>(input: &mut dyn BufRead) -> Result<Vec<T>, Failure> {
    let mut targets = Vec::new();
    for number in 1.. {
        let mut line = String::new();
        let octets = input.take(LINE_OCTETS_MAX).read_line(&mut line);
        if octets.map_err(Failure::Input)? == 0 {
            break;
        }
        if number > LINES_MAX {
            return Err(Failure::TooManyLines { limit: LINES_MAX });
        }
        if !line.trim().is_empty() {
            let target = parse_line(line.trim());
            targets.push(target.map_err(|problem| Failure::BadLine {
                line: number,
                problem,
            })?);
        }
    }
    Ok(targets)
}

fn parse_line<T: Target>(line: &str) -> Result<T, String> {
    let text = match line.as_bytes().first() {
        Some(b'{') => field_of_record(line, T::FIELD)?,
        Some(b'"') => {
            serde_json::from_str(line).map_err(|_| "unreadable JSON string".to_owned())?
        }
        _ => line.to_owned(),
    };
    text.parse().map_err(|error: T::Err| error.to_string())
}

fn field_of_record(line: &str, field: &str) -> Result<String, String> {
    let record: serde_json::Value =
        serde_json::from_str(line).map_err(|_| "unreadable JSON record".to_owned())?;
    let value = record.get(field).and_then(serde_json::Value::as_str);
    value
        .map(str::to_owned)
        .ok_or_else(|| format!("a JSON record without the text `{field}`"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> Result<Vec<String>, Failure> {
        let ids: Vec<MessageId> = read_lines(&mut text.as_bytes())?;
        Ok(ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn message_ids_are_taken_bare_and_as_uri() {
        for text in [
            "17@store.example",
            "sip:17@store.example",
            "<SIP:17@store.example>",
        ] {
            assert_eq!(
                text.parse::<MessageId>().unwrap().to_string(),
                "17@store.example"
            );
        }
    }

    #[test]
    fn other_texts_are_no_message_ids() {
        let texts = [
            "",
            "17",
            "@h",
            "17@",
            "x@h",
            "+1@h",
            "01@h",
            "17@h i",
            "99999999999999999999@h",
            "-",
        ];
        for text in texts {
            assert_eq!(text.parse::<MessageId>(), Err(InvalidMessageId), "{text}");
        }
    }

    #[test]
    fn addresses_get_the_scheme_they_lack() {
        let pairs = [
            ("alice@example.org", "sip:alice@example.org"),
            ("tel:+4930", "tel:+4930"),
        ];
        for (text, uri) in pairs {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), uri);
        }
    }

    #[test]
    fn addresses_become_canonical() {
        let pairs = [
            (
                "Alice@EXAMPLE.org:5060;transport=tcp",
                "sip:Alice@example.org",
            ),
            ("sips:%61lice@example.org:5061", "sip:alice@example.org"),
            ("im:alice@example.org", "sip:alice@example.org"),
            ("SIP:alice@[2001:DB8:0::1]", "sip:alice@[2001:db8::1]"),
            ("+49-(30)", "tel:+4930"),
            ("tel:+1-(555).0100;ext=4", "tel:+15550100"),
        ];
        for (text, uri) in pairs {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), uri);
            assert_eq!(uri.parse(), Ok(address));
        }
    }

    #[test]
    fn other_texts_are_no_addresses() {
        for text in [
            "",
            "alice",
            "@h",
            "a@",
            "sip:",
            "a b@h",
            "+",
            "4930",
            "a\u{7}@h",
            "a@h@i",
            "a@h:x",
            "tel:bob",
            "+49x",
            "mailto:a@h",
        ] {
            assert_eq!(text.parse::<Address>(), Err(InvalidAddress), "{text}");
        }
    }

    #[test]
    fn lines_may_be_ids_strings_or_records() {
        let input = "1@h\n\n  \"sip:2@h\"\r\n{\"message_id\":\"3@h\",\"state\":\"stored\"}";
        assert_eq!(lines(input).unwrap(), ["1@h", "2@h", "3@h"]);
    }

    #[test]
    fn a_bad_line_is_named_by_its_number() {
        for bad in ["nonsense", "\"", "{", "{\"id\":1}", "{\"message_id\":7}"] {
            let failure = lines(&format!("1@h\n{bad}\n")).unwrap_err();
            assert!(
                matches!(failure, Failure::BadLine { line: 2, .. }),
                "{bad}: {failure}"
            );
        }
    }

    #[test]
    fn too_many_lines_are_refused() {
        let failure = lines(&"1@h\n".repeat(LINES_MAX + 1)).unwrap_err();
        assert!(matches!(
            failure,
            Failure::TooManyLines { limit: LINES_MAX }
        ));
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = lines(&text);
            let _ = text.parse::<Address>();
        }
    }
}
