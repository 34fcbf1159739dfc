//! Delivery reports that an edge is to send (IMD rows).

use std::time::SystemTime;

use proto::v1;

use crate::message::ReportRequest;

/// What a report says (RFC 5438 §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportStatus {
    /// The message is on disk.
    Stored,
    /// It will not be delivered.
    Failed,
    /// It will not be delivered, because somebody does not want it.
    Forbidden,
}

impl ReportStatus {
    /// Its word in the notification.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Failed => "failed",
            Self::Forbidden => "forbidden",
        }
    }
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportSubject {
    /// The decimal string of the Message-ID of a deferred message.
    Message(u64),
    /// The number of a message to many (IMD-08).
    Job(u64),
}

/// One try of a report. Each has the same content.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What it is about.
    pub subject: ReportSubject,
    /// Whether it is a delivery notification, else a processing notification.
    pub is_delivery: bool,
    /// What it says.
    pub status: ReportStatus,
    /// To whom it goes: the asserted identity of the sender (IMD-06).
    pub to: String,
    /// Whom the message was for.
    pub recipient: String,
    /// What it repeats.
    pub request: ReportRequest,
    /// When that happened which it tells.
    pub made_at: SystemTime,
    /// Names the try.
    pub(crate) claim: v1::ReportClaim,
}
