//! What senders were promised and what clients have seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Number of a message; it is what its body says.
pub type Letter = usize;

/// Number of a push session, of all users.
pub type SessionNumber = usize;

/// Messages of a session that come again at most although the client has acknowledged them (PSH-09).
const WINDOW: usize = 4;

/// Number of a message to many; it is what its body says.
pub type Circular = usize;

/// What is known of one message.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Place of the served user among all.
    pub to: usize,
    /// The lifetime that its sender gave it.
    pub lifetime: Option<Duration>,
    /// When its sender was told 202.
    pub accepted: Option<Duration>,
    /// When its user saw it first.
    pub seen: Option<Duration>,
    /// Under which Message-IDs it came.
    pub ids: BTreeSet<String>,
    /// The last session in which his client has acknowledged it.
    acknowledged: Option<SessionNumber>,
}

/// All messages of a history.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Letter, Entry>,
    /// Messages to many: which message is the copy of each of their recipients.
    circulars: Vec<BTreeMap<usize, Letter>>,
    /// By Message-ID: which message it stood on.
    letters: BTreeMap<String, Letter>,
    /// The highest Message-ID that has come to each user so far.
    highest: BTreeMap<usize, u64>,
    sessions: SessionNumber,
    /// By session: what was acknowledged in it and came again all the same.
    repeated: BTreeMap<SessionNumber, BTreeSet<Letter>>,
}

impl Ledger {
    /// A message that is about to be sent for the first time.
    pub fn write(&mut self, to: usize, lifetime: Option<Duration>) -> Letter {
        let letter = self.entries.len();
        let entry = Entry {
            to,
            lifetime,
            accepted: None,
            seen: None,
            ids: BTreeSet::new(),
            acknowledged: None,
        };
        self.entries.insert(letter, entry);
        letter
    }

    /// A message to many that is about to be sent for the first time: each of these users shall get a copy.
    pub fn write_to_many(&mut self, users: &[usize]) -> Circular {
        let copies = users.iter().map(|user| (*user, self.write(*user, None)));
        let copies = copies.collect();
        self.circulars.push(copies);
        self.circulars.len() - 1
    }

    /// The copies of a message to many.
    #[must_use]
    pub fn copies(&self, circular: Circular) -> Vec<Letter> {
        let copies = self.circulars.get(circular);
        copies
            .into_iter()
            .flatten()
            .map(|(_, letter)| *letter)
            .collect()
    }

    /// The copy of a message to many that is for this user, if there is one.
    #[must_use]
    pub fn copy(&self, circular: Circular, user: usize) -> Option<Letter> {
        self.circulars.get(circular)?.get(&user).copied()
    }

    /// Its sender was told 202.
    pub fn accepted(&mut self, letter: Letter, at: Duration) {
        if let Some(entry) = self.entries.get_mut(&letter) {
            entry.accepted.get_or_insert(at);
        }
    }

    /// The sender of a message to many was told 202.
    pub fn accepted_to_many(&mut self, circular: Circular, at: Duration) {
        for copy in self.copies(circular) {
            self.accepted(copy, at);
        }
    }

    /// Its user has it.
    pub fn seen(&mut self, letter: Letter, at: Duration) {
        if let Some(entry) = self.entries.get_mut(&letter) {
            entry.seen.get_or_insert(at);
        }
    }

    /// It comes to a client, which may refuse it yet. Returns what is wrong with that.
    pub fn came(&mut self, user: usize, letter: Letter, id: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(entry) = self.entries.get_mut(&letter) else {
            return vec![format!("P7: user {user} got what nobody sent")];
        };
        if entry.to != user {
            wrong.push(format!(
                "P7: user {user} got message {letter}, which is for another"
            ));
        }
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

    /// A session begins.
    pub fn begin_session(&mut self) -> SessionNumber {
        self.sessions += 1;
        self.sessions
    }

    /// A client acknowledges a message in a session.
    pub fn acknowledged(&mut self, letter: Letter, session: SessionNumber) {
        if let Some(entry) = self.entries.get_mut(&letter) {
            entry.acknowledged = Some(session);
        }
    }

    /// A message comes, in a session or not. Of what was acknowledged in an earlier one only the window comes again (P4).
    pub fn came_again(&mut self, letter: Letter, session: Option<SessionNumber>) -> Option<String> {
        let earlier = self.entries.get(&letter)?.acknowledged?;
        if session == Some(earlier) {
            return Some(format!(
                "P4: message {letter} comes twice in session {earlier}"
            ));
        }
        let repeated = self.repeated.entry(earlier).or_default();
        repeated.insert(letter);
        (repeated.len() > WINDOW).then(|| {
            format!("P4: more than the window of session {earlier} comes again: {repeated:?}")
        })
    }

    /// What comes for the first time comes in the order of acceptance (P5).
    fn in_order(&mut self, user: usize, id: &str) -> Option<String> {
        let number: Option<u64> = id.split('@').next().and_then(|number| number.parse().ok());
        let Some(number) = number else {
            return Some(format!("STO-07: {id} is no Message-ID"));
        };
        let highest = self.highest.entry(user).or_default();
        let is_late = number < *highest;
        let wrong = is_late.then(|| format!("P5: user {user} got {id} after {highest}"));
        *highest = number.max(*highest);
        wrong
    }

    /// All messages.
    pub fn entries(&self) -> impl Iterator<Item = (Letter, &Entry)> {
        self.entries.iter().map(|(letter, entry)| (*letter, entry))
    }

    /// Whether every accepted message was seen, or has outlived its lifetime.
    #[must_use]
    pub fn is_settled(&self, now: Duration) -> bool {
        let mut entries = self.entries.values();
        entries.all(|entry| {
            let end = entry.accepted.zip(entry.lifetime);
            let is_over = end.is_some_and(|(accepted, lifetime)| accepted + lifetime <= now);
            entry.accepted.is_none() || entry.seen.is_some() || is_over
        })
    }

    /// Whether a message was seen.
    #[must_use]
    pub fn is_seen(&self, letter: Letter) -> bool {
        self.entries
            .get(&letter)
            .is_some_and(|entry| entry.seen.is_some())
    }
}
