//! What a check has found.

use std::fmt;

use crate::model::{JobNumber, MailboxId, MessageNumber, ReportName};

/// Findings that are kept; more are only counted.
const KEPT: usize = 1_000;

/// Something that does not agree, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// A row cannot be read: it is damaged, or its key is gone.
    #[error("the row {} in {family} cannot be read: {problem}", Hex(.key))]
    Row {
        /// Where it stands.
        family: &'static str,
        /// Its key there.
        key: Vec<u8>,
        /// What was found.
        problem: String,
    },
    /// Something was not compared, since rows of it cannot be read.
    #[error("not compared: {0}, because of rows that cannot be read")]
    NotCompared(&'static str),
    /// The counters of a mailbox are not the sums of its messages. Can be restated.
    #[error("mailbox {}: its counters do not match its messages", .0.0)]
    Counters(MailboxId),
    /// The counters of a sender are not the sums of his messages. Can be restated.
    #[error(
        "a sender: counted are {} messages of {} octets, stored {} of {}",
        .counted.0, .counted.1, .stored.0, .stored.1
    )]
    Sender {
        /// Messages and their octets, as the counters of the sender say.
        counted: (u64, u64),
        /// The same, as his messages add up.
        stored: (u64, u64),
    },
    /// The number of a message does not lead to it.
    #[error("message {}: it is not found by its number", .0.0)]
    Location(MessageNumber),
    /// A deliverable message is not offered, or another one is.
    #[error("message {}: its state and the delivery index differ", .0.0)]
    Waiting(MessageNumber),
    /// The sweep would not find the message when its time comes.
    #[error("message {}: it is missing from the index by due time", .0.0)]
    Due(MessageNumber),
    /// The sweep has passed a row in the index by due time.
    #[error("a row in the index by due time is behind the sweep, which does not come back to it")]
    Passed,
    /// Octets of the content are missing, or are there though they were removed.
    #[error("message {}: its content is not what its envelope says", .0.0)]
    Content(MessageNumber),
    /// Entries of the timeline are missing.
    #[error("message {}: its timeline has holes", .0.0)]
    Timeline(MessageNumber),
    /// Its counters, roster, template or indexes are not what its legs say.
    #[error("job {}: it does not match its legs", .0.0)]
    Job(JobNumber),
    /// A delivery report would not be sent when its time comes.
    #[error("{0:?}: it is missing from the index by due time")]
    Report(ReportName),
    /// What a message knows of its delivery reports is not what there is of them.
    #[error("message {}: its state and its delivery reports differ", .0.0)]
    ReportOf(MessageNumber),
    /// A row of this family belongs to nothing.
    #[error("a row in {0} belongs to nothing")]
    Orphan(&'static str),
    /// A counter of the store would hand out something that is taken (STO-08).
    #[error("the counter of {0} is behind what has been handed out")]
    Behind(&'static str),
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Mailboxes looked at.
    pub mailboxes: u64,
    /// Messages looked at.
    pub messages: u64,
    /// Octets of content found.
    pub content_octets: u64,
    /// Rows read.
    pub rows: u64,
    /// Uploads that are no message yet: those that were under way when their process died, or when a copy was made.
    pub unfinished_uploads: usize,
    /// What does not agree: the first thousand.
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub total_findings: u64,
    /// Mailboxes and senders whose counters were written anew.
    pub restated: u64,
}

impl CheckReport {
    /// Whether everything agrees.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.total_findings == 0
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        self.total_findings += 1;
        if self.findings.len() < KEPT {
            self.findings.push(finding);
        }
    }

    pub(crate) fn expect(&mut self, agrees: bool, finding: impl FnOnce() -> Finding) {
        if !agrees {
            self.add(finding());
        }
    }
}

/// Octets as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}
