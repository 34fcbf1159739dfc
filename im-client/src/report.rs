//! Delivery reports of a client (OPG-10, OPG-12, IMD-01): asking for them, knowing which message one is about, and telling
//! a sender that his message has come.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use cpim::imdn::{self, Disposition, Notification, Request, Status};
use rand::Rng;
use serde::{Deserialize, Serialize};
use sip::{MediaType, NameAddr, Uri, token};

use crate::envelope::Envelope;
use crate::pager::PagerMessage;

/// How long a message is remembered that a report may be about.
pub const KEPT: Duration = Duration::from_secs(12 * 60 * 60);
/// Type of a message with headers of its own.
pub const CPIM: &str = "message/cpim";
/// Characters of an `imdn.Message-ID` of ours: 71 random bits (RFC 5438 §7.1.1.1 asks for 32).
const ID_LENGTH: usize = 12;

/// What a user asks to be told of a message of his, under a new name for it.
#[must_use]
pub fn request(from: &Uri, to: &Uri, asked: Vec<Disposition>, rng: &mut impl Rng) -> Request {
    Request {
        asked,
        message_id: token::random_base62(rng, ID_LENGTH),
        from: format!("<{from}>"),
        to: format!("<{to}>"),
        original_recipient: to.to_string(),
    }
}

/// Content that asks for it, of type [`CPIM`].
#[must_use]
pub fn asking(request: &Request, now: SystemTime, content_type: &str, content: &[u8]) -> Bytes {
    imdn::asking(request, &imdn::datetime(now), content_type, content)
}

/// What came in CPIM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// What became of a message of ours.
    Report(Notification),
    /// A message whose sender wants to be told something.
    Asking(Request),
    /// Anything else.
    Plain,
}

/// Reads what came.
#[must_use]
pub fn arrived(content_type: &str, body: &Bytes) -> Arrived {
    let is_cpim = content_type.parse::<MediaType>();
    if !is_cpim.is_ok_and(|held| held.is(CPIM)) {
        return Arrived::Plain;
    }
    let Ok(message) = cpim::Message::parse(body) else {
        return Arrived::Plain;
    };
    if imdn::is_notification(&message) {
        let read = Notification::read(&message.content());
        return read.map_or(Arrived::Plain, Arrived::Report);
    }
    imdn::request(&message).map_or(Arrived::Plain, Arrived::Asking)
}

/// The message by which `user` tells a sender that his message has come; `None` if he did not ask, or hides.
#[must_use]
pub fn delivered(
    request: &Request,
    user: &Uri,
    now: SystemTime,
    rng: &mut impl Rng,
) -> Option<PagerMessage> {
    if !request.asked.contains(&Disposition::PositiveDelivery) {
        return None;
    }
    let sender: NameAddr = request.from.parse().ok()?;
    let is_hidden = sender
        .uri
        .as_sip()
        .is_none_or(|uri| uri.host.to_string().ends_with("anonymous.invalid"));
    if is_hidden {
        return None;
    }
    let notification = Notification {
        message_id: request.message_id.clone(),
        datetime: imdn::datetime(now),
        recipient: user.to_string(),
        original_recipient: request.original_recipient.clone(),
        status: Status::Delivered,
    };
    let own_id = token::random_base62(rng, ID_LENGTH);
    let body = notification.message(&format!("<{user}>"), &request.from, &own_id);
    Some(PagerMessage {
        envelope: Envelope::to(sender.uri),
        content_type: CPIM.to_owned(),
        body,
        disposition: None,
        expires: None,
    })
}

/// A message of ours that reports may come about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentMessage {
    /// Its `imdn.Message-ID`: opaque, compared as it is.
    pub id: String,
    /// To whom it went.
    pub to: String,
    /// What it was, for people.
    pub about: String,
    /// When, in seconds since 1970.
    sent_at: u64,
}

/// A message that has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    /// Its Message-ID in the store, or its sender's name for it.
    key: String,
    received_at: u64,
}

/// What a client remembers of messages, for [`KEPT`]: in a file, if it has one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Journal {
    #[serde(skip)]
    file: Option<PathBuf>,
    sent: Vec<SentMessage>,
    received: Vec<Received>,
}

impl Journal {
    /// What is in the file; nothing if it is not there.
    ///
    /// # Errors
    /// The file cannot be read, or is no journal.
    pub fn open(file: Option<&Path>) -> io::Result<Self> {
        let Some(file) = file else {
            return Ok(Self::default());
        };
        let mut journal: Self = match std::fs::read(file) {
            Ok(octets) => serde_json::from_slice(&octets)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(error),
        };
        journal.file = Some(file.to_owned());
        Ok(journal)
    }

