//! The subscriptions of this edge and when each of them has to be served. No I/O; time is an argument.
//!
//! Each subscription stands in exactly one place: in the calendar, in one of the two queues of those that
//! are due (those whose Messages-Waiting turns go first), or out with whoever sends its NOTIFY.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::dialog::SavedDialog;
use sip::subscription::{EndReason, Notifier, Outcome, Verdict};
use storage_client::subscription::{
    Counts, Notified, OwnedSubscription, SubscriptionName, Told, WaitingMailbox, WaitingQuestion,
};

/// Between two NOTIFYs of one subscription (RFC 3842 §3.11).
const INTERVAL: Duration = Duration::from_secs(1);

/// After the store did not answer.
const RETRY: Duration = Duration::from_secs(1);

/// The local tag: the name of a subscription here.
pub(super) type Tag = Arc<str>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Calendar(Instant),
    Queue,
    /// Nothing is due, or its NOTIFY is being made.
    Out,
}

/// One subscription.
#[derive(Debug)]
pub(super) struct Held {
    /// Its mailbox; none for a fetch, which the store does not know.
    pub(super) mailbox: Option<u64>,
    pub(super) address: Box<str>,
    pub(super) dialog: Arc<SavedDialog>,
    pub(super) event_id: Box<str>,
    pub(super) is_trusted: bool,
    /// The connection the SUBSCRIBE came on, by its name, where nothing stands in between.
    pub(super) flow: Option<Box<str>>,
    pub(super) notifier: Notifier,
    /// What the subscriber was told.
    pub(super) told: Notified,
    /// The counters it was told, if this edge has told it any.
    pub(super) shown: Option<Counts>,
    /// The newest version heard of.
    heard: u64,
    /// It is told even if nothing is new to it.
    pub(super) remind: bool,
    is_urgent: bool,
    place: Place,
}

