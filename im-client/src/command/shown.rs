//! A message on standard output, and in a folder.

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use cpim::imdn::Notification;
use restante_im_client::report::{self, Arrived, SentMessage};
use restante_im_client::{LargePush, PagerArrival, PushedMessage};
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;

/// What is told of a message, however it came.
pub(super) struct Shown {
    message_id: String,
    received_at: String,
    from: String,
    subject: String,
    kind: String,
    content_type: String,
    file_name: Option<String>,
    octets: u64,
    sha256: String,
    content: Content,
    saved: Option<PathBuf>,
    report: Option<ShownReport>,
}

/// What a report says, and of which message.
struct ShownReport {
    report: Notification,
    about: Option<SentMessage>,
}

enum Content {
    /// The body, and the message it was in.
    Memory { body: Bytes, original: Bytes },
    /// Gone when dropped, unless it was saved.
    File(Option<TempPath>),
}

impl Shown {
    pub(super) fn of_push(message: PushedMessage) -> Self {
        Self {
            octets: message.body.len() as u64,
            sha256: hex(&message.sha256()),
            message_id: message.message_id,
            received_at: message.received_at,
            from: message.from,
            subject: message.subject,
            kind: message.kind,
            content_type: message.content_type,
            file_name: message.file_name,
            content: Content::Memory {
                body: message.body,
                original: message.original,
            },
            saved: None,
            report: None,
        }
    }

    pub(super) fn of_pager(message: PagerArrival) -> Self {
        Self {
            octets: message.body.len() as u64,
            sha256: hex(&Sha256::digest(&message.body)),
            message_id: message.message_id,
            received_at: message.date,
            from: message.from,
            subject: message.subject,
            kind: "MESSAGE".to_owned(),
            content_type: message.content_type,
            file_name: None,
            content: Content::Memory {
                body: message.body,
                original: message.original,
            },
            saved: None,
            report: None,
        }
    }

    pub(super) fn of_large(message: LargePush) -> Self {
        Self {
            message_id: message.message_id,
            received_at: message.received_at,
            from: message.from,
            subject: message.subject,
            kind: message.kind,
            content_type: message.content_type,
            file_name: message.file_name,
            octets: message.octets,
            sha256: hex(&message.sha256),
            content: Content::File(Some(message.content)),
            saved: None,
            report: None,
        }
    }

    /// Its Message-ID in the store, empty if it comes from none.
    pub(super) fn message_id(&self) -> &str {
        &self.message_id
    }

    /// What it is for reports. Of one that lies in a file only its head is read.
    pub(super) fn arrived(&self) -> Arrived {
        match &self.content {
            Content::Memory { body, .. } => report::arrived(&self.content_type, body),
            Content::File(Some(content)) => {
                let mut head = Vec::new();
                let read = std::fs::File::open(content).and_then(|file| {
                    file.take(cpim::HEAD_LIMIT_OCTETS as u64)
                        .read_to_end(&mut head)
                });
                match read {
                    Ok(_) => report::arrived(&self.content_type, &head.into()),
                    Err(_) => Arrived::Plain,
                }
            }
            Content::File(None) => Arrived::Plain,
        }
    }

    /// It is a report about this message, or about one that is not known.
    pub(super) fn is_about(&mut self, report: &Notification, about: Option<&SentMessage>) {
        self.report = Some(ShownReport {
            report: report.clone(),
            about: about.cloned(),
        });
    }

    /// Keeps the content in this folder, under a name of its own.
    pub(super) fn save(&mut self, folder: &Path) -> io::Result<()> {
        let name = format!(
            "{}-{}",
            harmless(&self.message_id),
            harmless(self.file_name.as_deref().unwrap_or("message"))
        );
        let path = folder.join(name);
        match &mut self.content {
            Content::Memory { body, .. } => std::fs::write(&path, body)?,
            Content::File(content) => {
                if let Some(content) = content.take() {
                    content.persist(&path).map_err(|error| error.error)?;
                }
            }
        }
        self.saved = Some(path);
        Ok(())
    }

