//! Between the store and the edges: follows the mailboxes that somebody has subscribed to, and tells
//! their owners.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::model::{MailboxId, Owner, SubscriptionId};
use storage::{MailboxWatch, Store, StoreError};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::queue::EdgeQueue;
use super::roster::{Assigned, Roster, Task};

/// Mailboxes taken from the store at a time.
const AT_ONCE: usize = 4_096;

/// Mailboxes whose subscriptions are read at a time when the service starts.
const PAGE: usize = 1_000;

/// How often is looked for subscriptions without an edge.
const PERIOD: Duration = Duration::from_millis(500);

/// Handle to the distribution of changes.
#[derive(Clone, Debug)]
pub(crate) struct Distributor(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    watch: MailboxWatch,
}

#[derive(Debug, Default)]
struct State {
    roster: Roster,
    queues: HashMap<Arc<str>, Arc<EdgeQueue>>,
}

impl State {
    fn assign(&self, tasks: impl IntoIterator<Item = Assigned>) {
        for (edge, task) in tasks {
            if let Some(queue) = self.queues.get(&edge) {
                queue.push(task);
            }
        }
    }
}

impl Distributor {
    pub(crate) fn new<S: Store>(store: &S) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::default(),
            watch: store.watch(),
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs until the shutdown: first learns what the store holds.
    pub(crate) async fn run<S: Store>(self, store: Arc<S>, shutdown: CancellationToken) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Err(error) = self.restore(&*store).await {
            tracing::warn!(event = "subscription.not_restored", %error, "subscriptions not read");
            tokio::select! {
                () = shutdown.cancelled() => return,
                _ = ticks.tick() => {}
            }
        }
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                changed = self.0.watch.next(AT_ONCE) => self.changed(&changed),
                _ = ticks.tick() => {
                    let mut state = self.lock();
                    let tasks = state.roster.reassign(Instant::now().into_std());
                    state.assign(tasks);
                }
            }
        }
    }

    async fn restore<S: Store>(&self, store: &S) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = store.list_subscriptions(after, PAGE).await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
            let now = Instant::now().into_std();
            let mut state = self.lock();
            for (mailbox, subscriptions) in &page {
                self.0.watch.add(*mailbox);
                for stored in subscriptions {
                    let task = state.roster.restore(*mailbox, stored, now);
                    state.assign(task);
                }
            }
        }
    }

    fn changed(&self, mailboxes: &[MailboxId]) {
        let state = self.lock();
        for mailbox in mailboxes {
            let edges = state.roster.concerned(*mailbox).into_iter();
            state.assign(edges.map(|edge| (edge, Task::Look(*mailbox))));
        }
    }

    /// The subscribers of a mailbox are told what waits even if nothing has changed: its user is back,
    /// and nothing will be pushed to him (DLV-04).
    pub(crate) fn remind(&self, mailbox: MailboxId) {
        let state = self.lock();
        for edge in state.roster.concerned(mailbox) {
            if let Some(queue) = state.queues.get(&edge) {
                queue.remind(mailbox);
            }
        }
    }

    /// A subscription was committed for an owner who has it. From now on he hears of changes.
    pub(super) fn committed(&self, id: &SubscriptionId, owner: &Owner, epoch: u32) {
        let now = Instant::now().into_std();
        self.enter(id, |roster| roster.committed(id, owner, epoch, now));
    }

    /// A subscription was committed for an owner who is told so now.
    pub(super) fn adopted(&self, id: &SubscriptionId, owner: &Owner, epoch: u32) {
        let now = Instant::now().into_std();
        self.enter(id, |roster| roster.adopted(id, owner, epoch, now));
    }

    // Under one lock with the roster: what ends at the same moment must not end the watch.
    fn enter(&self, id: &SubscriptionId, own: impl FnOnce(&mut Roster) -> Option<Assigned>) {
        let mut state = self.lock();
        self.0.watch.add(id.mailbox);
        let forget = own(&mut state.roster);
        state.assign(forget);
    }

    /// An owner says what it has.
    pub(super) fn confirmed<'a>(
        &self,
        owner: &Owner,
        held: impl Iterator<Item = (&'a SubscriptionId, u32)>,
    ) {
        let mut state = self.lock();
        for (id, epoch) in held {
            state.roster.confirmed(id, owner, epoch);
        }
    }

    /// A subscription has ended, unless it lives on in a later epoch.
    pub(super) fn ended(&self, id: &SubscriptionId, epoch: u32) {
        let mut state = self.lock();
        if state.roster.ended(id, epoch) {
            self.0.watch.remove(id.mailbox);
        }
    }

    /// An edge listens; `None` if one of that name does.
    pub(super) fn attach(&self, owner: &Owner) -> Option<Arc<EdgeQueue>> {
        let mut state = self.lock();
        let tasks = state.roster.attach(owner)?;
        let queue = Arc::new(EdgeQueue::default());
        let edge: Arc<str> = owner.edge.as_str().into();
        state.queues.insert(edge, Arc::clone(&queue));
        state.assign(tasks);
        Some(queue)
    }

    /// An edge does not listen any more.
    pub(super) fn detach(&self, edge: &str) {
        let mut state = self.lock();
        state.queues.remove(edge);
        state.roster.detach(edge, Instant::now().into_std());
    }
}
