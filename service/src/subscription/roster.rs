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
    /// Forget it, if it is known by this epoch or an earlier one.
    Forget(SubscriptionId, u32),
    /// A mailbox has changed.
    Look(MailboxId),
}

/// A task and the edge it is for.
pub(super) type Assigned = (Arc<str>, Task);

#[derive(Debug)]
struct Entry {
    local_tag: Box<str>,
    owner: Arc<Owner>,
    /// Of the last commit that was heard of.
    epoch: u32,
    /// Whether the owner is known to have it, not only to be about to get it.
    is_held: bool,
    /// Who had it until it was given to another one without being told, and by which epoch.
    former: Option<(Arc<Owner>, u32)>,
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
    /// A subscription that the store held when it was started. What has been committed since is newer.
    pub(super) fn restore(
        &mut self,
        mailbox: MailboxId,
        stored: &Subscription,
        now: Instant,
    ) -> Option<Assigned> {
        if self.find(mailbox, &stored.local_tag).is_some() {
            return None;
        }
        let mut owner = self.intern(&stored.owner);
        let there = self.there(&owner.edge, now);
        let is_held = there.as_ref().is_none_or(|(_, present)| *present == owner);
        let task = there.map(|(edge, present)| match is_held {
            true => (edge, Task::Look(mailbox)),
            false => {
                owner = present;
                let local_tag = stored.local_tag.clone();
                (edge, Task::Adopt(SubscriptionId { mailbox, local_tag }))
            }
        });
        self.subscriptions.entry(mailbox).or_default().push(Entry {
            local_tag: stored.local_tag.as_str().into(),
            owner,
            epoch: stored.epoch,
            is_held,
            former: None,
        });
        task
    }

    /// A subscription was committed under this owner, who has it. Whoever had it before has to forget it.
    pub(super) fn committed(
        &mut self,
        id: &SubscriptionId,
        owner: &Owner,
        epoch: u32,
        now: Instant,
    ) -> Option<Assigned> {
        self.owned(id, owner, epoch, true, now)
    }

    /// A subscription was committed under this owner, who is told so now.
    pub(super) fn adopted(
        &mut self,
        id: &SubscriptionId,
        owner: &Owner,
        epoch: u32,
        now: Instant,
    ) -> Option<Assigned> {
        self.owned(id, owner, epoch, false, now)
    }

    fn owned(
        &mut self,
        id: &SubscriptionId,
        owner: &Owner,
        epoch: u32,
        is_held: bool,
        now: Instant,
    ) -> Option<Assigned> {
        let owner = self.intern(owner);
        self.there(&owner.edge, now);
        let mut loser = None;
        match self.find(id.mailbox, &id.local_tag) {
            // Commits are heard of out of their order.
            Some(entry) if entry.epoch > epoch => {
                loser = (entry.owner != owner).then_some((owner, epoch));
            }
            Some(entry) => {
                let before = std::mem::replace(&mut entry.owner, Arc::clone(&owner));
                let is_same = before == owner;
                entry.is_held = is_held || (is_same && entry.is_held && entry.epoch == epoch);
                entry.epoch = epoch;
                if !is_same {
                    entry.former = None;
                }
                loser = (!is_same).then(|| (before, epoch.saturating_sub(1)));
            }
            None => {
                let entries = self.subscriptions.entry(id.mailbox).or_default();
                entries.push(Entry {
                    local_tag: id.local_tag.as_str().into(),
                    owner,
                    epoch,
                    is_held,
                    former: None,
                });
            }
        }
        let (loser, epoch) = loser?;
        let (edge, present) = self.attached.get_key_value(loser.edge.as_str())?;
        (*present == loser).then(|| (Arc::clone(edge), Task::Forget(id.clone(), epoch)))
    }

    /// The owner says by its reports that it has this one.
    pub(super) fn confirmed(&mut self, id: &SubscriptionId, owner: &Owner, epoch: u32) {
        if let Some(entry) = self.find(id.mailbox, &id.local_tag)
            && entry.epoch == epoch
            && *entry.owner == *owner
        {
            entry.is_held = true;
        }
    }

