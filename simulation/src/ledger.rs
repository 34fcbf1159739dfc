//! What senders were promised and what clients have seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Number of a message; it is what its body says.
pub type Letter = usize;

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Place of the served user among all.
    pub to: usize,
    /// When its sender was told 202.
    pub accepted: Option<Duration>,
    /// When its user saw it first.
    pub seen: Option<Duration>,
    /// Under which Message-IDs he did.
    pub ids: BTreeSet<String>,
}

/// All messages of a history.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Letter, Entry>,
    /// By Message-ID: which message it stood on.
    letters: BTreeMap<String, Letter>,
    /// The highest Message-ID each user has seen so far.
    highest: BTreeMap<usize, u64>,
}

impl Ledger {
    /// A message that is about to be sent for the first time.
    pub fn write(&mut self, to: usize) -> Letter {
        let letter = self.entries.len();
        let entry = Entry {
            to,
            accepted: None,
            seen: None,
            ids: BTreeSet::new(),
        };
        self.entries.insert(letter, entry);
        letter
    }

    /// Its sender was told 202.
    pub fn accepted(&mut self, letter: Letter, at: Duration) {
        if let Some(entry) = self.entries.get_mut(&letter) {
            entry.accepted.get_or_insert(at);
        }
    }

    /// Its user has it. Returns what is wrong with that.
    pub fn seen(&mut self, user: usize, letter: Letter, id: &str, at: Duration) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(entry) = self.entries.get_mut(&letter) else {
            return vec![format!("P7: user {user} got what nobody sent")];
        };
        if entry.to != user {
            wrong.push(format!(
                "P7: user {user} got message {letter}, which is for another"
            ));
        }
        entry.seen.get_or_insert(at);
        if entry.ids.insert(id.to_owned()) && entry.ids.len() > 1 {
            wrong.push(format!(
                "P3: message {letter} was stored as {:?}",
                entry.ids
            ));
        }
        let known = self.letters.insert(id.to_owned(), letter);
        match known {
            Some(known) if known != letter => {
                wrong.push(format!("P6: {id} stood on messages {known} and {letter}"));
            }
            // Again: that is what the Message-ID is there to tell.
            Some(_) => {}
            None => wrong.extend(self.in_order(user, id)),
        }
        wrong
    }

    /// What is seen for the first time comes in the order of acceptance (P5).
    fn in_order(&mut self, user: usize, id: &str) -> Option<String> {
        let number: Option<u64> = id.split('@').next().and_then(|number| number.parse().ok());
        let Some(number) = number else {
            return Some(format!("STO-07: {id} is no Message-ID"));
        };
        let highest = self.highest.entry(user).or_default();
        let is_late = number < *highest;
        let wrong = is_late.then(|| format!("P5: user {user} saw {id} after {highest}"));
        *highest = number.max(*highest);
        wrong
    }

    /// All messages.
    pub fn entries(&self) -> impl Iterator<Item = (Letter, &Entry)> {
        self.entries.iter().map(|(letter, entry)| (*letter, entry))
    }

    /// Whether every accepted message was seen.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let mut entries = self.entries.values();
        entries.all(|entry| entry.accepted.is_none() || entry.seen.is_some())
    }

    /// Whether a message was seen.
    #[must_use]
    pub fn is_seen(&self, letter: Letter) -> bool {
        self.entries
            .get(&letter)
            .is_some_and(|entry| entry.seen.is_some())
    }
}
