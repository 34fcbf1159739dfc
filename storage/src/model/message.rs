//! Messages and their names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{DeviceDelivery, MessageReport, ReportRequest, UnixMillis};

/// A canonical address of record (requirements §2.13), made by the edge; opaque to the store. Cheap to clone: rows of
/// jobs are, once per leg.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// Takes over a text that the caller has already made canonical.
    #[must_use]
    pub fn new(canonical: impl Into<String>) -> Self {
        Self(canonical.into().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The opaque name of a mailbox; addresses and aliases map to it (STO-12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub u64);

/// The place of a message in its mailbox: order of acceptance, hence of delivery (P5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

/// The decimal string of a Message-ID: strictly increasing, never reused (STO-08).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageNumber(pub u64);

/// A Message-ID, `<decimal>@<store hostname>` (STO-06..08). `Display` is the bare form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    /// The string left of the `@`.
    pub number: MessageNumber,
    /// The configured name of the storing node.
    pub hostname: String,
}

impl MessageId {
    /// The URI form, `sip:<decimal>@<hostname>` (STO-07).
    #[must_use]
    pub fn uri(&self) -> String {
        format!("sip:{self}")
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.number.0, self.hostname)
    }
}

/// The text is neither `<decimal>@<hostname>` nor its `sip:` form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a Message-ID has the form <decimal>@<hostname>, with or without sip: in front")]
pub struct InvalidMessageId;

impl FromStr for MessageId {
    type Err = InvalidMessageId;

    /// Accepts the bare and the `sip:` form (STO-07). Leading zeros and signs are refused, so that
    /// each message has one spelling.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.strip_prefix("sip:").unwrap_or(text);
        let (digits, hostname) = bare.split_once('@').ok_or(InvalidMessageId)?;
        let number: u64 = digits.parse().map_err(|_| InvalidMessageId)?;
        if hostname.is_empty() || number.to_string() != digits {
            return Err(InvalidMessageId);
        }
        Ok(Self {
            number: MessageNumber(number),
            hostname: hostname.to_owned(),
        })
    }
}

/// What kind of message it is. The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Class {
    /// A MESSAGE request.
    Pager = 1,
    /// A message received over MSRP.
    Large = 2,
    /// A disposition notification: own quota, never counted as waiting (PFM-10, MWI-09).
    Imdn = 3,
}

/// The Priority of RFC 3261 §20.26; other tokens count as normal (requirements §2.13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Priority {
    /// `non-urgent`.
    NonUrgent = 1,
    /// `normal`, or none.
    #[default]
    Normal = 2,
    /// `urgent`.
    Urgent = 3,
    /// `emergency`.
    Emergency = 4,
}

/// Where a message is in its life (STO-11). The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum State {
    /// Waits for delivery.
    Stored = 1,
    /// An edge has it under a live claim. Never written: it follows from the claim.
    Claimed = 2,
    /// Kept back by an operator.
    Held = 3,
    /// The client acknowledged it.
    Delivered = 4,
    /// Its lifetime ended before delivery.
    Expired = 5,
    /// Refused for good; a dead letter while its content is retained.
    Refused = 6,
    /// Taken back by its sender.
    Recalled = 7,
    /// Removed by the operator or the served user.
    Deleted = 8,
}

impl State {
    /// Whether nothing more will happen to the message by itself.
    #[must_use]
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Stored | Self::Claimed | Self::Held)
    }
}

/// Header values that queries, summaries and pushes need without reading the content. Values as
/// the sender wrote them, unfolded; empty where absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `From`, with display name and tag.
    pub from: String,
    /// `To`.
    pub to: String,
    /// `Call-ID`.
    pub call_id: String,
    /// `Subject`.
    pub subject: String,
    /// `Date`, the sender's own.
    pub date: String,
    /// `Priority`.
    pub priority: String,
    /// `Privacy`.
    pub privacy: String,
    /// `P-Asserted-Identity` as believed (requirements §3.8), all values comma separated.
    pub asserted_identity: String,
    /// `Contact` (large messages).
    pub contact: String,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// `imdn.Message-ID` of a CPIM body.
    pub imdn_message_id: String,
    /// `Conversation-ID` (requirements §4.12).
    pub conversation_id: String,
    /// `Contribution-ID` (requirements §4.12).
    pub contribution_id: String,
    /// `Content-Disposition` of the body (large messages).
    pub content_disposition: String,
}

/// What the sender says about a file (requirements §2.11). Values as he wrote them, unquoted; empty
/// where absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileAttributes {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// Its size in octets.
    pub octets: Option<u64>,
    /// Its hash, such as `sha-1:72:24:5F:E8`.
    pub hash: String,
    /// `render` or `attachment`.
    pub disposition: String,
    /// Content-ID of its icon, without `cid:`.
    pub icon: String,
    /// Its `file-transfer-id`.
    pub transfer_id: String,
    /// Its description for people.
    pub description: String,
}

/// What the store knows about a message without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Its Message-ID.
    pub id: MessageId,
    /// Its mailbox.
    pub mailbox: MailboxId,
    /// Its place there.
    pub sequence: Sequence,
    /// The served user it was accepted for.
    pub served_user: Address,
    /// The asserted identity of the sender; `None` if none was required.
    pub sender: Option<Address>,
    /// Its class.
    pub class: Class,
    /// Its parsed priority.
    pub priority: Priority,
    /// Whether the summary counts it as `Text-Message` (MWI-09), else `Multimedia-Message`.
    pub is_text: bool,
    /// Header values.
    pub headers: Headers,
    /// Octets of the body (all of `SendBody`, or the body of the MESSAGE).
    pub body_octets: u64,
    /// Where the body begins within [`super::PartKind::Message`]; zero for large messages.
    pub body_offset: u64,
    /// When it was accepted: the moment of its commit, which never decreases within a store; of one that was taken over
    /// from another store the moment that store says.
    pub received_at: UnixMillis,
    /// When it expires if undelivered (requirements §3.2).
    pub expires_at: UnixMillis,
    /// Transport and address of the peer that handed it over, for operators.
    pub received_from: String,
    /// SHA-256 of the body (large messages).
    pub sha256: Option<[u8; 32]>,
    /// What the sender says about a file; `None` if he says nothing.
    pub file: Option<FileAttributes>,
    /// What the sender asks to be told (IMD-01); `None` if nothing.
    pub report_request: Option<ReportRequest>,
    /// The span in which it was taken in (W3C Trace Context), for attempts to link to; `None` if it was not traced.
    pub traceparent: Option<String>,
    /// The group through which it came, if it is a copy that this store's fan-out has sent to a member.
    pub group: Option<Address>,
}

/// An envelope with what has happened to the message since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// The unchanging part.
    pub envelope: Envelope,
    /// Where it is in its life.
    pub state: State,
    /// Attempts to deliver it so far.
    pub attempts: u32,
    /// How often an operator has had it delivered again (requirements §3.13).
    pub redeliveries: u32,
    /// When it was settled.
    pub settled_at: Option<UnixMillis>,
    /// Why the last attempt failed or how the message ended, for people.
    pub reason: String,
    /// Whether its content is still there.
    pub content_retained: bool,
    /// What its sender is told, or was.
    pub reports: Vec<MessageReport>,
    /// What became of it at each device, where each shall have it.
    pub devices: Vec<DeviceDelivery>,
    /// Until when it is held; `None` if it is not, or without end.
    pub deliver_after: Option<UnixMillis>,
}
