//! The list of a user's deferred messages (requirements §4.4): application usage
//! `org.openmobilealliance.deferred-list`, one document `deferred-list` per user.
//!
//! Deviation: each `history` has an attribute `id`, the Message-ID, so that a selector can name it
//! whatever happens to the others.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, Utc};
use roxmltree::Node;

use crate::xml::{Limits, NotRead, escape, parse};

/// The application usage.
pub const AUID: &str = "org.openmobilealliance.deferred-list";
/// The only document of it.
pub const DOCUMENT: &str = "deferred-list";
/// Media type of the document.
pub const MEDIA_TYPE: &str = "application/vnd.oma.im.deferred-list+xml";
/// Namespace of its elements.
pub const NAMESPACE: &str = "urn:oma:xml:im:history-list";

/// What is told of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// Message-ID, bare form.
    pub id: String,
    /// Where it is fetched: URI form.
    pub reference: String,
    /// Octets of its body.
    pub size: u64,
    /// When it is deleted undelivered.
    pub expiry: SystemTime,
    /// Subject as sent; `None` if there was none.
    pub subject: Option<String>,
    /// The moment of acceptance.
    pub date: SystemTime,
    /// From as the sender wrote it.
    pub from: String,
    /// To as the sender wrote it.
    pub to: String,
    /// Who the sender is, if he may be named.
    pub authenticated: Option<String>,
}

/// Messages of one document; a mailbox that holds more shows its first ones, in order.
pub const MESSAGES_MAX: usize = 10_000;
/// Octets of one document, its last message not counted: senders choose how long their headers are.
pub const OCTETS_MAX: usize = 8 << 20;

/// A document that is being written, within its bounds.
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    messages: usize,
}

impl Default for Document {
    fn default() -> Self {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        text.push_str(&format!("<history-list xmlns=\"{NAMESPACE}\">\n"));
        Self { text, messages: 0 }
    }
}

impl Document {
    /// Whether nothing more is written.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.messages >= MESSAGES_MAX || self.text.len() >= OCTETS_MAX
    }

    /// Adds a message, unless it is full.
    pub fn add(&mut self, history: &History) {
        if !self.is_full() {
            write_one(history, &mut self.text);
            self.messages += 1;
        }
    }

    /// The document as text.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.text.push_str("</history-list>\n");
        self.text
    }
}

/// The document of these messages, as many of them as it holds.
#[must_use]
pub fn write(list: &[History]) -> String {
    let mut document = Document::default();
    list.iter().for_each(|history| document.add(history));
    document.finish()
}

fn write_one(history: &History, out: &mut String) {
    out.push_str(&format!("  <history id=\"{}\">\n", escape(&history.id)));
    element(out, 4, "size", &history.size.to_string());
    element(out, 4, "expiry", &moment(history.expiry));
    if let Some(subject) = &history.subject {
        element(out, 4, "subject", subject);
    }
    element(out, 4, "date", &moment(history.date));
    element(out, 4, "history-reference", &history.reference);
    out.push_str("    <pager>\n");
    element(out, 6, "time-stamp", &moment(history.date));
    element(out, 6, "from", &history.from);
    element(out, 6, "to", &history.to);
    if let Some(authenticated) = &history.authenticated {
        element(out, 6, "auth-id", authenticated);
    }
    out.push_str("    </pager>\n  </history>\n");
}

fn element(out: &mut String, indent: usize, name: &str, text: &str) {
    let text = escape(text);
    out.push_str(&format!("{:indent$}<{name}>{text}</{name}>\n", ""));
}

/// Whether a message with this `Privacy` value names its sender (requirements §3.7).
#[must_use]
pub fn names_sender(privacy: &str) -> bool {
    let mut values = privacy.split([';', ',']).map(str::trim);
    values.all(|value| value.is_empty() || value.eq_ignore_ascii_case("none"))
}

/// The Message-ID of a `history` element.
#[must_use]
pub fn id_of(element: Node<'_, '_>) -> Option<String> {
    let tag = element.tag_name();
    let is_history = tag.name() == "history" && tag.namespace() == Some(NAMESPACE);
    element
        .attribute("id")
        .filter(|_| is_history)
        .map(str::to_owned)
}

/// What a reader sees of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Message-ID, bare form.
    pub id: String,
    /// Octets of its body, as written.
    pub size: String,
    /// When it is deleted undelivered, `xs:dateTime`.
    pub expiry: String,
    /// The moment of acceptance, `xs:dateTime`.
    pub date: String,
    /// From as the sender wrote it.
    pub from: String,
    /// Subject as sent; `None` if there was none.
    pub subject: Option<String>,
}

