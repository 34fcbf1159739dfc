//! Waiting indication: a notifier for `message-summary` (RFC 3842 on RFC 6665, MWI rows).
//!
//! The store keeps the subscriptions and says which mailboxes have changed; this edge answers the
//! SUBSCRIBEs, and sends each NOTIFY when [`sip::subscription::Notifier`] says that it is due. What it
//! says is read when it is sent, so that a storm of changes costs no more than the NOTIFYs that leave.
//! Pure decisions: [`request`], [`document`], [`table`]. The rest drives them.

mod document;
mod request;
mod send;
mod subscribe;
mod table;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sip::subscription::Pace;
use storage_client::subscription::{Change, Changes};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{MissedTickBehavior, interval, sleep_until};
use tokio_util::task::TaskTracker;

use crate::edge::Edge;
use crate::metrics;
pub(crate) use request::PACKAGE;
pub(crate) use subscribe::subscribe;
use table::{Ready, Table};

/// NOTIFYs made of one answer of the store.
const BATCH: u32 = 64;

/// Batches under way at a time.
const BATCHES: usize = 4;

/// Between two reports of what was told.
const REPORT_PERIOD: Duration = Duration::from_secs(5);

/// Subscriptions in one report.
const REPORTED: usize = 4_096;

/// The subscriptions of this edge.
#[derive(Debug, Default)]
pub(crate) struct MessageWaiting {
    table: Mutex<Table>,
    /// Something may be due earlier than it was.
    changed: Notify,
}

impl MessageWaiting {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the table, and lets whoever waits for it look again.
    fn update<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        let answer = change(&mut self.lock());
        self.changed.notify_one();
        answer
    }

    /// Waits until something is to be sent.
    async fn due(&self) {
        loop {
            let changed = self.changed.notified();
            let ready = self.lock().ready(Instant::now());
            match ready {
                Ready::Now => return,
                Ready::At(moment) => tokio::select! {
                    () = changed => {}
                    () = sleep_until(moment.into()) => {}
                },
                Ready::Never => changed.await,
            }
        }
    }

    /// Waits until every subscription is over.
    async fn emptied(&self) {
        loop {
            let changed = self.changed.notified();
            if self.lock().is_empty() {
                return;
            }
            changed.await;
        }
    }
}

/// Notifies until the edge drains, then says goodbye to every subscriber (requirements §3.12).
pub(crate) async fn serve(edge: Arc<Edge>, tasks: TaskTracker) {
    let mut changes = edge.storage.changes();
    let following = async {
        let mut report = interval(REPORT_PERIOD);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                change = changes.next() => match change {
                    Some(change) => edge.waiting.update(|table| follow(table, change)),
                    None => return,
                },
                _ = report.tick() => tell_store(&edge, &changes),
            }
        }
    };
    tokio::select! {
        () = following => {}
        () = notify(&edge, &tasks) => {}
        () = edge.draining.cancelled() => {}
    }
    // The stream stays open meanwhile: others shall not take over what is about to end.
    edge.waiting.update(Table::deactivate);
    tokio::select! {
        () = notify(&edge, &tasks) => {}
        () = edge.waiting.emptied() => {}
    }
}

fn follow(table: &mut Table, change: Change) {
    let now = Instant::now();
    match change {
        Change::Owned(owned) => table.adopt(*owned, now),
        Change::Lost { name, epoch } => table.lose(&name.local_tag, epoch),
        Change::Mailbox {
            mailbox,
            version,
            counts,
            remind,
        } => table.changed(mailbox, version, &counts, remind),
    }
    metrics::subscriptions(table.len());
}

fn tell_store(edge: &Edge, changes: &Changes) {
    let told = edge.waiting.lock().untold(REPORTED);
    if told.is_empty() {
        return;
    }
    let tags: Vec<_> = told
        .iter()
        .map(|told| told.name.local_tag.clone())
        .collect();
    if changes.report(told) {
        edge.waiting.lock().reported(&tags);
    }
}

/// Sends what is due, at the pace of this edge; never ends.
async fn notify(edge: &Arc<Edge>, tasks: &TaskTracker) {
    let mut pace = Pace::new(edge.config.mwi.rate, Instant::now());
    let places = Arc::new(Semaphore::new(BATCHES));
    loop {
        edge.waiting.due().await;
        // Never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let now = Instant::now();
        let waiting = edge.waiting.lock().waiting(now).min(BATCH);
        let granted = pace.take(waiting, now);
        if granted == 0 {
            drop(place);
            sleep_until(pace.next_token().into()).await;
            continue;
        }
        let batch = edge.waiting.lock().take(granted, now);
        let edge = Arc::clone(edge);
        let sending = tasks.clone();
        tasks.spawn(async move {
            send::send(&edge, batch, &sending).await;
            drop(place);
        });
    }
}
