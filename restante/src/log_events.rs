//! The closed list of log events: what a line at info or above can be, for `restante log-events` and `docs/log-events.md`. Code
//! logs where something happens, with the name of the event in the field `event`; what is logged must stand here.

mod edge;
mod process;
mod storage;

use std::fmt::Write as _;

/// How much an event matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Info,
    Warn,
    Error,
}

/// One event: a row of the list.
#[derive(Clone, Copy, Debug)]
struct Event {
    /// `<noun>.<what happened to it>`.
    name: &'static str,
    level: Level,
    /// What its lines say besides time, level, target and message.
    fields: &'static [&'static str],
    /// What has happened: one sentence or two.
    meaning: &'static str,
    /// What an operator should do about it.
    action: &'static str,
}

/// Events of the same processes.
struct Section {
    title: &'static str,
    events: &'static [Event],
}

const SECTIONS: [Section; 5] = [
    Section {
        title: "Every process",
        events: process::PROCESS,
    },
    Section {
        title: "Both edges",
        events: edge::BOTH,
    },
    Section {
        title: "sip-edge",
        events: edge::PARTICIPATING,
    },
    Section {
        title: "controlling-edge",
        events: edge::CONTROLLING,
    },
    Section {
        title: "storage",
        events: storage::STORAGE,
    },
];

/// What the fields mean, in all events that have them.
const FIELDS: &[(&str, &str)] = &[
    ("address", "IP address and port, or URL"),
    ("alias", "a further address of a user, redacted"),
    ("buffer", "`receive` or `send`"),
    ("call_id", "Call-ID of a request, redacted"),
    ("capacity", "deliveries at a time that an edge takes"),
    ("changed", "keys with the values before and after"),
    ("code", "gRPC code, or MSRP status"),
    ("condition", "name of a condition of `/readyz`"),
    (
        "current",
        "number of the master key that is used for what is new",
    ),
    ("edge", "name of an edge"),
    (
        "error",
        "what went wrong, in the words of the system or of a library",
    ),
    ("files", "paths"),
    ("filter", "directives of the log filter"),
    ("from", "the number before a jump"),
    ("grace_ms", "how long was waited, in milliseconds"),
    ("granted", "octets that there are"),
    ("key", "the setting to look at"),
    ("left", "how many there are still"),
    ("legs", "copies of messages to many"),
    ("listener", "the process and what it listens for"),
    ("location", "file, line and column of the source"),
    ("mailbox", "address of a user, redacted"),
    ("message_id", "Message-ID of the store"),
    ("name", "name of a backup"),
    (
        "octets",
        "octets of a backup, with those that it shares with others",
    ),
    (
        "octets_after",
        "octets of the files of the store afterwards",
    ),
    ("octets_before", "the same before"),
    (
        "of",
        "the event that was suppressed, or the target of a library",
    ),
    ("path", "a path"),
    (
        "pause_ms",
        "how long is waited from now on, in milliseconds",
    ),
    ("peer", "IP address and port of the other end"),
    (
        "process",
        "`all`, `storage`, `sip-edge` or `controlling-edge`",
    ),
    ("reason", "why, in our words or those of the other end"),
    ("signal", "name of a signal"),
    ("state", "`ready`, or why not"),
    ("suppressed", "how many lines were not written"),
    ("task", "name of a task of the process"),
    (
        "text",
        "the constant text of a panic; empty if it is not constant",
    ),
    ("time_ms", "for how long, in milliseconds"),
    ("to", "the number after a jump"),
    ("version", "version and commit of the build"),
    (
        "visitor",
        "who has signed in: the name of the certificate, the address or the local user that asked for his token",
    ),
    ("waiting", "how many wait"),
    ("wanted", "octets that were asked for"),
    ("warning", "which listeners, and what to do"),
    ("what", "a kind of work"),
];

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The document of all log events.
pub(crate) fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in &SECTIONS {
        let _ = write!(
            text,
            "\n## {}\n\n| event | level | fields | what has happened | what to do |\n|---|---|---|---|---|\n",
            section.title
        );
        for event in section.events {
            let Event {
                name,
                meaning,
                action,
                ..
            } = event;
            let fields: Vec<_> = event
                .fields
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            let _ = writeln!(
                text,
                "| `{name}` | {} | {} | {meaning} | {action} |",
                event.level.word(),
                fields.join(", ")
            );
        }
    }
    text.push_str("\n## Fields\n\n| field | what it holds |\n|---|---|\n");
    for (name, meaning) in FIELDS {
        let _ = writeln!(text, "| `{name}` | {meaning} |");
    }
    text
}

const HEAD: &str = "\
# Log events

Every line at info, warn or error that a process logs is one of these events: its name is in the field `event`, and does not
change from version to version; the text of the line may. This file is what `restante log-events` prints; tests hold the code
and what processes really log against the list in `restante/src/log_events`.

error: an operator must act, or data is at risk. warn: odd, and dealt with. info: the life of the process. Lines at debug and trace are
about single messages and octets, come without an event, and may change. So may those of libraries, whose `target` does not begin with
`restante`: at info and above there are hardly any.

Identities of users are redacted: the same user has the same `#` and ten hexadecimal digits as long as the process runs, and
everywhere with `log.redaction_key`. Bodies are not logged at any level. What operators have changed is not here but in the audit log
([operations](operations.md)).
";

const fn event(
    name: &'static str,
    level: Level,
    fields: &'static [&'static str],
    meaning: &'static str,
    action: &'static str,
) -> Event {
    Event {
        name,
        level,
        fields,
        meaning,
        action,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Event> {
        SECTIONS.iter().flat_map(|section| section.events)
    }

    #[test]
    fn names_are_nouns_with_what_happened_and_are_there_once() {
        let mut seen = BTreeSet::new();
        for event in all() {
            let Event {
                name,
                meaning,
                action,
                ..
            } = event;
            assert!(seen.insert(name), "{name} twice");
            let is_word = |c: char| c.is_ascii_lowercase() || c == '_';
            let parts: Vec<_> = name.split('.').collect();
            let is_name = parts.len() == 2 && parts.iter().all(|part| part.chars().all(is_word));
            assert!(is_name, "{name}");
            for sentence in [meaning, action] {
                assert!(sentence.ends_with('.') && !sentence.contains('|'), "{name}");
            }
        }
    }

    #[test]
    fn each_field_is_explained_and_used() {
        let explained: BTreeSet<_> = FIELDS.iter().map(|(name, _)| *name).collect();
        let used: BTreeSet<_> = all().flat_map(|event| event.fields).copied().collect();
        assert_eq!(explained, used);
        assert_eq!(explained.len(), FIELDS.len());
        assert!(FIELDS.is_sorted());
    }
}
