//! Mailboxes whose delivery may start, in their order, found by the edge that they must go to: however many wait for an edge
//! that is busy or has a hop that takes nothing, they are in nobody's way.

use std::collections::{BTreeMap, HashMap};

use storage::model::MailboxId;

use super::edges::EdgeName;

/// The edge that holds a user's connection; `None` if any edge will do.
type Home = Option<EdgeName>;

/// Each mailbox is in it once. There are as many lines as homes, which is as many as there are edges, or were.
#[derive(Debug, Default)]
pub(super) struct ReadyQueue {
    /// The mailboxes of a home by their turns; no line is empty.
    lines: HashMap<Home, BTreeMap<i64, MailboxId>>,
    places: HashMap<MailboxId, (Home, i64)>,
    /// Turns that are taken lie between these two.
    before_all: i64,
    after_all: i64,
}

impl ReadyQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Behind all others.
    pub(super) fn push_back(&mut self, mailbox: MailboxId, home: Home) {
        self.after_all += 1;
        self.put(mailbox, home, self.after_all);
    }

    /// Before all others.
    pub(super) fn push_front(&mut self, mailbox: MailboxId, home: Home) {
        self.before_all -= 1;
        self.put(mailbox, home, self.before_all);
    }

    /// Another home, and the same turn, if it is there.
    pub(super) fn set_home(&mut self, mailbox: MailboxId, home: Home) {
        if let Some((_, turn)) = self.remove(mailbox) {
            self.put(mailbox, home, turn);
        }
    }

    pub(super) fn remove(&mut self, mailbox: MailboxId) -> Option<(Home, i64)> {
        let (home, turn) = self.places.remove(&mailbox)?;
        if let Some(line) = self.lines.get_mut(&home) {
            line.remove(&turn);
            if line.is_empty() {
                self.lines.remove(&home);
            }
        }
        Some((home, turn))
    }

    /// The first of those whose home has room.
    pub(super) fn first(&self, has_room: impl Fn(Option<&EdgeName>) -> bool) -> Option<MailboxId> {
        let open = self
            .lines
            .iter()
            .filter(|(home, _)| has_room(home.as_ref()));
        let heads = open.filter_map(|(_, line)| line.first_key_value());
        let (_, mailbox) = heads.min_by_key(|(turn, _)| **turn)?;
        Some(*mailbox)
    }

    fn put(&mut self, mailbox: MailboxId, home: Home, turn: i64) {
        self.remove(mailbox);
        let line = self.lines.entry(home.clone()).or_default();
        line.insert(turn, mailbox);
        self.places.insert(mailbox, (home, turn));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str) -> Home {
        Some(EdgeName::from(name))
    }

    /// Takes all out in their order.
    fn all(mut queue: ReadyQueue, is_open: impl Fn(Option<&EdgeName>) -> bool) -> Vec<u64> {
        let mut taken = Vec::new();
        while let Some(mailbox) = queue.first(&is_open) {
            queue.remove(mailbox);
            taken.push(mailbox.0);
        }
        taken
    }

    fn filled() -> ReadyQueue {
        let mut queue = ReadyQueue::default();
        for (mailbox, at) in [(1, home("a")), (2, None), (3, home("b")), (4, home("a"))] {
            queue.push_back(MailboxId(mailbox), at);
        }
        queue.push_front(MailboxId(5), home("b"));
        queue
    }

    #[test]
    fn all_homes_together_keep_the_order() {
        assert_eq!(all(filled(), |_| true), [5, 1, 2, 3, 4]);
        assert_eq!(all(filled(), |home| home.is_none()), [2]);
        let is_not_a = |home: Option<&EdgeName>| home.is_none_or(|home| &**home != "a");
        assert_eq!(all(filled(), is_not_a), [5, 2, 3]);
        assert!(!filled().is_empty() && ReadyQueue::default().is_empty());
    }

    #[test]
    fn who_moves_keeps_his_turn_and_who_comes_again_is_there_once() {
        let mut queue = filled();
        queue.set_home(MailboxId(1), home("b"));
        queue.set_home(MailboxId(9), home("b"));
        queue.push_back(MailboxId(2), None);
        assert_eq!(queue.remove(MailboxId(9)), None);
        let is_b = |home: Option<&EdgeName>| home.is_some_and(|home| &**home == "b");
        assert_eq!(all(queue, is_b), [5, 1, 3]);
    }
}
