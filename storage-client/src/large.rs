//! Large messages: admitted, written while they arrive, committed; read back in ranges.

mod part_reader;
mod upload;

use std::time::Duration;

use crate::message::{Class, FileAttributes, Headers, Part, Priority, ReportRequest};
use crate::{LegName, Refusal, Unavailable};

pub use part_reader::PartReader;
pub use upload::Upload;

/// What the store is asked before an INVITE is answered 200 (DEF-17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdmissionRequest {
    /// Canonical address of the served user, or an alias.
    pub served_user: String,
    /// The asserted identity of the sender; `None` if none was required.
    pub sender: Option<String>,
    /// Does not count in what its sender may have stored (requirements §3.6).
    pub sender_exempt: bool,
    /// What the offer says (LMO-08); `None` if it says nothing.
    pub announced_octets: Option<u64>,
    /// The offer has file attributes (DEF-19).
    pub file_transfer: bool,
}

/// How the store decided, in the order of PFM-13.
#[derive(Debug)]
pub enum AdmissionAnswer {
    /// The announced octets are reserved as long as the upload lives.
    Admitted(Upload),
    /// The message would not be taken.
    Refused(Refusal),
}

/// A large message whose body has been written to its [`Upload`].
#[derive(Clone, Debug)]
pub struct LargeDeposit {
    /// Canonical address of the served user, or an alias.
    pub served_user: String,
    /// The asserted identity of the sender; `None` if none was required.
    pub sender: Option<String>,
    /// Does not count in what its sender may have stored (requirements §3.6).
    pub sender_exempt: bool,
    /// Its class.
    pub class: Class,
    /// Its parsed priority.
    pub priority: Priority,
    /// Counts as `Text-Message` in the summary (MWI-09).
    pub is_text: bool,
    /// Header values of the INVITE, `Content-Type` and `Content-Disposition` of the body.
    pub headers: Headers,
    /// Message-ID of the sender's SEND: with sender, length and hash it makes a retry recognisable
    /// (requirements §3.3).
    pub msrp_message_id: String,
    /// Octets of the body.
    pub octets: u64,
    /// The other parts: INVITE, its response, head of the SEND, BYE if it has come already.
    pub parts: Vec<Part>,
    /// The lifetime the sender asked for, from the acceptance; capped by the store (requirements §3.2).
    pub lifetime: Option<Duration>,
    /// Transport and address of the peer that handed it over.
    pub received_from: String,
    /// What the offer says about a file; `None` if it says nothing.
    pub file: Option<FileAttributes>,
    /// What the sender asks to be told; `None` if nothing (IMD-09).
    pub report_request: Option<ReportRequest>,
    /// See [`crate::Deposit::traceparent`].
    pub traceparent: Option<String>,
    /// See [`crate::Deposit::leg`].
    pub leg: Option<LegName>,
}

/// Why octets of an upload were not taken. The upload is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The mailbox or the disk has filled up meanwhile: MSRP 413 (requirements §3.6).
    #[error("refused: {:?}", .0.reason)]
    Refused(Refusal),
    /// More octets than [`Upload::max_octets`], or too many gaps between them: MSRP 413 (DEF-15).
    #[error("larger than admitted")]
    TooLarge,
    /// Nothing was written within the lease, or the store has forgotten the upload since.
    #[error("no progress within the lease")]
    Lapsed,
    /// The storage service is gone, or takes nothing now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl UploadError {
    /// By the reason in `ErrorInfo`: HTTP/2 has failures of its own under the same codes.
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        let info = tonic_types::StatusExt::get_details_error_info(status);
        match info.as_ref().map_or("", |info| info.reason.as_str()) {
            "TOO_LARGE" | "TOO_SCATTERED" => Self::TooLarge,
            "LAPSED" | "UNKNOWN_UPLOAD" => Self::Lapsed,
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}

/// Why octets of a part cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadPartError {
    /// There is no such message, part or leg, or its content is gone.
    #[error("no such content")]
    Gone,
    /// The claim is superseded, or does not cover the message; of a leg, it is settled.
    #[error("the claim does not hold")]
    Superseded,
    /// The storage service did not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl ReadPartError {
    pub(crate) fn from_status(status: &tonic::Status) -> Self {
        match status.code() {
            tonic::Code::NotFound => Self::Gone,
            tonic::Code::FailedPrecondition => Self::Superseded,
            _ => Self::Unavailable(Unavailable::from_status(status)),
        }
    }
}
