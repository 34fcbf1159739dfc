//! What happens to large messages, counted.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use storage::model::{Class, Refusal};

use crate::deposit::count;

pub(super) struct Counters {
    deposits: count::Counters,
    under_way: Gauge,
    octets: Counter,
    seconds: Histogram,
}

/// How an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Stored,
    Duplicate,
    /// Counted as a job, not as a deposit.
    DuplicateJob,
    Refused,
    Abandoned,
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            deposits: count::Counters::new("content"),
            under_way: gauge!("restante_uploads_active"),
            octets: counter!("restante_upload_bytes_total"),
            seconds: histogram!("restante_upload_duration_seconds"),
        }
    }

    pub(super) fn begun(&self) {
        self.under_way.increment(1.0);
    }

    pub(super) fn octets(&self, octets: usize) {
        self.octets.increment(octets as u64);
    }

    pub(super) fn accepted(&self, class: Class, commit: Duration) {
        self.deposits.accepted(class, commit);
    }

    pub(super) fn refused(&self, refusal: &Refusal) {
        self.deposits.refused(refusal);
    }

    pub(super) fn ended(&self, ending: Ending, took: Duration) {
        self.under_way.decrement(1.0);
        self.seconds.record(took.as_secs_f64());
        let outcome = match ending {
            Ending::Stored => "stored",
            Ending::Duplicate => {
                self.deposits.duplicate();
                "duplicate"
            }
            Ending::DuplicateJob => "duplicate",
            Ending::Refused => "refused",
            Ending::Abandoned => "abandoned",
        };
        counter!("restante_uploads_total", "outcome" => outcome).increment(1);
    }
}