    /// A subscription has ended, unless it lives on in a later epoch. Whether its mailbox has none any more.
    pub(super) fn ended(&mut self, id: &SubscriptionId, epoch: u32) -> bool {
        let Some(entries) = self.subscriptions.get_mut(&id.mailbox) else {
            return true;
        };
        entries.retain(|entry| *entry.local_tag != *id.local_tag || entry.epoch > epoch);
        let is_last = entries.is_empty();
        if is_last {
            self.subscriptions.remove(&id.mailbox);
        }
        is_last
    }

    /// An edge is there: it gets what it owned in an earlier life or was about to get, forgets what others
    /// have got, and is told of all that may have changed while it was not listening. `None` if one of that
    /// name is there.
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
            for entry in entries {
                if let Some((former, epoch)) = entry
                    .former
                    .take_if(|(former, _)| former.edge == owner.edge)
                    && former == owner
                {
                    tasks.push(Task::Forget(id(*mailbox, entry), epoch));
                }
                if entry.owner.edge != owner.edge {
                    continue;
                }
                entry.is_held &= entry.owner == owner;
                entry.owner = Arc::clone(&owner);
                tasks.push(match entry.is_held {
                    true => Task::Look(*mailbox),
                    false => Task::Adopt(id(*mailbox, entry)),
                });
            }
        }
        let tasks = tasks.into_iter().map(|task| (Arc::clone(&edge), task));
        Some(tasks.collect())
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
        edges.sort_unstable();
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
                    let former = std::mem::replace(&mut entry.owner, Arc::clone(owner));
                    // Who was only about to get it has nothing to forget, whoever had it before has.
                    if entry.is_held {
                        entry.former = Some((former, entry.epoch));
                    }
                    entry.is_held = false;
                    tasks.push((Arc::clone(edge), Task::Adopt(id(*mailbox, entry))));
                }
            }
        }
        tasks
    }

    /// The process of an edge that is there; an owner that is not is missed from now on.
    fn there(&mut self, edge: &str, now: Instant) -> Option<(Arc<str>, Arc<Owner>)> {
        match self.attached.get_key_value(edge) {
            Some((edge, owner)) => Some((Arc::clone(edge), Arc::clone(owner))),
            None => {
                self.absent.entry(edge.into()).or_insert(now);
                None
            }
        }
    }

    fn find(&mut self, mailbox: MailboxId, tag: &str) -> Option<&mut Entry> {
        let mut entries = self.subscriptions.get_mut(&mailbox)?.iter_mut();
        entries.find(|entry| *entry.local_tag == *tag)
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
    use storage::model::{Address, Notified, SubscriptionDialog, UnixMillis};

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

    /// Bob's subscription, as the store holds it.
    fn stored(owner: Owner, epoch: u32) -> Subscription {
        Subscription {
            local_tag: "x".to_owned(),
            address: Address::new("sip:bob@example.org"),
            dialog: SubscriptionDialog {
                call_id: String::new(),
                remote_tag: String::new(),
                local: String::new(),
                remote: String::new(),
                target: String::new(),
                routes: Vec::new(),
                remote_cseq: 1,
            },
            event_id: String::new(),
            is_trusted: true,
            expires_at: UnixMillis(0),
            owner,
            epoch,
            notified: Notified::default(),
        }
    }

    #[test]
    fn mwi_10_a_restarted_edge_adopts_its_own() {
        let now = Instant::now();
        let mut roster = Roster::default();
        assert_eq!(roster.attach(&owner("a", 1)), Some(Vec::new()));
        assert_eq!(roster.committed(&bobs("x"), &owner("a", 1), 1, now), None);
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
        roster.committed(&bobs("x"), &owner("a", 1), 1, now);
        roster.detach("a", now);
        assert_eq!(roster.reassign(now), Vec::new());
        let adopted = vec![(edge("b"), Task::Adopt(bobs("x")))];
        assert_eq!(roster.reassign(now + PATIENCE), adopted);
        assert_eq!(roster.concerned(MailboxId(1)), [edge("b")]);
        assert_eq!(roster.adopted(&bobs("x"), &owner("b", 1), 2, now), None);
        // It was only cut off, and knows the subscription still.
        let back = roster.attach(&owner("a", 1));
        assert_eq!(back, Some(vec![(edge("a"), Task::Forget(bobs("x"), 1))]));
        let taken_back = roster.committed(&bobs("x"), &owner("a", 1), 3, now);
        let forget = (edge("b"), Task::Forget(bobs("x"), 2));
        assert_eq!(taken_back, Some(forget));
        assert!(!roster.ended(&bobs("x"), 2));
        assert!(roster.ended(&bobs("x"), 3));
    }

    #[test]
    fn mwi_10_an_adoption_that_may_not_have_arrived_is_repeated() {
        let now = Instant::now();
        let mut roster = Roster::default();
        roster.committed(&bobs("x"), &owner("a", 1), 1, now);
        let adopt = Some(vec![(edge("a"), Task::Adopt(bobs("x")))]);
        for epoch in [2, 3] {
            assert_eq!(roster.attach(&owner("a", 2)), adopt);
            roster.detach("a", now);
            assert_eq!(roster.attach(&owner("a", 2)), adopt);
            roster.adopted(&bobs("x"), &owner("a", 2), epoch, now);
            roster.detach("a", now);
        }
        roster.attach(&owner("a", 2));
        roster.confirmed(&bobs("x"), &owner("a", 2), 2);
        roster.detach("a", now);
        assert_eq!(roster.attach(&owner("a", 2)), adopt);
        roster.confirmed(&bobs("x"), &owner("a", 2), 3);
        roster.detach("a", now);
        let look = Some(vec![(edge("a"), Task::Look(MailboxId(1)))]);
        assert_eq!(roster.attach(&owner("a", 2)), look);
    }

    #[test]
    fn mwi_10_commits_heard_of_out_of_order_leave_the_last_owner() {
        let now = Instant::now();
        let mut roster = Roster::default();
        roster.attach(&owner("a", 1));
        roster.attach(&owner("b", 1));
        roster.committed(&bobs("x"), &owner("b", 1), 2, now);
        let late = roster.committed(&bobs("x"), &owner("a", 1), 1, now);
        assert_eq!(late, Some((edge("a"), Task::Forget(bobs("x"), 1))));
        assert_eq!(roster.concerned(MailboxId(1)), [edge("b")]);
    }

    #[test]
    fn mwi_10_what_is_restored_finds_the_edges_that_are_there_already() {
        let now = Instant::now();
        let mut roster = Roster::default();
        roster.attach(&owner("a", 2));
        let adopt = Some((edge("a"), Task::Adopt(bobs("x"))));
        let before = stored(owner("a", 1), 4);
        assert_eq!(roster.restore(MailboxId(1), &before, now), adopt);
        let mut roster = Roster::default();
        roster.attach(&owner("a", 1));
        let look = Some((edge("a"), Task::Look(MailboxId(1))));
        assert_eq!(roster.restore(MailboxId(1), &before, now), look);
        let mut roster = Roster::default();
        roster.attach(&owner("b", 1));
        roster.committed(&bobs("x"), &owner("b", 1), 5, now);
        assert_eq!(roster.restore(MailboxId(1), &before, now), None);
        assert_eq!(roster.concerned(MailboxId(1)), [edge("b")]);
    }

    #[test]
    fn mwi_10_an_owner_that_never_listened_is_missed() {
        let now = Instant::now();
        let mut roster = Roster::default();
        roster.attach(&owner("b", 1));
        roster.committed(&bobs("x"), &owner("a", 1), 1, now);
        let adopt = vec![(edge("b"), Task::Adopt(bobs("x")))];
        assert_eq!(roster.reassign(now + PATIENCE), adopt);
    }

    proptest! {
        #[test]
        fn with_an_edge_there_every_subscription_finds_one(
            events in proptest::collection::vec((0u8..4, 0u8..3, 0u64..5), 0..40),
        ) {
            let mut now = Instant::now();
            let mut roster = Roster::default();
            let mut known = HashSet::new();
            let mut epoch = 0;
            for (kind, name, number) in events {
                let name = ["a", "b", "c"][usize::from(name)];
                match kind {
                    0 => drop(roster.attach(&owner(name, number))),
                    1 => roster.detach(name, now),
                    2 => {
                        let id = SubscriptionId { mailbox: MailboxId(number), local_tag: name.to_owned() };
                        if let Some(attached) = roster.attached.values().next().cloned() {
                            epoch += 1;
                            roster.committed(&id, &attached, epoch, now);
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
