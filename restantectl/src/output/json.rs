//! JSON that is safe to look at: what could move a terminal's cursor or turn its text around is
//! written as `\u` escapes, which every JSON reader turns back.

use std::io;

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use super::text::is_unsafe;
use crate::exit::Failure;

/// One record on one line, with its line feed.
pub(crate) fn line<R: Serialize>(record: &R) -> Result<String, Failure> {
    let mut line = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut line, Harmless);
    let written = record.serialize(&mut serializer).map_err(io::Error::from);
    written.map_err(Failure::Output)?;
    line.push(b'\n');
    String::from_utf8(line).map_err(|error| Failure::Output(io::Error::other(error)))
}

/// Compact JSON with more characters escaped than JSON demands.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(place) = rest.find(is_unsafe) {
            let (harmless, tail) = rest.split_at(place);
            writer.write_all(harmless.as_bytes())?;
            rest = escape_first(writer, tail)?;
        }
        writer.write_all(rest.as_bytes())
    }
}

fn escape_first<'a, W: io::Write + ?Sized>(writer: &mut W, text: &'a str) -> io::Result<&'a str> {
    let mut chars = text.chars();
    if let Some(first) = chars.next() {
        for unit in first.encode_utf16(&mut [0; 2]) {
            write!(writer, "\\u{unit:04x}")?;
        }
    }
    Ok(chars.as_str())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dangerous_characters_become_escapes() {
        let line = line(&"a\u{1b}[2J\u{202e}\u{9b}\u{e0041}\n\"").unwrap();
        assert_eq!(line, "\"a\\u001b[2J\\u202e\\u009b\\udb40\\udc41\\n\\\"\"\n");
    }

    proptest! {
        #[test]
        fn every_text_survives_and_is_harmless(text in any::<String>()) {
            let line = line(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
            prop_assert!(!line.trim_end_matches('\n').contains(is_unsafe));
        }
    }
}
