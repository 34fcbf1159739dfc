//! What the envelope needs from a CPIM body (RFC 3862): the type of what it wraps, and the
//! imdn.Message-ID (RFC 5438 §6.3).
//!
//! It is no CPIM parser: it reads two values and leaves everything else alone. A body that is not
//! as expected has neither value and is stored all the same.

/// The URN that a namespace declaration binds to the IMDN headers (RFC 5438 §6).
const IMDN_NAMESPACE: &str = "<urn:ietf:params:imdn>";

/// Header blocks beyond this are not looked through: what follows is content.
const PEEK_OCTETS: usize = 16 * 1024;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CpimPeek {
    /// `type/subtype` of the wrapped content in lower case, without parameters.
    pub(crate) wrapped_type: Option<String>,
    /// Value of `imdn.Message-ID`, under whatever prefix the namespace is declared.
    pub(crate) imdn_message_id: Option<String>,
}

/// Looks at a `message/cpim` body.
pub(crate) fn peek(body: &[u8]) -> CpimPeek {
    let head = String::from_utf8_lossy(body.get(..PEEK_OCTETS).unwrap_or(body));
    let mut lines = head.lines();
    let message: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let content = lines.take_while(|line| !line.is_empty());
    CpimPeek {
        wrapped_type: content.filter_map(content_type).next(),
        imdn_message_id: imdn_message_id(&message),
    }
}

fn content_type(line: &str) -> Option<String> {
    let (name, value) = line.split_once(':')?;
    let essence = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    name.trim()
        .eq_ignore_ascii_case("Content-Type")
        .then_some(essence)
}

/// CPIM header names are case-sensitive (RFC 3862 §2.1).
fn imdn_message_id(lines: &[&str]) -> Option<String> {
    let values = |wanted: &str| {
        let found = lines.iter().filter_map(|line| line.split_once(':'));
        let wanted = wanted.to_owned();
        found
            .filter(move |(name, _)| *name == wanted)
            .map(|(_, value)| value.trim())
    };
    let mut prefixes = values("NS").filter_map(|declaration| declaration.split_once(' '));
    let (prefix, _) = prefixes.find(|(_, urn)| urn.trim() == IMDN_NAMESPACE)?;
    let id = values(&format!("{prefix}.Message-ID")).next()?;
    Some(id.to_owned()).filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "From: Alice <sip:alice@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
        imdn.Message-ID: Xk39s0QpLm2a\r\nimdn.Disposition-Notification: positive-delivery\r\n\r\n\
        Content-Type: Text/Plain;charset=utf-8\r\nContent-Length: 2\r\n\r\nhi";

    #[test]
    fn the_two_values_are_found() {
        let found = peek(TEXT.as_bytes());
        assert_eq!(found.wrapped_type.as_deref(), Some("text/plain"));
        assert_eq!(found.imdn_message_id.as_deref(), Some("Xk39s0QpLm2a"));
    }

    #[test]
    fn the_prefix_is_what_the_namespace_says() {
        let other = TEXT
            .replace("imdn <", "x <")
            .replace("imdn.Message-ID", "x.Message-ID");
        assert_eq!(
            peek(other.as_bytes()).imdn_message_id.as_deref(),
            Some("Xk39s0QpLm2a")
        );
        let undeclared = TEXT.replace("NS: imdn <urn:ietf:params:imdn>\r\n", "");
        assert_eq!(peek(undeclared.as_bytes()).imdn_message_id, None);
    }

    #[test]
    fn a_body_without_its_parts_has_neither_value() {
        for body in ["", "hello", "Content-Type: text/plain\r\n\r\nhi"] {
            assert_eq!(peek(body.as_bytes()), CpimPeek::default(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            peek(&body);
        }
    }
}