    /// One record; a body that is in a file is not in it.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let mut record = serde_json::json!({
            "message_id": self.message_id,
            "received_at": self.received_at,
            "from": self.from,
            "subject": self.subject,
            "kind": self.kind,
            "content_type": self.content_type,
            "file_name": self.file_name,
            "octets": self.octets,
            "sha256": self.sha256,
            "saved": self.saved,
        });
        if let Some(ShownReport { report, about }) = &self.report {
            record["report"] = serde_json::json!({
                "status": report.status.word(),
                "imdn_message_id": report.message_id,
                "recipient": report.recipient,
                "at": report.datetime,
                "about": about,
            });
        }
        if let Content::Memory { body, original } = &self.content {
            record["body"] = String::from_utf8_lossy(body).into();
            record["original"] = String::from_utf8_lossy(original).into();
        }
        record
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Message-ID: {}", shown(&self.message_id))?;
        writeln!(f, "Received:   {}", shown(&self.received_at))?;
        writeln!(f, "From:       {}", shown(&self.from))?;
        if !self.subject.is_empty() {
            writeln!(f, "Subject:    {}", shown(&self.subject))?;
        }
        if let Some(name) = &self.file_name {
            writeln!(f, "File:       {}", shown(name))?;
        }
        if let Some(ShownReport { report, about }) = &self.report {
            let (status, id) = (report.status.word(), shown(&report.message_id));
            let recipient = shown(&report.recipient);
            writeln!(
                f,
                "Report:     {status}, {recipient}, {}",
                shown(&report.datetime)
            )?;
            return match about {
                Some(about) => writeln!(
                    f,
                    "About:      {id} to {}: {}\n",
                    shown(&about.to),
                    shown(&about.about)
                ),
                None => writeln!(f, "About:      {id}, an unknown message\n"),
            };
        }
        if let Some(saved) = &self.saved {
            writeln!(f, "Saved as:   {}", shown(&saved.to_string_lossy()))?;
        }
        match &self.content {
            Content::Memory { body, .. } if is_text(&self.content_type) => {
                writeln!(f, "\n{}\n", shown(&String::from_utf8_lossy(body)))
            }
            _ => writeln!(
                f,
                "Content:    {}, {} octets, sha-256 {}\n",
                shown(&self.content_type),
                self.octets,
                self.sha256
            ),
        }
    }
}

/// What is read on a terminal; a message without a type is taken for text (RFC 3261 §20.15).
fn is_text(content_type: &str) -> bool {
    let begins = |essence: &str| {
        let start = content_type.get(..essence.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(essence))
    };
    content_type.is_empty() || begins("text/") || begins("message/")
}

/// A stranger's text as a part of a file name: no folder, no hidden file, no control character.
fn harmless(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter {
        letter if letter.is_alphanumeric() => letter,
        '.' | '-' | '_' | '@' => letter,
        _ => '_',
    });
    let name: String = letters.take(100).collect();
    match name.trim_start_matches('.') {
        "" => "unnamed".to_owned(),
        name => name.to_owned(),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Text of a stranger on a terminal: control characters but line ends and tabs are escaped.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let harmless = matches!(letter, '\n' | '\t') || !letter.is_control();
            let escaped = (!harmless).then(|| letter.escape_default());
            harmless
                .then_some(letter)
                .into_iter()
                .chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\tc\n"), "a\\u{1b}[2Jb\tc\n");
    }

    #[test]
    fn a_name_from_a_stranger_stays_in_its_folder() {
        for (name, kept) in [
            ("plan.pdf", "plan.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("..", "unnamed"),
            (".bashrc", "bashrc"),
            ("a\0b\n", "a_b_"),
            ("", "unnamed"),
        ] {
            assert_eq!(harmless(name), kept);
        }
    }

    #[test]
    fn what_is_saved_is_the_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut message = Shown {
            message_id: "1@host".to_owned(),
            received_at: String::new(),
            from: String::new(),
            subject: String::new(),
            kind: String::new(),
            content_type: "text/plain".to_owned(),
            file_name: Some("plan.txt".to_owned()),
            octets: 2,
            sha256: String::new(),
            content: Content::Memory {
                body: Bytes::from_static(b"hi"),
                original: Bytes::new(),
            },
            saved: None,
            report: None,
        };
        message.save(folder.path()).expect("writable");
        let kept = std::fs::read(folder.path().join("1@host-plan.txt"));
        assert_eq!(kept.expect("there"), b"hi");
    }
}