/// When something is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Now,
    At(Instant),
    Never,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Table {
    held: HashMap<Tag, Held>,
    by_mailbox: HashMap<u64, Vec<Tag>>,
    calendar: BTreeSet<(Instant, Tag)>,
    urgent: VecDeque<Tag>,
    others: VecDeque<Tag>,
    /// What was told and the store has not heard of.
    untold: BTreeSet<Tag>,
    is_draining: bool,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn get(&self, tag: &str) -> Option<&Held> {
        self.held.get(tag)
    }

    /// A subscription of the store is ours: by a SUBSCRIBE, or because its edge is gone. Its subscriber
    /// is told at once.
    pub(super) fn adopt(&mut self, owned: OwnedSubscription, now: Instant) {
        let expires_at = now + owned.remaining;
        let tag: Tag = owned.name.local_tag.as_str().into();
        let dialog = Arc::new(saved(&owned));
        if let Some(held) = self.held.get_mut(&tag) {
            // Answers of the store overtake each other; numbers must not go back.
            if owned.epoch < held.notifier.epoch() {
                return;
            }
            held.dialog = dialog;
            held.is_trusted = owned.is_trusted;
            if held.notifier.epoch() != owned.epoch {
                held.notifier.renumbered(owned.epoch);
            }
            held.notifier.refreshed(expires_at);
            return self.schedule(&tag);
        }
        let held = Held {
            mailbox: Some(owned.name.mailbox),
            address: owned.address.into(),
            dialog,
            event_id: owned.event_id.into(),
            is_trusted: owned.is_trusted,
            flow: None,
            notifier: Notifier::new(owned.epoch, now, expires_at, INTERVAL),
            told: owned.notified,
            shown: None,
            heard: 0,
            remind: false,
            is_urgent: true,
            place: Place::Out,
        };
        let of_mailbox = self.by_mailbox.entry(owned.name.mailbox).or_default();
        of_mailbox.push(Arc::clone(&tag));
        self.enter(tag, held);
    }

    /// A subscription that is over with its first NOTIFY (RFC 6665 §4.4.3): the store does not know it.
    pub(super) fn fetch(
        &mut self,
        address: &str,
        event_id: &str,
        dialog: SavedDialog,
        is_trusted: bool,
        now: Instant,
    ) {
        let tag: Tag = dialog.local_tag.as_str().into();
        let held = Held {
            mailbox: None,
            address: address.into(),
            dialog: Arc::new(dialog),
            event_id: event_id.into(),
            is_trusted,
            flow: None,
            notifier: Notifier::new(1, now, now, INTERVAL),
            told: Notified::default(),
            shown: None,
            heard: 0,
            remind: false,
            is_urgent: true,
            place: Place::Out,
        };
        self.enter(tag, held);
    }

    fn enter(&mut self, tag: Tag, mut held: Held) {
        if self.is_draining {
            held.notifier.end(EndReason::Deactivated);
        }
        self.held.insert(Arc::clone(&tag), held);
        self.schedule(&tag);
    }

    /// The connection by which a subscriber is reached.
    pub(super) fn set_flow(&mut self, tag: &str, flow: Option<String>) {
        if let Some(held) = self.held.get_mut(tag) {
            held.flow = flow.map(Into::into);
        }
    }

    /// A mailbox has changed.
    pub(super) fn changed(&mut self, mailbox: u64, version: u64, counts: &Counts, remind: bool) {
        let tags = self.by_mailbox.get(&mailbox).cloned().unwrap_or_default();
        for tag in tags {
            let Some(held) = self.held.get_mut(&tag) else {
                continue;
            };
            held.heard = held.heard.max(version);
            held.remind |= remind;
            if held.heard <= held.told.version && held.shown.is_some() && !remind {
                continue;
            }
            let shown = held.shown.as_ref().map(Counts::is_waiting);
            held.is_urgent = shown != Some(counts.is_waiting());
            held.notifier.changed();
            self.schedule(&tag);
        }
    }

    /// The edge stops: every subscription ends, with a word (requirements §3.12).
    pub(super) fn deactivate(&mut self) {
        self.is_draining = true;
        let tags: Vec<_> = self.held.keys().cloned().collect();
        for tag in tags {
            if let Some(held) = self.held.get_mut(&tag) {
                held.notifier.end(EndReason::Deactivated);
            }
            self.schedule(&tag);
        }
    }

    /// A subscription is another's, unless it has come back since.
    pub(super) fn lose(&mut self, tag: &str, epoch: u32) {
        let is_older = |held: &Held| held.mailbox.is_some() && held.notifier.epoch() <= epoch;
        if self.held.get(tag).is_some_and(is_older) {
            self.forget(tag);
        }
    }

    /// A subscription is over, or another's.
    pub(super) fn forget(&mut self, tag: &str) {
        let Some(held) = self.held.remove(tag) else {
            return;
        };
        if let Place::Calendar(moment) = held.place {
            self.calendar.remove(&(moment, tag.into()));
        }
        self.untold.remove(tag);
        let Some(mailbox) = held.mailbox else {
            return;
        };
        if let Some(tags) = self.by_mailbox.get_mut(&mailbox) {
            tags.retain(|known| **known != *tag);
            if tags.is_empty() {
                self.by_mailbox.remove(&mailbox);
            }
        }
    }

    /// When something is to be sent.
    pub(super) fn ready(&mut self, now: Instant) -> Ready {
        self.ripen(now);
        if !self.urgent.is_empty() || !self.others.is_empty() {
            return Ready::Now;
        }
        match self.calendar.first() {
            Some((moment, _)) => Ready::At(*moment),
            None => Ready::Never,
        }
    }

    /// How many are due.
    pub(super) fn waiting(&mut self, now: Instant) -> u32 {
        self.ripen(now);
        u32::try_from(self.urgent.len() + self.others.len()).unwrap_or(u32::MAX)
    }

    /// Takes up to `count` of those that are due: their NOTIFYs are made now.
    pub(super) fn take(&mut self, count: u32, now: Instant) -> Vec<Tag> {
        self.ripen(now);
        let mut taken = Vec::new();
        while taken.len() < usize::try_from(count).unwrap_or(usize::MAX) {
            let Some(tag) = self.urgent.pop_front().or_else(|| self.others.pop_front()) else {
                break;
            };
            if let Some(held) = self.held.get_mut(&tag) {
                held.place = Place::Out;
                taken.push(tag);
            }
        }
        taken
    }

    /// What has to be asked to make the NOTIFY of each.
    pub(super) fn questions(
        &self,
        batch: &[Tag],
        messages: impl Fn(&Held) -> u32,
    ) -> Vec<WaitingQuestion> {
        let held = batch.iter().filter_map(|tag| self.held.get(tag));
        held.map(|held| WaitingQuestion {
            mailbox: match held.mailbox {
                Some(mailbox) => WaitingMailbox::Known(mailbox),
                None => WaitingMailbox::Address(held.address.to_string()),
            },
            // Whoever has not been told anything is told of everything.
            after_sequence: held.told.sequence,
            max_messages: messages(held),
        })
        .collect()
    }

    /// Changes one that was taken, and puts it where it belongs.
    pub(super) fn serve<T>(&mut self, tag: &str, change: impl FnOnce(&mut Held) -> T) -> Option<T> {
        let held = self.held.get_mut(tag)?;
        let answer = change(held);
        // What was heard of while the store was asked may not have been in its answer.
        if held.heard > held.told.version && held.shown.is_some() {
            held.notifier.changed();
        }
        self.schedule(tag);
        Some(answer)
    }

    /// A NOTIFY has told this.
    pub(super) fn told(&mut self, tag: &Tag) {
        if self
            .held
            .get(tag)
            .is_some_and(|held| held.mailbox.is_some())
        {
            self.untold.insert(Arc::clone(tag));
        }
    }

    /// The store did not answer: these wait.
    pub(super) fn postpone(&mut self, batch: &[Tag], now: Instant) {
        for tag in batch {
            if let Some(held) = self.held.get_mut(tag) {
                held.place = Place::Calendar(now + RETRY);
                self.calendar.insert((now + RETRY, Arc::clone(tag)));
            }
        }
    }

    /// How a NOTIFY ended.
    pub(super) fn ended(
        &mut self,
        tag: &str,
        cseq: u32,
        outcome: Outcome,
        now: Instant,
    ) -> Verdict {
        let Some(held) = self.held.get_mut(tag) else {
            return Verdict::Goes;
        };
        let verdict = held.notifier.handle_outcome(cseq, outcome, now);
        self.schedule(tag);
        verdict
    }

    /// What the store has not heard of, up to `limit`.
    pub(super) fn untold(&self, limit: usize) -> Vec<Told> {
        let tags = self.untold.iter().take(limit);
        tags.filter_map(|tag| {
            let held = self.held.get(tag)?;
            Some(Told {
                name: name(held.mailbox?, tag),
                epoch: held.notifier.epoch(),
                state: held.told,
            })
        })
        .collect()
    }

    /// The store has heard of these.
    pub(super) fn reported(&mut self, tags: &[String]) {
        for tag in tags {
            self.untold.remove(tag.as_str());
        }
    }

    /// Moves what is due from the calendar to the queues.
    fn ripen(&mut self, now: Instant) {
        while let Some((moment, _)) = self.calendar.first()
            && *moment <= now
            && let Some((_, tag)) = self.calendar.pop_first()
        {
            let Some(held) = self.held.get_mut(&tag) else {
                continue;
            };
            held.place = Place::Queue;
            match held.is_urgent {
                true => self.urgent.push_back(tag),
                false => self.others.push_back(tag),
            }
        }
    }

    /// Puts a subscription into the calendar, unless it stands in a queue already.
    fn schedule(&mut self, tag: &str) {
        let Some((tag, held)) = self.held.get_key_value(tag) else {
            return;
        };
        let tag = Arc::clone(tag);
        let due = held.notifier.next_due();
        match held.place {
            Place::Queue => return,
            Place::Calendar(moment) if Some(moment) == due => return,
            Place::Calendar(moment) => drop(self.calendar.remove(&(moment, Arc::clone(&tag)))),
            Place::Out => {}
        }
        if let Some(held) = self.held.get_mut(&tag) {
            held.place = due.map_or(Place::Out, Place::Calendar);
        }
        if let Some(due) = due {
            self.calendar.insert((due, tag));
        }
    }
}

