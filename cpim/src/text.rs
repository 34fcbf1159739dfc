//! Texts of strangers, written into lines and XML.

/// The text with each run of control characters as one space (requirements §2.4.3).
pub(crate) fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut was_control = false;
    for letter in text.trim().chars() {
        match (letter.is_control(), was_control) {
            (true, true) => {}
            (true, false) => clean.push(' '),
            (false, _) => clean.push(letter),
        }
        was_control = letter.is_control();
    }
    clean.trim().to_owned()
}

/// The text as XML writes it.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // No characters of XML (XML 1.0 §2.2).
            '\u{FFFE}' | '\u{FFFF}' => escaped.push('\u{FFFD}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// The URI of an address with or without a name before it (RFC 3862 §2.3).
pub(crate) fn uri_of(address: &str) -> &str {
    let bracketed = address
        .rsplit_once('<')
        .and_then(|(_, rest)| rest.split_once('>'));
    bracketed.map_or(address, |(uri, _)| uri).trim()
}
