//! Percent-encoding of user parts.

/// Decodes every `%XX`; `None` if an escape is cut or the outcome is no UTF-8 (requirements 2.13: a mailbox in a
/// path is decoded once).
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(octet) = octets.next() {
        if octet == b'%' {
            decoded.push(escaped_octet(octets.next()?, octets.next()?)?);
        } else {
            decoded.push(octet);
        }
    }
    String::from_utf8(decoded).ok()
}

/// Encodes whatever may not stand bare in the user part of a sip URI (RFC 3261 §25.1).
pub fn percent_encoded_user(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if is_user_octet(octet) {
            encoded.push(char::from(octet));
        } else {
            push_escape(&mut encoded, octet);
        }
    }
    encoded
}

/// Decodes the escapes of characters that need none and writes the others with capital digits, so that two spellings
/// of one user part become equal (RFC 3261 §19.1.4). A percent sign that begins no escape is written as one, lest what
/// is decoded behind it make it one.
pub(super) fn normalised_user(user: &str) -> String {
    let mut normal = String::with_capacity(user.len());
    let mut rest = user;
    while let Some(position) = rest.find('%') {
        normal.push_str(&rest[..position]);
        let escape = rest.as_bytes().get(position + 1..position + 3);
        let octet = escape.and_then(|digits| escaped_octet(digits[0], digits[1]));
        match octet {
            Some(octet) if is_unreserved(octet) => normal.push(char::from(octet)),
            Some(octet) => push_escape(&mut normal, octet),
            None => push_escape(&mut normal, b'%'),
        }
        rest = &rest[position + if octet.is_some() { 3 } else { 1 }..];
    }
    normal.push_str(rest);
    normal
}

fn push_escape(out: &mut String, octet: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(octet >> 4)]));
    out.push(char::from(DIGITS[usize::from(octet & 15)]));
}

fn escaped_octet(high: u8, low: u8) -> Option<u8> {
    let digit = |octet: u8| {
        char::from(octet)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    Some(digit(high)? << 4 | digit(low)?)
}

/// `unreserved` of RFC 3261 §25.1.
fn is_unreserved(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&octet)
}

/// `unreserved / user-unreserved` of RFC 3261 §25.1.
fn is_user_octet(octet: u8) -> bool {
    is_unreserved(octet) || b"&=+$,;?/".contains(&octet)
}
