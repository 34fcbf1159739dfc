//! Delivery reports: what the sender of a message asks to be told, and what the store tells him (IMD rows).

use std::time::Duration;

use super::{Address, JobNumber, MessageNumber, UnixMillis};

/// A notification that a sender can ask for (RFC 5438 §6.2). The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Disposition {
    /// Tell me when it was delivered: for the recipient's client alone (IMD-02).
    PositiveDelivery = 1,
    /// Tell me when it could not be delivered.
    NegativeDelivery = 2,
    /// Tell me what happens on the way.
    Processing = 3,
    /// Tell me when it was displayed: for the recipient's client alone.
    Display = 4,
}

/// What a sender asks for, and what a report repeats of his message. Values as he wrote them.
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

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReportSubject {
    /// A deferred message.
    Message(MessageNumber),
    /// A message to many (IMD-08).
    Job(JobNumber),
}

/// Of each of these there is one report about a message at most, ever (IMD-02). The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum ReportKind {
    /// A processing notification.
    Processing = 1,
    /// A delivery notification.
    Delivery = 2,
}

/// Names a report: the same in every try, so that whoever gets it twice can tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportName {
    /// What it is about.
    pub subject: ReportSubject,
    /// Which of the two.
    pub kind: ReportKind,
}

/// What a report says (RFC 5438 §7.2). Never `delivered`: only the recipient's client says that. The number is the one
/// on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReportStatus {
    /// The message is on disk.
    Stored = 1,
    /// It will not be delivered.
    Failed = 2,
    /// It will not be delivered, because somebody does not want it.
    Forbidden = 3,
}

impl ReportStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stored, Self::Failed, Self::Forbidden];

    /// Which kind of notification says it.
    #[must_use]
    pub fn kind(self) -> ReportKind {
        match self {
            Self::Stored => ReportKind::Processing,
            Self::Failed | Self::Forbidden => ReportKind::Delivery,
        }
    }

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

/// Where a report is. The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ReportState {
    /// It is to be sent.
    Waiting = 1,
    /// A 2xx has come for it.
    Sent = 2,
    /// It was refused, or its time is over.
    Dropped = 3,
}

/// A report as its message knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MessageReport {
    /// What it says.
    pub status: ReportStatus,
    /// Where it is.
    pub state: ReportState,
}

/// A report on its way. Everything in it is fixed when it is made, so that each try has the same octets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: ReportName,
    /// What it says.
    pub status: ReportStatus,
    /// To whom it goes: the asserted identity of the sender (IMD-06).
    pub to: Address,
    /// Whom the message was for.
    pub recipient: Address,
    /// What he had asked for.
    pub request: ReportRequest,
    /// When that happened which it tells.
    pub made_at: UnixMillis,
    /// It is not sent any more from then on.
    pub expires_at: UnixMillis,
}

/// One try of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReportToken {
    /// Of which.
    pub name: ReportName,
    /// Grows with each try.
    pub generation: u32,
}

/// A report that an edge is to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimedReport {
    /// The try.
    pub token: ReportToken,
    /// What to send.
    pub report: Report,
}

/// The answer to a claim of reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportBatch {
    /// What to send.
    pub reports: Vec<ClaimedReport>,
    /// Reports whose time was over: what they said.
    pub dropped: Vec<ReportStatus>,
    /// When the next one becomes due, as far as is known now; `None`: there is none.
    pub again_in: Option<Duration>,
}

/// The answer to the outcome of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportSettled {
    /// It was sent and is done with.
    Sent(ReportStatus),
    /// It was refused for good and is done with.
    Dropped(ReportStatus),
    /// There will be another try.
    Again(ReportStatus),
    /// A newer try has superseded this one, or the report is done with: nothing changed.
    Superseded,
}
