//! Words that deposits and deliveries share.

use std::time::SystemTime;

use bytes::Bytes;

/// What kind of message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A MESSAGE request.
    Pager,
    /// A message received over MSRP.
    Large,
    /// A disposition notification (PFM-10).
    Imdn,
}

/// The priorities of RFC 3261 §20.26.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Priority {
    /// `non-urgent`.
    NonUrgent,
    /// `normal`, none, or a token we do not know.
    #[default]
    Normal,
    /// `urgent`.
    Urgent,
    /// `emergency`.
    Emergency,
}

/// Where a message is in its life (STO-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Waits for delivery.
    Stored,
    /// An edge has it under a live claim.
    Claimed,
    /// Kept back by an operator.
    Held,
    /// The client acknowledged it.
    Delivered,
    /// Its lifetime ended before delivery.
    Expired,
    /// Refused for good.
    Refused,
    /// Taken back by its sender.
    Recalled,
    /// Removed by an operator or the served user.
    Deleted,
}

/// Header values as the sender wrote them, unfolded; empty where absent.
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
    /// `P-Asserted-Identity` as believed, comma separated (requirements §3.8).
    pub asserted_identity: String,
    /// `Contact`, of large messages only.
    pub contact: String,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// `imdn.Message-ID` of a CPIM body.
    pub imdn_message_id: String,
    /// `Conversation-ID`.
    pub conversation_id: String,
    /// `Contribution-ID`.
    pub contribution_id: String,
    /// `Content-Disposition` of the body, of large messages only.
    pub content_disposition: String,
}

/// What the sender says about a file, from either spelling of the SDP attributes (requirements
/// §2.11): values as he wrote them, unquoted; empty where absent.
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

/// A notification that a sender can ask for (RFC 5438 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Disposition {
    /// When it was delivered.
    PositiveDelivery,
    /// When it could not be delivered.
    NegativeDelivery,
    /// What happens on the way.
    Processing,
    /// When it was displayed.
    Display,
}

/// What a sender asks to be told, and what a report repeats of his CPIM message: values as he wrote them, without
/// control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportRequest {
    /// The notifications asked for.
    pub asked: Vec<Disposition>,
    /// His `imdn.Message-ID`.
    pub imdn_message_id: String,
    /// `From` of the CPIM message.
    pub from: String,
    /// `To` of the CPIM message.
    pub to: String,
    /// URI of the recipient whom he had named first (`imdn.Original-To`).
    pub original_recipient: String,
}

/// Which octets of a message a [`Part`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartKind {
    /// The complete MESSAGE request (STO-02).
    Message,
    /// The complete INVITE of a large message (STO-03).
    Invite,
    /// The 200 to that INVITE (STO-03).
    InviteResponse,
    /// The header of the canonical MSRP SEND (STO-04).
    SendHead,
    /// The body of the canonical MSRP SEND (STO-04).
    SendBody,
    /// The BYE of the sender (STO-05).
    Bye,
}

/// Octets of a message, as received (P7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which ones.
    pub kind: PartKind,
    /// The octets.
    pub octets: Bytes,
}

/// A stored message without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Bare form, `<decimal>@<store hostname>` (STO-07).
    pub message_id: String,
    /// The served user it was accepted for.
    pub served_user: String,
    /// The asserted identity of the sender; `None` if none was required.
    pub sender: Option<String>,
    /// Its class.
    pub class: Class,
    /// Where it is in its life.
    pub state: State,
    /// Its parsed priority.
    pub priority: Priority,
    /// Header values.
    pub headers: Headers,
    /// Octets of the body.
    pub body_octets: u64,
    /// Where the body begins within [`PartKind::Message`].
    pub body_offset: u64,
    /// The moment of acceptance.
    pub received_at: SystemTime,
    /// When it expires if undelivered.
    pub expires_at: SystemTime,
    /// Attempts to deliver it so far.
    pub attempts: u32,
    /// How often an operator has had it delivered again.
    pub redeliveries: u32,
    /// Place in the mailbox.
    pub sequence: u64,
    /// Transport and address of the peer that handed it over.
    pub received_from: String,
    /// SHA-256 of the body; `None` for what came in a MESSAGE.
    pub sha256: Option<[u8; 32]>,
    /// What the sender says about a file; `None` if he says nothing.
    pub file: Option<FileAttributes>,
    /// The span of its acceptance (W3C Trace Context); `None` if that was not traced.
    pub traceparent: Option<String>,
}
