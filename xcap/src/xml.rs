//! Reading XML that somebody else has written, strictly; writing text that XML can hold.

use roxmltree::{Document, Node, ParsingOptions};

/// Attributes of one tag. The reader compares them pairwise.
const ATTRIBUTES_MAX: usize = 256;
/// Namespace declarations of a document. Each element that has one copies those it inherits, after
/// comparing them pairwise.
const DECLARATIONS_MAX: usize = 256;

/// Bounds of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets.
    pub octets: usize,
    /// Elements, texts and comments.
    pub nodes: u32,
    /// Elements within each other.
    pub depth: usize,
}

/// Why a document was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRead {
    /// More than [`Limits`] allow, or more attributes or namespaces than any document needs.
    #[error("the document is too large")]
    TooLarge,
    /// No UTF-8, or declared to be something else.
    #[error("the document is not XML 1.0 in UTF-8")]
    Encoding,
    /// Not well-formed, or with a DTD.
    #[error("not well-formed: {0}")]
    Malformed(String),
}

/// A well-formed document within its limits: XML 1.0 in UTF-8, without a DTD, so that there is no
/// entity to expand but the five of XML itself.
///
/// # Errors
/// [`NotRead`].
pub fn parse(octets: &[u8], limits: Limits) -> Result<Document<'_>, NotRead> {
    if octets.len() > limits.octets {
        return Err(NotRead::TooLarge);
    }
    let text = std::str::from_utf8(octets).map_err(|_| NotRead::Encoding)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if !is_declared_well(text) {
        return Err(NotRead::Encoding);
    }
    if !is_sparse(text) {
        return Err(NotRead::TooLarge);
    }
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: limits.nodes,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options);
    let document = document.map_err(|error| match error {
        roxmltree::Error::NodesLimitReached => NotRead::TooLarge,
        error => NotRead::Malformed(error.to_string()),
    })?;
    match is_shallow(document.root(), limits.depth) {
        true => Ok(document),
        false => Err(NotRead::TooLarge),
    }
}

/// Nothing declared, or XML 1.0 in UTF-8.
fn is_declared_well(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("<?xml") else {
        return true;
    };
    let Some((declaration, _)) = rest.split_once("?>") else {
        return true;
    };
    let says = |name: &str| {
        let (_, after) = declaration.split_once(name)?;
        let after = after.trim_start().strip_prefix('=')?.trim_start();
        let quote = after
            .chars()
            .next()
            .filter(|quote| "'\"".contains(*quote))?;
        after[1..].split_once(quote).map(|(value, _)| value)
    };
    says("version").is_none_or(|version| version == "1.0")
        && says("encoding").is_none_or(|encoding| encoding.eq_ignore_ascii_case("utf-8"))
}

/// Whether tags have few attributes and the document few namespaces, seen before it is read: where
/// `=` and a quote follow each other there may be an attribute, and `<` stands in no attribute value.
fn is_sparse(text: &str) -> bool {
    let mut declarations = 0;
    text.split('<').all(|tag| {
        let mut attributes = 0;
        for (at, _) in tag.match_indices('=') {
            if tag[at + 1..].trim_start().starts_with(['"', '\'']) {
                attributes += 1;
                declarations += usize::from(is_declaration(&tag[..at]));
            }
        }
        attributes <= ATTRIBUTES_MAX && declarations <= DECLARATIONS_MAX
    })
}

/// Whether a text ends in the name of a namespace declaration.
fn is_declaration(text: &str) -> bool {
    let before = text.trim_end();
    let name = before.rsplit(|c: char| c.is_whitespace() || "=\"'".contains(c));
    name.into_iter()
        .next()
        .is_some_and(|name| name.starts_with("xmlns"))
}

/// Walks without recursion.
fn is_shallow(root: Node<'_, '_>, limit: usize) -> bool {
    let mut depth = 0;
    let mut node = root.first_child();
    while let Some(here) = node {
        if here.is_element() && depth + 1 > limit {
            return false;
        }
        if let Some(child) = here.first_child() {
            depth += 1;
            node = Some(child);
            continue;
        }
        let mut next = here;
        node = loop {
            if let Some(sibling) = next.next_sibling() {
                break Some(sibling);
            }
            match next.parent().filter(|parent| parent.id() != root.id()) {
                Some(parent) => {
                    depth -= 1;
                    next = parent;
                }
                None => break None,
            }
        };
    }
    true
}

