//! Which edge owns which subscription, and what each edge is to be told. No I/O; time is an argument.
//!
//! An edge whose stream ends keeps its subscriptions for a while: a restart or a broken connection gives
//! them back. After that they go to the edges that are there.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::model::{MailboxId, Owner, Subscription, SubscriptionId};

/// How long the subscriptions of an edge that is gone wait for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Something for one edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Become the owner of it.
    Adopt(SubscriptionId),
    /// Forget it.
    Forget(SubscriptionId),
    /// A mailbox has changed.
    Look(MailboxId),
}

/// A task and the edge it is for.
pub(super) type Assigned = (Arc<str>, Task);

#[derive(Debug)]
struct Entry {
    local_tag: Box<str>,
    owner: Arc<Owner>,
}

/// All subscriptions and all edges.
#[derive(Debug, Default)]
pub(super) struct Roster {
    subscriptions: HashMap<MailboxId, Vec<Entry>>,
    owners: HashSet<Arc<Owner>>,
    attached: BTreeMap<Arc<str>, Arc<Owner>>,
    /// Edges that own something and are not there, and when that was noticed.
    absent: HashMap<Arc<str>, Instant>,
    /// Adoptions so far, to spread them.
    adoptions: usize,
}

impl Roster {
    /// A subscription that the store holds; its owner is not there yet.
    pub(super) fn restore(&mut self, mailbox: MailboxId, stored: &Subscription, now: Instant) {
        let owner = self.intern(&stored.owner);
        let edge: Arc<str> = stored.owner.edge.as_str().into();
        if !self.attached.contains_key(&edge) {
            self.absent.entry(edge).or_insert(now);
        }
        self.enter(mailbox, &stored.local_tag, owner);
    }

    /// A subscription was committed under this owner. The one before has to forget it.
    pub(super) fn committed(&mut self, id: &SubscriptionId, owner: &Owner) -> Option<Assigned> {
        let owner = self.intern(owner);
        let before = self.enter(id.mailbox, &id.local_tag, Arc::clone(&owner))?;
        let edge = self.attached.get_key_value(before.edge.as_str());
        let is_other = before != owner;
        edge.filter(|(_, attached)| is_other && **attached == before)
            .map(|(edge, _)| (Arc::clone(edge), Task::Forget(id.clone())))
    }

    /// A subscription has ended. Whether it was the last of its mailbox.
    pub(super) fn ended(&mut self, id: &SubscriptionId) -> bool {
        let Some(entries) = self.subscriptions.get_mut(&id.mailbox) else {
            return true;
        };
        entries.retain(|entry| *entry.local_tag != *id.local_tag);
        let is_last = entries.is_empty();
        if is_last {
            self.subscriptions.remove(&id.mailbox);
        }
        is_last
    }

    /// An edge is there: it gets what it owned in an earlier life, and is told of all that may have
    /// changed while it was not listening. `false` if one of that name is there.
    pub(super) fn attach(&mut self, owner: &Owner) -> Option<Vec<Assigned>> {
        let edge: Arc<str> = owner.edge.as_str().into();
        if self.attached.contains_key(&edge) {
            return None;
        }
        let owner = self.intern(owner);
        self.attached.insert(Arc::clone(&edge), Arc::clone(&owner));
        self.absent.remove(&edge);
        let mut tasks = Vec::new();
        for (mailbox, entries) in &mut self.subscriptions {
            for entry in entries.iter_mut().filter(|e| e.owner.edge == owner.edge) {
                tasks.push((
                    Arc::clone(&edge),
                    match entry.owner == owner {
                        true => Task::Look(*mailbox),
                        false => Task::Adopt(id(*mailbox, entry)),
                    },
                ));
                entry.owner = Arc::clone(&owner);
            }
        }
        Some(tasks)
    }

    /// The stream of an edge has ended.
    pub(super) fn detach(&mut self, edge: &str, now: Instant) {
        if let Some((edge, _)) = self.attached.remove_entry(edge) {
            self.absent.insert(edge, now);
        }
    }

    /// Who has to be told that a mailbox has changed.
    pub(super) fn concerned(&self, mailbox: MailboxId) -> Vec<Arc<str>> {
        let entries = self.subscriptions.get(&mailbox).into_iter().flatten();
        let mut edges: Vec<_> = entries
            .filter_map(|entry| self.attached.get_key_value(entry.owner.edge.as_str()))
            .map(|(edge, _)| Arc::clone(edge))
            .collect();
        edges.dedup();
        edges
    }

