//! What happens to deposits, counted. Handles are looked up once: this is the busiest path.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};
use storage::model::{Class, Refusal};

pub(crate) struct Counters {
    accepted_pager: Counter,
    accepted_large: Counter,
    accepted_imdn: Counter,
    duplicates: Counter,
    ids_reused: Counter,
    unavailable: Counter,
    superseded: Counter,
    commit: Histogram,
}

impl Counters {
    /// `key` says by what duplicates are recognised.
    pub(crate) fn new(key: &'static str) -> Self {
        let accepted =
            |kind: &'static str| counter!("restante_messages_stored_total", "kind" => kind);
        Self {
            accepted_pager: accepted("pager"),
            accepted_large: accepted("large"),
            accepted_imdn: accepted("imdn"),
            duplicates: counter!("restante_duplicates_suppressed_total", "key" => key),
            ids_reused: counter!("restante_dedupe_mismatch_total"),
            unavailable: rejected("store_error"),
            superseded: counter!("restante_acknowledgements_superseded_total"),
            commit: histogram!("restante_commit_duration_seconds"),
        }
    }

    pub(crate) fn accepted(&self, class: Class, took: Duration) {
        let counter = match class {
            Class::Pager => &self.accepted_pager,
            Class::Large => &self.accepted_large,
            Class::Imdn => &self.accepted_imdn,
        };
        counter.increment(1);
        self.commit.record(took.as_secs_f64());
    }

    pub(crate) fn duplicate(&self) {
        self.duplicates.increment(1);
    }

    /// Other content came under an `imdn.Message-ID` that its sender had used (requirements §3.3).
    pub(crate) fn id_reused(&self) {
        self.ids_reused.increment(1);
    }

    pub(crate) fn unavailable(&self) {
        self.unavailable.increment(1);
    }

    /// An acknowledgement came after another claim had superseded its own (requirements §3.13).
    pub(crate) fn superseded(&self) {
        self.superseded.increment(1);
    }

    /// Refusals are rare enough to look their counter up.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        rejected(match refusal {
            Refusal::UnknownUser => "unknown_user",
            Refusal::Barred => "policy",
            Refusal::MailboxFull { .. } => "quota",
            Refusal::SenderLimit { .. } => "sender_limit",
            Refusal::DiskFull => "disk_full",
            Refusal::TooLate => "too_late",
        })
        .increment(1);
    }
}

fn rejected(reason: &'static str) -> Counter {
    counter!("restante_deposits_refused_total", "reason" => reason)
}