/// The name of a subscription in the store.
pub(super) fn name(mailbox: u64, tag: &str) -> SubscriptionName {
    SubscriptionName {
        mailbox,
        local_tag: tag.to_owned(),
    }
}

fn saved(owned: &OwnedSubscription) -> SavedDialog {
    let dialog = &owned.dialog;
    SavedDialog {
        call_id: dialog.call_id.clone(),
        local_tag: owned.name.local_tag.clone(),
        remote_tag: dialog.remote_tag.clone(),
        local: dialog.local.clone(),
        remote: dialog.remote.clone(),
        target: dialog.target.clone(),
        routes: dialog.routes.clone(),
    }
}

#[cfg(test)]
mod tests {
    use sip::subscription::Polled;
    use storage_client::subscription::{Count, SubscriptionDialog};

    use super::*;

    fn owned(tag: &str, mailbox: u64) -> OwnedSubscription {
        OwnedSubscription {
            name: name(mailbox, tag),
            address: "sip:bob@example.org".to_owned(),
            dialog: SubscriptionDialog {
                target: "sip:bob@192.0.2.1".to_owned(),
                ..SubscriptionDialog::default()
            },
            event_id: String::new(),
            is_trusted: true,
            epoch: 1,
            remaining: Duration::from_secs(3_600),
            notified: Notified::default(),
        }
    }