/// Bounds of a document that is read: far above 10,000 messages.
const LIMITS: Limits = Limits {
    octets: 32 << 20,
    nodes: 1_000_000,
    depth: 8,
};

/// The messages of a document, in its order.
///
/// # Errors
/// [`NotRead`].
pub fn read(document: &[u8]) -> Result<Vec<Listed>, NotRead> {
    let document = parse(document, LIMITS)?;
    let elements = document.root_element().children();
    Ok(elements.filter_map(listed).collect())
}

fn listed(history: Node<'_, '_>) -> Option<Listed> {
    let id = id_of(history)?;
    let text = |name: &str| {
        let found = history
            .descendants()
            .find(|node| node.tag_name().name() == name);
        found.map(|node| node.text().unwrap_or_default().to_owned())
    };
    Some(Listed {
        id,
        size: text("size").unwrap_or_default(),
        expiry: text("expiry").unwrap_or_default(),
        date: text("date").unwrap_or_default(),
        from: text("from").unwrap_or_default(),
        subject: text("subject"),
    })
}

/// `xs:dateTime` in UTC, whole seconds.
fn moment(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use proptest::prelude::*;

    fn history(id: &str, subject: Option<&str>) -> History {
        let date = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        History {
            id: id.to_owned(),
            reference: format!("sip:{id}"),
            size: 5,
            expiry: date + Duration::from_secs(86_400),
            subject: subject.map(str::to_owned),
            date,
            from: "\"Alice\" <sip:alice@example.org>;tag=1".to_owned(),
            to: "<sip:bob@example.org>".to_owned(),
            authenticated: Some("sip:alice@example.org".to_owned()),
        }
    }

    #[test]
    fn the_document_is_this() {
        let document = write(&[history("7@store.example.org", Some("Lunch & more"))]);
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<history-list xmlns=\"urn:oma:xml:im:history-list\">
  <history id=\"7@store.example.org\">
    <size>5</size>
    <expiry>2023-11-15T22:13:20Z</expiry>
    <subject>Lunch &amp; more</subject>
    <date>2023-11-14T22:13:20Z</date>
    <history-reference>sip:7@store.example.org</history-reference>
    <pager>
      <time-stamp>2023-11-14T22:13:20Z</time-stamp>
      <from>&quot;Alice&quot; &lt;sip:alice@example.org&gt;;tag=1</from>
      <to>&lt;sip:bob@example.org&gt;</to>
      <auth-id>sip:alice@example.org</auth-id>
    </pager>
  </history>
</history-list>
";
        assert_eq!(document, expected);
        assert!(write(&[]).contains("<history-list"));
        let read = read(document.as_bytes()).expect("a list");
        let expected = Listed {
            id: "7@store.example.org".to_owned(),
            size: "5".to_owned(),
            expiry: "2023-11-15T22:13:20Z".to_owned(),
            date: "2023-11-14T22:13:20Z".to_owned(),
            from: "\"Alice\" <sip:alice@example.org>;tag=1".to_owned(),
            subject: Some("Lunch & more".to_owned()),
        };
        assert_eq!(read, [expected]);
    }

    #[test]
    fn a_document_is_bounded_whatever_senders_write() {
        let long = "\"".repeat(8 << 10);
        let mut document = Document::default();
        let mut messages = 0;
        while !document.is_full() {
            document.add(&history("7@store.example.org", Some(&long)));
            messages += 1;
        }
        document.add(&history("8@store.example.org", None));
        let text = document.finish();
        assert!(
            text.len() < OCTETS_MAX + 2 * 6 * long.len(),
            "{}",
            text.len()
        );
        let read = read(text.as_bytes()).expect("well-formed");
        assert_eq!(read.len(), messages);
        let short = history("7@store.example.org", None);
        let many = write(&vec![short; MESSAGES_MAX + 1]);
        assert_eq!(many.matches("<history ").count(), MESSAGES_MAX);
    }

    #[test]
    fn any_wish_for_privacy_hides_the_sender() {
        for (privacy, named) in [
            ("", true),
            ("none", true),
            ("None", true),
            ("id", false),
            ("header; id", false),
        ] {
            assert_eq!(names_sender(privacy), named, "{privacy}");
        }
    }

    proptest! {
        #[test]
        fn whatever_senders_write_the_list_is_well_formed(
            texts in proptest::collection::vec((any::<String>(), proptest::option::of(any::<String>())), 0..5),
        ) {
            let list: Vec<_> = texts
                .iter()
                .map(|(id, subject)| history(id, subject.as_deref()))
                .collect();
            let document = write(&list);
            let read = roxmltree::Document::parse(&document).expect("well-formed");
            let ids: Vec<_> = read.root_element().children().filter_map(id_of).collect();
            prop_assert_eq!(ids.len(), list.len());
        }
    }
}
