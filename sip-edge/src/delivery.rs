//! Deferred messages out: push jobs of the store, each a session with the client of one mailbox
//! (DLV, PSH rows).
//!
//! The store decides which mailbox is delivered and when; this edge delivers it under a claim, and
//! reports how it went. Pure decisions: [`mode`], [`outcome`], [`terms`], [`encapsulate`],
//! [`invite`], [`mark`]. The rest drives them.

mod call;
mod encapsulate;
mod establish;
mod invite;
mod mailbox;
pub(crate) mod mark;
mod mode;
mod outcome;
mod push_session;
mod terms;
mod way;

use std::sync::Arc;
use std::time::Instant;

use storage_client::PushJob;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult};
use tokio_util::task::TaskTracker;

use crate::edge::Edge;
use crate::{event, metrics};
use establish::establish;
use mailbox::Ending;
use mode::{Mode, mode};
use push_session::PushSession;

/// Takes push jobs until the edge drains; the store gives no more at a time than this edge asked for.
pub(crate) async fn serve(edge: Arc<Edge>, pushes: TaskTracker) {
    let mut jobs = edge.storage.attach(edge.config.push.sessions.into());
    loop {
        let job = tokio::select! {
            () = edge.draining.cancelled() => return,
            job = jobs.next() => job,
        };
        let Some(job) = job else { return };
        let edge = Arc::clone(&edge);
        pushes.spawn(async move { deliver(&edge, job).await });
    }
}

/// Delivers one mailbox and gives its claim back.
async fn deliver(edge: &Arc<Edge>, job: PushJob) {
    let started = Instant::now();
    event::delivery_started(&job.served_user, job.attempt);
    let ending = match mode(&job.bindings) {
        Mode::Session => push(edge, &job).await,
        Mode::Message => Ending::not_begun(DeliveryOutcome::new(
            DeliveryResult::Unsupported,
            "no IM client is registered",
        )),
    };
    metrics::delivery_ended(ending.outcome.result, started.elapsed());
    event::delivery_ended(&job.served_user, &ending.outcome, started.elapsed());
    if !ending.is_released {
        release(edge, &job, ending).await;
    }
}

async fn push(edge: &Arc<Edge>, job: &PushJob) -> Ending {
    match establish(edge, job).await {
        Ok(established) => PushSession::new(edge, job, established).run().await,
        Err(failure) => Ending::not_begun(failure.outcome(edge.site.next_hop.is_some())),
    }
}

/// Tells the store how it went. If that is not possible, the lease ends the claim.
async fn release(edge: &Edge, job: &PushJob, ending: Ending) {
    let released = edge
        .storage
        .release(job.claim, ending.last_sequence, ending.outcome)
        .await;
    if let Err(unavailable) = released {
        event::release_failed(&unavailable.reason);
    }
}