    fn new(count: u64) -> Counts {
        Counts {
            text: Count {
                new: count,
                ..Count::default()
            },
            ..Counts::default()
        }
    }

    /// As if a NOTIFY with these counters had been sent and answered.
    fn tell(table: &mut Table, tag: &Tag, version: u64, counts: Counts, now: Instant) {
        let sent = table.serve(tag, |held| {
            held.told.version = version;
            held.shown = Some(counts);
            held.notifier.poll(now)
        });
        let Some(Polled::Send(due)) = sent else {
            panic!("nothing is due: {sent:?}");
        };
        table.ended(tag, due.cseq, Outcome::Status(sip::StatusCode::OK), now);
    }

    #[test]
    fn those_whose_state_turns_go_first() {
        let mut now = Instant::now();
        let mut table = Table::default();
        for mailbox in 1..=3 {
            table.adopt(owned(&format!("t{mailbox}"), mailbox), now);
        }
        let all = table.take(9, now);
        assert_eq!(all.len(), 3);
        for tag in &all {
            tell(&mut table, tag, 1, new(u64::from(&**tag == "t1")), now);
        }
        assert!(matches!(table.ready(now), Ready::At(_)));
        for mailbox in 1..=3 {
            table.changed(mailbox, 2, &new(2), false);
        }
        now += INTERVAL;
        let order: Vec<_> = table.take(9, now).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["t2", "t3", "t1"]);
    }

    #[test]
    fn a_change_while_the_store_is_asked_is_told_later() {
        let now = Instant::now();
        let mut table = Table::default();
        table.adopt(owned("t", 1), now);
        let batch = table.take(1, now);
        table.changed(1, 5, &new(1), false);
        tell(&mut table, &batch[0], 4, new(0), now);
        assert_eq!(table.ready(now), Ready::At(now + INTERVAL));
        let batch = table.take(1, now + INTERVAL);
        tell(&mut table, &batch[0], 5, new(1), now + INTERVAL);
        table.changed(1, 5, &new(1), false);
        assert!(matches!(table.ready(now), Ready::At(later) if later > now + 2 * INTERVAL));
    }

    #[test]
    fn what_is_known_by_a_later_epoch_is_not_lost_and_does_not_go_back() {
        let now = Instant::now();
        let mut table = Table::default();
        let (first, mut second) = (owned("t", 1), owned("t", 1));
        second.epoch = 3;
        table.adopt(second, now);
        table.lose("t", 1);
        table.adopt(first, now);
        assert_eq!(table.get("t").map(|held| held.notifier.epoch()), Some(3));
        table.lose("t", 3);
        assert!(table.is_empty());
    }

    #[test]
    fn a_forgotten_subscription_leaves_nothing() {
        let now = Instant::now();
        let mut table = Table::default();
        table.adopt(owned("t", 1), now);
        table.forget("t");
        assert_eq!(table.ready(now), Ready::Never);
        assert!(table.is_empty() && table.by_mailbox.is_empty() && table.calendar.is_empty());
        table.changed(1, 1, &new(1), false);
        assert_eq!(table.ready(now), Ready::Never);
    }
}
