//! Byte-level scanning shared by the header and URI parsers.

use std::borrow::Cow;

/// Whether the octet may stand in a token (RFC 3261 §25.1).
pub(crate) const fn is_token_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~'
        )
}

/// Whether the text is one token: not empty, no separator.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().copied().all(is_token_octet)
}

/// Whether the octet is white space within a line.
pub(crate) const fn is_blank(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Cuts spaces and tabs from both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Cuts spaces, tabs and line breaks (of folding) from both ends.
pub(crate) fn trim_octets(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t' | b'\r' | b'\n'] = text {
        text = rest;
    }
    text
}

/// The text of a raw header value: trimmed, each fold with its white space read as one space (RFC 3261 §7.3.1),
/// octets that are no UTF-8 replaced.
pub(crate) fn unfold(raw: &[u8]) -> Cow<'_, str> {
    let raw = trim_octets(raw);
    if memchr::memchr(b'\n', raw).is_none() {
        return String::from_utf8_lossy(raw);
    }
    let mut unfolded = Vec::with_capacity(raw.len());
    for line in raw.split(|octet| *octet == b'\n') {
        let line = trim_octets(line);
        if !unfolded.is_empty() && !line.is_empty() {
            unfolded.push(b' ');
        }
        unfolded.extend_from_slice(line);
    }
    Cow::Owned(String::from_utf8_lossy(&unfolded).into_owned())
}

/// Position of the first `separator` outside quoted strings and `<>`.
pub(crate) fn find_top_level(text: &str, separator: u8) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    let mut bracketed = false;
    for (position, octet) in text.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ if octet == separator && !bracketed => return Some(position),
            _ => {}
        }
    }
    None
}

/// Splits at the first top-level `separator`: what stands before it, and what follows it if it is there.
pub(crate) fn split_top_level(text: &str, separator: u8) -> (&str, Option<&str>) {
    match find_top_level(text, separator) {
        Some(position) => (&text[..position], Some(&text[position + 1..])),
        None => (text, None),
    }
}

/// Reads a quoted string at the start of `text` (RFC 3261 §25.1): its meaning, and what follows the closing quote.
/// `None` if there is no closing quote.
pub(crate) fn take_quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut escapes = false;
    let mut octets = inner.bytes().enumerate();
    while let Some((position, octet)) = octets.next() {
        match octet {
            b'"' => {
                let content = &inner[..position];
                let meaning = if escapes {
                    unescape(content).into()
                } else {
                    content.into()
                };
                return Some((meaning, &inner[position + 1..]));
            }
            b'\\' => {
                escapes = true;
                octets.next();
            }
            _ => {}
        }
    }
    None
}

/// Removes the backslash of every quoted-pair.
fn unescape(content: &str) -> String {
    let mut meaning = String::with_capacity(content.len());
    let mut characters = content.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => meaning.extend(characters.next()),
            other => meaning.push(other),
        }
    }
    meaning
}

/// Writes `text` as a quoted string with the escapes it needs.
pub(crate) fn write_quoted(out: &mut impl std::fmt::Write, text: &str) -> std::fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(character)?;
    }
    out.write_char('"')
}

/// Reads a run of decimal digits that fits the type; signs, blanks and the empty text are refused.
pub(crate) fn parse_number<N: std::str::FromStr>(text: &str) -> Option<N> {
    if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fold_reads_as_one_space() {
        assert_eq!(
            unfold(b" newfangled value\r\n  continued \r\n\tagain "),
            "newfangled value continued again"
        );
    }

    #[test]
    fn octets_that_are_no_utf8_are_replaced_in_the_text_only() {
        assert_eq!(unfold(b" a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn separators_in_quotes_and_brackets_do_not_split() {
        assert_eq!(
            split_top_level(r#""a,\",b" <sip:c,d>, e"#, b','),
            (r#""a,\",b" <sip:c,d>"#, Some(" e"))
        );
    }

    #[test]
    fn quoted_pairs_lose_their_backslash_and_gain_it_back() {
        let (meaning, rest) = take_quoted(r#""a\"b\\" x"#).expect("closed");
        assert_eq!((&*meaning, rest), (r#"a"b\"#, " x"));
        let mut printed = String::new();
        write_quoted(&mut printed, &meaning).expect("a String takes everything");
        assert_eq!(printed, r#""a\"b\\""#);
        assert_eq!(take_quoted(r#""open\""#), None);
    }

    #[test]
    fn numbers_take_digits_only() {
        assert_eq!(parse_number::<u32>("0009"), Some(9));
        assert_eq!(parse_number::<u32>("+9"), None);
        assert_eq!(parse_number::<u32>("36893488147419103232"), None);
    }
}