/// Text as it stands in an element or an attribute value. What XML cannot hold becomes U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push_str(&format!("&#{};", u32::from(c))),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: Limits = Limits {
        octets: 1_000,
        nodes: 100,
        depth: 4,
    };

    #[test]
    fn only_xml_1_0_in_utf_8_is_read() {
        let table = [
            ("<a/>", true),
            ("<?xml version=\"1.0\"?><a/>", true),
            ("<?xml version='1.0' encoding='utf-8'?><a/>", true),
            (
                "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>",
                true,
            ),
            ("<?xml version=\"1.1\"?><a/>", false),
            ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", false),
            ("<!DOCTYPE a><a/>", false),
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", false),
            ("<a>&x;</a>", false),
            ("<a></b>", false),
            ("", false),
        ];
        for (text, is_read) in table {
            assert_eq!(parse(text.as_bytes(), LIMITS).is_ok(), is_read, "{text}");
        }
        assert_eq!(parse(b"<a>\xff</a>", LIMITS).err(), Some(NotRead::Encoding));
    }

    #[test]
    fn limits_are_kept() {
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(parse(deep(4).as_bytes(), LIMITS).is_ok());
        assert_eq!(
            parse(deep(5).as_bytes(), LIMITS).err(),
            Some(NotRead::TooLarge)
        );
        let after = format!("<a><b/>{}</a>", deep(3));
        assert!(parse(after.as_bytes(), LIMITS).is_ok());
        let wide = format!("<a>{}</a>", "<b/>".repeat(200));
        assert_eq!(
            parse(wide.as_bytes(), LIMITS).err(),
            Some(NotRead::TooLarge)
        );
        let long = format!("<a>{}</a>", "x".repeat(1_000));
        assert_eq!(
            parse(long.as_bytes(), LIMITS).err(),
            Some(NotRead::TooLarge)
        );
    }

    #[test]
    fn what_would_be_compared_without_end_is_not_read() {
        let limits = Limits {
            octets: 64 << 10,
            nodes: 4_096,
            depth: 4,
        };
        let many = |count: usize, each: fn(usize) -> String| (0..count).map(each).collect();
        let namespaces: String = many(200, |n| format!(" xmlns:a{n}=\"u\""));
        let attributes: String = many(ATTRIBUTES_MAX, |n| format!(" a{n} = 'x'"));
        let children: String = many(2_000, |_| "<b xmlns:z=\"u\"/>".to_owned());
        let text = "xmlns=xmlns:a= &quot;".repeat(500);
        for (document, is_read) in [
            (format!("<a{namespaces}><b>{text}</b></a>"), true),
            (format!("<a{attributes}/>"), true),
            (format!("<a{namespaces}>{children}</a>"), false),
            (format!("<a{attributes} b=\"x\"/>"), false),
        ] {
            let read = parse(document.as_bytes(), limits);
            let expected = if is_read {
                None
            } else {
                Some(NotRead::TooLarge)
            };
            assert_eq!(read.err(), expected, "{document:.60}");
        }
    }

    proptest! {
        #[test]
        fn escaped_text_comes_back(text in "[^\\p{C}]*|[\\t\\n\\r ]*") {
            let document = format!("<a b=\"{0}\">{0}</a>", escape(&text));
            let read = Document::parse(&document).expect("well-formed");
            let root = read.root_element();
            prop_assert_eq!(root.text().unwrap_or_default(), text.as_str());
            prop_assert_eq!(root.attribute("b"), Some(text.as_str()));
        }

        #[test]
        fn any_text_is_well_formed_once_escaped(text in proptest::collection::vec(any::<char>(), 0..40)) {
            let text: String = text.into_iter().collect();
            let document = format!("<a>{}</a>", escape(&text));
            prop_assert!(Document::parse(&document).is_ok(), "{}", document);
        }

        #[test]
        fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(parse(&octets, LIMITS));
        }
    }
}