    /// Gives what edges have left behind too long to those that are there.
    pub(super) fn reassign(&mut self, now: Instant) -> Vec<Assigned> {
        let is_given_up = |since: &Instant| now.saturating_duration_since(*since) >= PATIENCE;
        if self.attached.is_empty() || !self.absent.values().any(is_given_up) {
            return Vec::new();
        }
        let gone: HashSet<Arc<str>> = self
            .absent
            .extract_if(|_, since| is_given_up(since))
            .map(|(edge, _)| edge)
            .collect();
        let present: Vec<_> = self
            .attached
            .iter()
            .map(|(edge, owner)| (Arc::clone(edge), Arc::clone(owner)))
            .collect();
        let mut tasks = Vec::new();
        for (mailbox, entries) in &mut self.subscriptions {
            for entry in entries {
                if gone.contains(entry.owner.edge.as_str())
                    && let Some((edge, owner)) = present.get(self.adoptions % present.len())
                {
                    self.adoptions = self.adoptions.wrapping_add(1);
                    entry.owner = Arc::clone(owner);
                    tasks.push((Arc::clone(edge), Task::Adopt(id(*mailbox, entry))));
                }
            }
        }
        tasks
    }

    fn intern(&mut self, owner: &Owner) -> Arc<Owner> {
        if let Some(known) = self.owners.get(owner) {
            return Arc::clone(known);
        }
        // Those of earlier lives that own nothing any more go when a new one comes.
        self.owners.retain(|known| Arc::strong_count(known) > 1);
        let owner = Arc::new(owner.clone());
        self.owners.insert(Arc::clone(&owner));
        owner
    }

    fn enter(&mut self, mailbox: MailboxId, tag: &str, owner: Arc<Owner>) -> Option<Arc<Owner>> {
        let entries = self.subscriptions.entry(mailbox).or_default();
        if let Some(entry) = entries.iter_mut().find(|entry| *entry.local_tag == *tag) {
            return Some(std::mem::replace(&mut entry.owner, owner));
        }
        entries.push(Entry {
            local_tag: tag.into(),
            owner,
        });
        None
    }
}

fn id(mailbox: MailboxId, entry: &Entry) -> SubscriptionId {
    SubscriptionId {
        mailbox,
        local_tag: entry.local_tag.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn owner(edge: &str, incarnation: u64) -> Owner {
        Owner {
            edge: edge.to_owned(),
            incarnation,
        }
    }

    fn bobs(tag: &str) -> SubscriptionId {
        SubscriptionId {
            mailbox: MailboxId(1),
            local_tag: tag.to_owned(),
        }
    }

    fn edge(name: &str) -> Arc<str> {
        name.into()
    }

    #[test]
    fn mwi_10_a_restarted_edge_adopts_its_own() {
        let now = Instant::now();
        let mut roster = Roster::default();
        assert_eq!(roster.attach(&owner("a", 1)), Some(Vec::new()));
        assert_eq!(roster.committed(&bobs("x"), &owner("a", 1)), None);
        roster.detach("a", now);
        let again = roster.attach(&owner("a", 1));
        assert_eq!(again, Some(vec![(edge("a"), Task::Look(MailboxId(1)))]));
        roster.detach("a", now);
        let restarted = roster.attach(&owner("a", 2));
        assert_eq!(restarted, Some(vec![(edge("a"), Task::Adopt(bobs("x")))]));
        assert_eq!(roster.reassign(now + PATIENCE), Vec::new());
    }

    #[test]
    fn mwi_10_another_edge_adopts_after_a_while() {
        let now = Instant::now();
        let mut roster = Roster::default();
        roster.attach(&owner("a", 1));
        roster.attach(&owner("b", 1));
        assert_eq!(roster.attach(&owner("b", 2)), None);
        roster.committed(&bobs("x"), &owner("a", 1));
        roster.detach("a", now);
        assert_eq!(roster.reassign(now), Vec::new());
        let adopted = vec![(edge("b"), Task::Adopt(bobs("x")))];
        assert_eq!(roster.reassign(now + PATIENCE), adopted);
        assert_eq!(roster.concerned(MailboxId(1)), [edge("b")]);
        roster.attach(&owner("a", 1));
        let taken_back = roster.committed(&bobs("x"), &owner("a", 1));
        assert_eq!(taken_back, Some((edge("b"), Task::Forget(bobs("x")))));
        assert!(roster.ended(&bobs("x")));
    }

    proptest! {
        #[test]
        fn with_an_edge_there_every_subscription_finds_one(
            events in proptest::collection::vec((0u8..4, 0u8..3, 0u64..5), 0..40),
        ) {
            let mut now = Instant::now();
            let mut roster = Roster::default();
            let mut known = HashSet::new();
            for (kind, name, number) in events {
                let name = ["a", "b", "c"][usize::from(name)];
                match kind {
                    0 => drop(roster.attach(&owner(name, number))),
                    1 => roster.detach(name, now),
                    2 => {
                        let id = SubscriptionId { mailbox: MailboxId(number), local_tag: name.to_owned() };
                        if let Some(attached) = roster.attached.values().next().cloned() {
                            roster.committed(&id, &attached);
                            known.insert(id);
                        }
                    }
                    _ => now += Duration::from_secs(number),
                }
                roster.reassign(now);
            }
            roster.attach(&owner("d", 1));
            roster.reassign(now + PATIENCE);
            for id in known {
                let entries = &roster.subscriptions[&id.mailbox];
                for entry in entries {
                    prop_assert_eq!(roster.attached.get(entry.owner.edge.as_str()), Some(&entry.owner));
                }
            }
        }
    }
}
