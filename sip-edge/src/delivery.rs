//! Deferred messages out: push jobs of the store, each a session with the client of one mailbox
//! (DLV, PSH rows) or a run of MESSAGEs to it (DLM rows), in which a large message gets a session of
//! its own (requirements 4.3).
//!
//! The store decides which mailbox is delivered and when; this edge delivers it under a claim, and
//! reports how it went. Pure decisions: [`mode`], [`outcome`], [`encapsulate`], [`letter`], [`message`].
//! The rest drives them; sessions are set up by [`edge::sending`].

mod content;
pub(crate) mod device;
pub(crate) mod encapsulate;
#[cfg(test)]
pub(crate) mod example;
mod letter;
mod mailbox;
mod message;
mod message_run;
mod mode;
pub(crate) mod outcome;
mod push_session;
pub(crate) mod sending;
pub(crate) mod session;
pub(crate) mod way;

use std::sync::Arc;
use std::time::Instant;

use daemon::trace::{Span, messaging};
use storage_client::PushJob;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult};
use storage_client::registration::Binding;
use tokio_util::task::TaskTracker;

use crate::config::DeliveryMode;
use crate::edge::Edge;
use crate::{event, metrics};
use device::{Delivery, deliver_by_device};
use edge::next_hop::NextHop;
use edge::now;
pub(crate) use encapsulate::is_private;
use mailbox::{Ending, Mailbox};
use message_run::MessageRun;
use mode::{Choice, choose};
use outcome::of_invite;
use push_session::PushSession;
use session::{as_standfw, establish, store};
use way::{Way, way};

/// Channels in the metrics.
const MSRP: &str = "msrp";
const MESSAGE: &str = "message";
const NONE: &str = "none";

/// Takes push jobs until the edge drains; the store gives no more at a time than this edge asked for.
pub(crate) async fn serve(edge: Arc<Edge>, pushes: TaskTracker) {
    let capacity = edge.config.push.sessions.into();
    let mut jobs = match &edge.next_hop {
        Some(hop) => edge.storage.attach_behind(capacity, hop.paused()),
        None => edge.storage.attach(capacity),
    };
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
async fn deliver(edge: &Arc<Edge>, mut job: PushJob) {
    let started = Instant::now();
    let parent = job.traceparent.as_deref().unwrap_or_default();
    let mut span = Span::within_text(messaging::DELIVER, parent);
    span.set(messaging::ATTEMPT, job.attempt);
    job.traceparent = span.traceparent();
    event::delivery_started(&job.served_user, job.attempt);
    let (channel, mut ending) = deliver_by_mode(edge, &job).await;
    if ending.outcome.result == DeliveryResult::HopDown {
        let pause = edge.next_hop.as_ref().and_then(NextHop::pause);
        ending.outcome.retry_after = ending.outcome.retry_after.or(pause);
    }
    if ending.outcome.result == DeliveryResult::Interrupted {
        if job.has_user_left() {
            ending.outcome = user_left();
        } else if edge.draining.is_cancelled() {
            // Whoever drains gets nothing more, and the mailbox goes to another edge at once.
            ending.outcome.result = DeliveryResult::EdgeDraining;
        }
    }
    span.set(messaging::DESTINATION, channel);
    span.set(messaging::OUTCOME, ending.outcome.result.word());
    metrics::delivery_ended(channel, ending.outcome.result, started.elapsed());
    event::delivery_ended(&job.served_user, &ending.outcome, started.elapsed());
    if !ending.is_released {
        release(edge, &job, ending).await;
    }
}

/// Delivers by what the user's clients can do (DLM-01); also says by what it was.
async fn deliver_by_mode(edge: &Arc<Edge>, job: &PushJob) -> (&'static str, Ending) {
    for known in [&edge.unsuited, &edge.sessionless] {
        known.follow(&job.served_user, &job.bindings, now());
    }
    if job.by_device {
        return Box::pin(deliver_by_device(edge, job)).await;
    }
    let delivery = Delivery::of(job);
    let mut mailbox = Mailbox::new(edge, delivery);
    deliver_to(edge, delivery, &job.bindings, &mut mailbox).await
}

/// Delivers to the clients of these bindings by what they can do; also says by what it was.
async fn deliver_to<'a>(
    edge: &'a Arc<Edge>,
    delivery: Delivery<'a>,
    bindings: &[Binding],
    mailbox: &mut Mailbox<'a>,
) -> (&'static str, Ending) {
    let user = &delivery.served_user;
    // Ends at the latest when every binding is known as unsuited.
    loop {
        let is_unsuited = |binding: &Binding| edge.unsuited.contains(user, binding);
        match choose(edge.config.delivery.mode, bindings, is_unsuited) {
            Choice::Session(bindings) => {
                if let Some(ending) = push(edge, delivery, &bindings, mailbox).await {
                    return (MSRP, ending);
                }
            }
            Choice::Message(bindings) => {
                return (
                    MESSAGE,
                    by_message(edge, delivery, &bindings, mailbox).await,
                );
            }
            Choice::Nobody => return (NONE, Ending::not_begun(nobody())),
        }
    }
}

/// A push session; `None` if the client can do none, which is remembered.
async fn push<'a>(
    edge: &'a Arc<Edge>,
    job: Delivery<'a>,
    bindings: &[&Binding],
    mailbox: &mut Mailbox<'a>,
) -> Option<Ending> {
    let Some(way) = way(edge, bindings) else {
        return Some(Ending::not_begun(nowhere()));
    };
    if let Err(paused) = way.admit(edge) {
        return Some(Ending::not_begun(paused));
    }
    let signature = &edge.site.signature;
    let mut inviter = store(signature);
    if edge.config.compat.rcse_standfw {
        match mailbox.peek().await {
            Ok(first) => inviter = as_standfw(inviter, signature, first),
            Err(outcome) => return Some(mailbox.ending(outcome, false)),
        }
    }
    let failure = match Box::pin(establish(edge, job, &way, inviter)).await {
        Ok(established) => {
            let session = PushSession::new(edge, job, established, mailbox);
            return Some(Box::pin(session.run()).await);
        }
        Err(failure) => failure,
    };
    let may_fall_back = edge.config.delivery.mode == DeliveryMode::Auto && failure.is_unsuited();
    if may_fall_back && remember_unsuited(edge, &job, &way, bindings) {
        return None;
    }
    Some(Ending::not_begun(of_invite(&failure, way.is_core)))
}

/// Behind a core, which forks, all have answered; else the one that was asked. Whether it is news.
fn remember_unsuited(edge: &Edge, job: &PushJob, way: &Way, bindings: &[&Binding]) -> bool {
    let asked = way.binding.iter().filter(|_| !way.is_core);
    let forked = bindings.iter().copied().filter(|_| way.is_core);
    edge.unsuited
        .remember(&job.served_user, forked.chain(asked))
}

async fn by_message<'a>(
    edge: &'a Arc<Edge>,
    job: Delivery<'a>,
    bindings: &[&Binding],
    mailbox: &mut Mailbox<'a>,
) -> Ending {
    match way(edge, bindings) {
        Some(way) => Box::pin(MessageRun::new(edge, job, bindings, &way).run(mailbox)).await,
        None => Ending::not_begun(nowhere()),
    }
}

fn nobody() -> DeliveryOutcome {
    DeliveryOutcome::new(
        DeliveryResult::Unsupported,
        "no client is registered that can be delivered to",
    )
}

fn nowhere() -> DeliveryOutcome {
    DeliveryOutcome::new(
        DeliveryResult::Unavailable,
        "no way to the registered client",
    )
}

fn user_left() -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::EndedByClient, "user de-registered")
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
