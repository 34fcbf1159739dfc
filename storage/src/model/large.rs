//! Large messages: admitted, staged while they arrive, committed as one (requirements §3.3, §3.6).

use std::time::{Duration, Instant};

use super::{
    Address, Class, Deposit, DuplicateKey, FileAttributes, Headers, LegName, Part, Priority,
    ReportRequest,
};

/// Names an upload. Never used twice while anything of it is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId(pub u64);

/// A body up to this size travels with the other parts of its message; a larger one is read by
/// [`crate::Store::read_part`].
pub const INLINE_OCTETS: u64 = 256 << 10;

/// What is asked before a large message comes (DEF-17).
#[derive(Clone, Debug)]
pub struct Admission {
    /// The served user; an address or alias.
    pub served_user: Address,
    /// The asserted identity of the sender.
    pub sender: Option<Address>,
    /// See [`Deposit::sender_exempt`].
    pub sender_exempt: bool,
    /// What the offer says; `None` if it says nothing.
    pub announced_octets: Option<u64>,
    /// The offer has file attributes (DEF-19).
    pub file_transfer: bool,
}

/// The answer to an [`Admission`], decided in the order of PFM-13.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmissionOutcome {
    /// The announced octets are reserved in the mailbox.
    Admitted {
        /// Where its octets go.
        upload: UploadId,
        /// More octets than these are not taken.
        max_octets: u64,
    },
    /// The message would not be taken.
    Refused(super::Refusal),
}

/// A large message whose body has been staged completely.
#[derive(Clone, Debug)]
pub struct LargeDeposit {
    /// The served user; an address or alias.
    pub served_user: Address,
    /// The asserted identity of the sender.
    pub sender: Option<Address>,
    /// See [`Deposit::sender_exempt`].
    pub sender_exempt: bool,
    /// Its class.
    pub class: Class,
    /// Its priority.
    pub priority: Priority,
    /// See [`super::Envelope::is_text`].
    pub is_text: bool,
    /// Header values.
    pub headers: Headers,
    /// Message-ID of the sender's SEND: with sender, length and hash it makes a retry recognisable.
    pub msrp_message_id: String,
    /// Octets of the body.
    pub octets: u64,
    /// Parts but for the body.
    pub parts: Vec<Part>,
    /// The lifetime the sender asked for, from the acceptance; the store caps it (requirements §3.2).
    pub lifetime: Option<Duration>,
    /// See [`super::Envelope::received_from`].
    pub received_from: String,
    /// See [`super::Envelope::file`].
    pub file: Option<FileAttributes>,
    /// See [`super::Envelope::report_request`].
    pub report_request: Option<ReportRequest>,
    /// See [`super::Envelope::traceparent`].
    pub traceparent: Option<String>,
    /// See [`Deposit::leg`].
    pub leg: Option<LegName>,
    /// The sender has given up by then.
    pub deadline: Instant,
}

impl LargeDeposit {
    /// The same as a deposit that has everything but its body.
    pub(crate) fn into_deposit(self, sha256: [u8; 32]) -> Deposit {
        Deposit {
            served_user: self.served_user,
            sender: self.sender,
            sender_exempt: self.sender_exempt,
            class: self.class,
            priority: self.priority,
            is_text: self.is_text,
            headers: self.headers,
            duplicate_key: DuplicateKey {
                method: "SEND".to_owned(),
                from_tag: String::new(),
                call_id: self.msrp_message_id,
                cseq: 0,
            },
            // The octets of a large message are recognised by their hash, whatever they wrap.
            imdn_key: None,
            parts: self.parts,
            body_octets: self.octets,
            body_offset: 0,
            lifetime: self.lifetime,
            received_from: self.received_from,
            sha256: Some(sha256),
            file: self.file,
            report_request: self.report_request,
            traceparent: self.traceparent,
            leg: self.leg,
            deadline: self.deadline,
        }
    }
}
