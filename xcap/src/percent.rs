//! Percent-encoding of one path segment (RFC 3986 §2.1).

/// Undoes the encoding once; `None` for broken escapes and what is no UTF-8.
#[must_use]
pub fn decode(segment: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => {
                let high = digit(rest.next()?)?;
                high << 4 | digit(rest.next()?)?
            }
            octet => octet,
        });
    }
    String::from_utf8(octets).ok()
}

/// Encodes all that a segment cannot hold as it is, and what marks places in selectors.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(octet)),
            b'-' | b'.' | b'_' | b'~' | b'@' | b':' | b'*' | b'=' => out.push(char::from(octet)),
            octet => out.push_str(&format!("%{octet:02X}")),
        }
    }
    out
}

fn digit(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decode(text), None, "{text}");
        }
        assert_eq!(decode("%68i%2F").as_deref(), Some("hi/"));
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(text in ".*") {
            let encoded = encode(&text);
            prop_assert!(!encoded.contains('/') && encoded.is_ascii());
            prop_assert_eq!(decode(&encoded), Some(text));
        }
    }
}