    /// A message was sent.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn add_sent(&mut self, request: &Request, about: &str, now: SystemTime) -> io::Result<()> {
        self.sent.push(SentMessage {
            id: request.message_id.clone(),
            to: request.original_recipient.clone(),
            about: about.to_owned(),
            sent_at: seconds(now),
        });
        self.save(now)
    }

    /// The message that a report is about, if it is one of ours that we remember.
    #[must_use]
    pub fn sent(&self, report: &Notification, now: SystemTime) -> Option<&SentMessage> {
        let is_it = |sent: &&SentMessage| sent.id == report.message_id;
        let found = self.sent.iter().rev().find(is_it);
        found.filter(|sent| is_kept(sent.sent_at, now))
    }

    /// Whether this message has come before.
    #[must_use]
    pub fn has_received(&self, key: &str) -> bool {
        self.received.iter().any(|received| received.key == key)
    }

    /// A message has come, and its sender was told so if he wanted to be.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn add_received(&mut self, key: &str, now: SystemTime) -> io::Result<()> {
        self.received.push(Received {
            key: key.to_owned(),
            received_at: seconds(now),
        });
        self.save(now)
    }

    /// Forgets what is too old, and replaces the file as a whole.
    fn save(&mut self, now: SystemTime) -> io::Result<()> {
        self.sent.retain(|sent| is_kept(sent.sent_at, now));
        self.received
            .retain(|received| is_kept(received.received_at, now));
        let Some(file) = &self.file else {
            return Ok(());
        };
        let folder = file.parent().filter(|folder| *folder != Path::new(""));
        let written = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&written, self)?;
        written.as_file().sync_all()?;
        written.persist(file).map_err(|error| error.error)?;
        Ok(())
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

fn is_kept(at: u64, now: SystemTime) -> bool {
    seconds(now) < at + KEPT.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().expect("a URI")
    }

    fn lunch() -> Request {
        let asked = vec![Disposition::PositiveDelivery, Disposition::Processing];
        let (alice, bob) = (uri("sip:alice@example.org"), uri("sip:bob@example.org"));
        request(&alice, &bob, asked, &mut rand::rng())
    }

    fn hours(hours: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000 + hours * 3_600)
    }

    #[test]
    fn opg_10_what_a_client_asks_is_in_cpim() {
        let request = lunch();
        let body = asking(&request, hours(0), "text/plain;charset=utf-8", b"Lunch?");
        let text = String::from_utf8(body.to_vec()).expect("text");
        for line in [
            "NS: imdn <urn:ietf:params:imdn>\r\n".to_owned(),
            format!("imdn.Message-ID: {}\r\n", request.message_id),
            "imdn.Disposition-Notification: positive-delivery, processing\r\n".to_owned(),
        ] {
            assert!(text.contains(&line), "{line} in {text}");
        }
        assert!(text.ends_with("\r\n\r\nLunch?"));
        assert_eq!(arrived("Message/CPIM", &body), Arrived::Asking(request));
        assert_eq!(arrived("text/plain", &body), Arrived::Plain);
    }

    #[test]
    fn tpg_03_a_message_that_has_come_is_told_once_and_to_nobody_who_hides() {
        let bob = uri("sip:bob@example.org");
        let told = |request: &Request| delivered(request, &bob, hours(0), &mut rand::rng());
        let message = told(&lunch()).expect("asked");
        assert_eq!(message.envelope.to, uri("sip:alice@example.org"));
        let Arrived::Report(report) = arrived(&message.content_type, &message.body) else {
            panic!("a report");
        };
        assert_eq!(report.status, Status::Delivered);
        let hidden = Request {
            from: "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
            ..lunch()
        };
        let silent = Request {
            asked: vec![Disposition::Processing],
            ..lunch()
        };
        assert!(told(&hidden).is_none() && told(&silent).is_none());
    }

    #[test]
    fn opg_12_a_message_is_known_again_for_twelve_hours() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("journal");
        let request = lunch();
        let mut journal = Journal::open(Some(&file)).expect("none yet");
        journal
            .add_sent(&request, "Lunch?", hours(0))
            .expect("room");
        journal.add_received("7@store", hours(0)).expect("room");
        let report = Notification {
            message_id: request.message_id.clone(),
            datetime: String::new(),
            recipient: String::new(),
            original_recipient: String::new(),
            status: Status::Stored,
        };
        let other = Notification {
            message_id: request.message_id.to_lowercase() + "x",
            ..report.clone()
        };
        let mut journal = Journal::open(Some(&file)).expect("a journal");
        let about = |journal: &Journal, report, now| {
            let sent = journal.sent(report, now);
            sent.map(|sent| sent.about.clone())
        };
        assert_eq!(
            about(&journal, &report, hours(11)).as_deref(),
            Some("Lunch?")
        );
        assert_eq!(about(&journal, &other, hours(11)), None);
        assert_eq!(about(&journal, &report, hours(12)), None);
        assert!(journal.has_received("7@store") && !journal.has_received("8@store"));
        journal.add_received("9@store", hours(13)).expect("room");
        let journal = Journal::open(Some(&file)).expect("a journal");
        assert!(journal.sent.is_empty() && !journal.has_received("7@store"));
    }
}
