//! What was sent, accepted and told.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

/// What a subscriber was told last.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    cseq: u32,
    new: u64,
}

/// Counts of everything.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Accepted for each user.
    accepted: Vec<u64>,
    told: Vec<Told>,
    notifies: u64,
    /// Requests without answer.
    pub(super) pending: usize,
    /// Answers to messages.
    statuses: BTreeMap<String, u64>,
    /// When each message was due.
    due: Vec<Instant>,
    micros: Vec<u32>,
    /// Answers to what sets it up, other than 200: the Call-ID and the status.
    pub(super) refused: Vec<(String, String)>,
}

impl Ledger {
    pub(super) fn new(users: usize, subscriptions: usize) -> Self {
        Self {
            accepted: vec![0; users],
            told: vec![Told::default(); subscriptions],
            notifies: 0,
            pending: 0,
            statuses: BTreeMap::new(),
            due: Vec::new(),
            micros: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Message number so many was due then.
    pub(super) fn sent(&mut self, when: Instant) {
        self.due.push(when);
        self.pending += 1;
    }

    /// The answer to that message.
    pub(super) fn answered(&mut self, number: usize, status: &str) {
        self.pending = self.pending.saturating_sub(1);
        *self.statuses.entry(status.to_owned()).or_default() += 1;
        let Some(due) = self.due.get(number) else {
            return;
        };
        if status == "202" {
            let user = number % self.accepted.len();
            self.accepted[user] += 1;
            let micros = due.elapsed().as_micros();
            self.micros.push(u32::try_from(micros).unwrap_or(u32::MAX));
        }
    }

    /// A NOTIFY; one that is older than the last changes nothing.
    pub(super) fn told(&mut self, user: usize, cseq: u32, new: u64) {
        self.notifies += 1;
        if let Some(told) = self.told.get_mut(user)
            && cseq > told.cseq
        {
            *told = Told { cseq, new };
        }
    }

    pub(super) fn users(&self) -> usize {
        self.accepted.len()
    }

    pub(super) fn notifies(&self) -> u64 {
        self.notifies
    }

    /// Subscriptions without any NOTIFY.
    pub(super) fn untold(&self) -> usize {
        self.told.iter().filter(|told| told.cseq == 0).count()
    }

    /// Subscriptions whose last NOTIFY does not show what was accepted.
    pub(super) fn wrong(&self) -> usize {
        let accepted = self.accepted.iter().copied().chain(std::iter::repeat(0));
        let pairs = self.told.iter().zip(accepted);
        pairs
            .filter(|(told, accepted)| told.new != *accepted)
            .count()
    }

    /// Answers, times, and NOTIFYs beyond the first so many.
    pub(super) fn report(&mut self, first_notifies: u64) -> Value {
        json!({
            "statuses": self.statuses,
            "p50_us": self.quantile(500),
            "p99_us": self.quantile(990),
            "p999_us": self.quantile(999),
            "notifies": self.notifies - first_notifies,
            "wrong": self.wrong(),
        })
    }

    /// Microseconds within which so many of a thousand accepted were answered.
    fn quantile(&mut self, permille: usize) -> Option<u32> {
        self.micros.sort_unstable();
        let last = self.micros.len().checked_sub(1)?;
        let at = self.micros.len() * permille / 1_000;
        self.micros.get(at.min(last)).copied()
    }
}
