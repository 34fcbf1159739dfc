//! Copies out: this edge offers places to the store, gets legs, sends each and tells what came of it. What follows from an
//! answer the store decides (CFP-18).

mod large;
mod send;

use std::sync::Arc;
use std::time::Duration;

use edge::next_hop::NextHop;
use storage_client::fan_out::{FanOutLegs, JobClass, Leg, LegOutcome};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::task::TaskTracker;

use crate::copies;
use crate::edge::Edge;
use crate::{event, metrics};

/// How often it is looked whether the next hop takes requests again, and whether it still does.
const LOOK_AT_HOP: Duration = Duration::from_millis(200);

/// The store is offered so many times as many places for MESSAGEs as are on their way at a time: while these are, others
/// are claimed, and the outcomes of others are written. Each takes a sync of the store, which no copy has to wait for.
const PLACES_PER_LEG: u32 = 4;

/// Sends legs until the edge drains. What came of the last ones is not on disk before [`FanOutLegs::settled`] of what is
/// returned.
pub(crate) async fn serve(edge: Arc<Edge>, tasks: TaskTracker) -> FanOutLegs {
    let cf = &edge.config.cf;
    let places = Places {
        pager: cf.legs_in_flight.saturating_mul(PLACES_PER_LEG),
        large: cf.large_legs_in_flight,
    };
    let in_flight = usize::try_from(cf.legs_in_flight).unwrap_or(Semaphore::MAX_PERMITS);
    let in_flight = Arc::new(Semaphore::new(in_flight.min(Semaphore::MAX_PERMITS)));
    let mut legs = edge.storage.fan_out(places.pager, places.large);
    let mut looks = tokio::time::interval(LOOK_AT_HOP);
    loop {
        tokio::select! {
            () = edge.draining.cancelled() => return legs,
            leg = legs.next() => match leg {
                Some(leg) => {
                    let taken = take(Arc::clone(&edge), leg, Arc::clone(&in_flight));
                    drop(tasks.spawn(taken));
                }
                None => return legs,
            },
            _ = looks.tick() => offer(&edge, &legs, places),
        }
    }
}

/// How many legs of each kind the store is offered places for.
#[derive(Clone, Copy)]
struct Places {
    pager: u32,
    large: u32,
}

/// No places while the next hop is paused: a leg that is not handed out waits in the store, and another edge may have
/// another hop.
fn offer(edge: &Edge, legs: &FanOutLegs, places: Places) {
    let is_paused = edge.next_hop.as_ref().and_then(NextHop::pause).is_some();
    match is_paused {
        true => legs.resize(0, 0),
        false => legs.resize(places.pager, places.large),
    }
}

async fn take(edge: Arc<Edge>, leg: Leg, in_flight: Arc<Semaphore>) {
    let Some(store) = edge.storage.store() else {
        // Legs come from a store that has said who it is; this one comes back when it has.
        return leg.settle(LegOutcome::Returned);
    };
    let entry = leg.entry.clone();
    let written = std::str::from_utf8(&entry.variation);
    let target = written.ok().filter(|written| !written.is_empty());
    let copy = copies::Leg {
        job: leg.job.job,
        index: leg.claim.index,
        target: target.unwrap_or(&entry.target),
        host: &store.hostname,
    };
    match leg.job.class {
        JobClass::Pager => match turn(&edge, &leg, &in_flight).await {
            Some(_turn) => pager(&edge, leg, &copy).await,
            None => settle(leg, LegOutcome::Returned),
        },
        JobClass::Large => Box::pin(large::send(&edge, leg, &copy)).await,
    }
}

/// Waits until fewer copies than the most are on their way. `None` if this one shall not be sent any more.
async fn turn<'a>(edge: &Edge, leg: &Leg, in_flight: &'a Semaphore) -> Option<SemaphorePermit<'a>> {
    if let Ok(turn) = in_flight.try_acquire() {
        return Some(turn);
    }
    tokio::select! {
        turn = in_flight.acquire() => turn.ok(),
        () = edge.draining.cancelled() => None,
        () = leg.cancelled() => None,
        () = leg.lost() => None,
    }
}

async fn pager(edge: &Edge, leg: Leg, copy: &copies::Leg<'_>) {
    let template = copies::Template::from(&leg.job.template);
    let outcome = tokio::select! {
        outcome = send::send(edge, copy, &template) => outcome,
        // Somebody else sends it: what came of this try is not ours to tell.
        () = leg.lost() => return,
    };
    settle(leg, outcome);
}

/// Tells what came of a try.
fn settle(leg: Leg, outcome: LegOutcome) {
    metrics::leg_tried(&outcome);
    event::leg_tried(leg.claim, &outcome);
    leg.settle(outcome);
}
