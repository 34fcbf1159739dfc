//! Text of strangers on a terminal: what could command it or deceive its reader is escaped.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character may steer a terminal, reorder its text or hide in it: control characters
/// (C0, DEL, C1), bidirectional controls (UAX #9 §2), line and paragraph separators, invisible
/// spaces and joiners of words, annotation anchors and tags.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// One line of text with every unsafe character escaped as in Rust (`\n`, `\u{202e}`), and so the
/// backslash, which keeps two different texts different.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| c == '\\' || is_unsafe(c)) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            other => push_escaped(&mut escaped, other),
        }
    }
    Cow::Owned(escaped)
}

fn push_escaped(out: &mut String, character: char) {
    match character {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        other if is_unsafe(other) => {
            // Writing to a String does not fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(other));
        }
        other => out.push(other),
    }
}

/// A body shown to people piece by piece: line ends and tabs stay, other unsafe characters are
/// escaped, octets that are no UTF-8 are written as `\xff`. Pieces may end within a character or a
/// line end.
#[derive(Default)]
pub(crate) struct BodyText {
    /// The begin of a character, or a CR whose LF may follow.
    pending: Vec<u8>,
    ended_with_newline: bool,
}

impl BodyText {
    /// The text of the next octets.
    pub(crate) fn piece(&mut self, octets: &[u8]) -> String {
        let mut input = std::mem::take(&mut self.pending);
        input.extend_from_slice(octets);
        let kept = incomplete_tail(&input);
        self.pending = input.split_off(input.len() - kept);
        let text = shown(&input);
        if let Some(last) = text.as_bytes().last() {
            self.ended_with_newline = *last == b'\n';
        }
        text
    }

    /// What was left, and the line end that the body itself may lack.
    pub(crate) fn end(mut self) -> String {
        let mut text = shown(&std::mem::take(&mut self.pending));
        if !text.is_empty() || !self.ended_with_newline {
            text.push('\n');
        }
        text
    }
}

/// How many octets at the end may belong to something that the next piece completes.
fn incomplete_tail(octets: &[u8]) -> usize {
    if octets.last() == Some(&b'\r') {
        return 1;
    }
    let tail = octets
        .utf8_chunks()
        .last()
        .map_or(&[][..], |chunk| chunk.invalid());
    let is_open = std::str::from_utf8(tail).is_err_and(|error| error.error_len().is_none());
    if is_open { tail.len() } else { 0 }
}

fn shown(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for chunk in octets.utf8_chunks() {
        push_lines(&mut text, chunk.valid());
        for octet in chunk.invalid() {
            let _ = write!(text, "\\x{octet:02x}");
        }
    }
    text
}

fn push_lines(out: &mut String, text: &str) {
    let mut chars = text.chars().peekable();
    while let Some(character) = chars.next() {
        match character {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\t' => out.push(character),
            other => push_escaped(out, other),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(pieces: &[&[u8]]) -> String {
        let mut text = BodyText::default();
        let mut shown: String = pieces.iter().map(|piece| text.piece(piece)).collect();
        shown.push_str(&text.end());
        shown
    }

    #[test]
    fn fields_show_no_control_characters_and_no_overrides() {
        assert_eq!(
            escape("Bob \u{1b}[31m\u{202e}gnp\r\n"),
            "Bob \\u{1b}[31m\\u{202e}gnp\\r\\n"
        );
        assert_eq!(escape("a\\n"), "a\\\\n");
        assert_eq!(escape("Grüße 👋"), "Grüße 👋");
    }

    #[test]
    fn bodies_keep_their_lines_only() {
        assert_eq!(
            body(&[b"one\r\n\ttwo\x07\rthree"]),
            "one\n\ttwo\\u{7}\\rthree\n"
        );
        assert_eq!(body(&[b"\xff\x00end\n"]), "\\xff\\u{0}end\n");
        assert_eq!(body(&[]), "\n");
    }

    proptest! {
        #[test]
        fn escaped_text_is_one_harmless_line(text in any::<String>()) {
            prop_assert!(!escape(&text).contains(is_unsafe));
        }

        #[test]
        fn different_texts_stay_different(one in "[\\\\un{}7\u{7}\n]{0,6}", two in "[\\\\un{}7\u{7}\n]{0,6}") {
            prop_assert_eq!(one == two, escape(&one) == escape(&two));
        }

        #[test]
        fn pieces_do_not_matter(octets in any::<Vec<u8>>(), text in "[aé👋\r\n]{0,20}", cut in 0usize..40) {
            let all = [text.as_bytes(), &octets].concat();
            let (head, tail) = all.split_at(cut.min(all.len()));
            prop_assert_eq!(body(&[head, tail]), body(&[&all]));
        }
    }
}
