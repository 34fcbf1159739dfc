//! Which octets of a message have arrived.

use crate::byte_range::ByteRange;
use crate::frame::Continuation;
use crate::range_set::RangeSet;
use crate::status;

/// Missing stretches that a message may have at once (MSR-05).
pub const MAX_GAPS: usize = 1024;

/// Why a chunk cannot belong to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The message is, or says it is, larger than what is taken.
    #[error("larger than the receiver takes")]
    TooLarge,
    /// The chunk reaches beyond the end of the message.
    #[error("beyond the end of the message")]
    BeyondTotal,
    /// Two chunks name different lengths, or the end is not where it was said to be.
    #[error("contradicts the length stated before")]
    Contradiction,
    /// More than [`MAX_GAPS`] stretches are missing.
    #[error("too many missing stretches")]
    TooManyGaps,
}

impl Refusal {
    /// The code to answer with: always 413 (ERR-35).
    pub fn code(self) -> u16 {
        status::STOP_SENDING
    }
}

/// How far a message is after a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Something is missing.
    Partial,
    /// Octets 1..total are there and `$` was seen (DEF-14).
    Complete {
        /// The message's length.
        total: u64,
    },
    /// The sender gave up.
    Aborted,
}

/// Positions of one message. Holds no octet and allocates nothing from announced numbers (MSR-05).
///
/// Per chunk: [`begin_chunk`](Reassembly::begin_chunk), any number of [`place`](Reassembly::place),
/// then [`end_chunk`](Reassembly::end_chunk). After a refusal the message is over.
#[derive(Debug)]
pub struct Reassembly {
    max_octets: u64,
    /// The length, once a range or a `$` has fixed it.
    total: Option<u64>,
    end_seen: bool,
    received: RangeSet,
    /// Where the next octet of the running chunk belongs.
    position: u64,
}

impl Reassembly {
    /// A message of which nothing has come, and of which at most `max_octets` are taken.
    pub fn new(max_octets: u64) -> Reassembly {
        Reassembly {
            max_octets,
            total: None,
            end_seen: false,
            received: RangeSet::default(),
            position: 0,
        }
    }

    /// A chunk begins; its range is judged before any octet comes.
    pub fn begin_chunk(&mut self, range: &ByteRange) -> Result<(), Refusal> {
        if let Some(total) = range.total {
            self.fix_total(total)?;
        }
        let announced_end = range.end.unwrap_or(0).max(range.offset());
        self.check_end(announced_end)?;
        self.position = range.offset();
        Ok(())
    }

    /// The next octets of the running chunk; says how many octets of the message come before them.
    pub fn place(&mut self, octets: u64) -> Result<u64, Refusal> {
        let start = self.position;
        let end = start.checked_add(octets).ok_or(Refusal::TooLarge)?;
        self.check_end(end)?;
        self.received.insert(start..end);
        if self.received.gaps() > MAX_GAPS {
            return Err(Refusal::TooManyGaps);
        }
        self.position = end;
        Ok(start)
    }

    /// The running chunk ends with this flag.
    pub fn end_chunk(&mut self, flag: Continuation) -> Result<Progress, Refusal> {
        match flag {
            Continuation::Aborted => return Ok(Progress::Aborted),
            Continuation::More => {}
            Continuation::Complete => {
                self.fix_total(self.position)?;
                self.end_seen = true;
            }
        }
        match self.total {
            Some(total) if self.end_seen && self.received.covers(total) => {
                Ok(Progress::Complete { total })
            }
            _ => Ok(Progress::Partial),
        }
    }

    /// Stretches that are missing below the highest octet received.
    pub fn gaps(&self) -> usize {
        self.received.gaps()
    }

    fn fix_total(&mut self, total: u64) -> Result<(), Refusal> {
        if total > self.max_octets {
            return Err(Refusal::TooLarge);
        }
        if self.received.end() > total {
            return Err(Refusal::BeyondTotal);
        }
        match self.total.replace(total) {
            Some(known) if known != total => Err(Refusal::Contradiction),
            _ => Ok(()),
        }
    }

    fn check_end(&self, end: u64) -> Result<(), Refusal> {
        if end > self.max_octets {
            return Err(Refusal::TooLarge);
        }
        match self.total {
            Some(total) if end > total => Err(Refusal::BeyondTotal),
            _ => Ok(()),
        }
    }
}
