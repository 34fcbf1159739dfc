//! Copies out: this edge offers places to the store, gets legs, sends each and tells what came of it. What follows from an
//! answer the store decides (CFP-18).

mod large;
mod send;

use std::sync::Arc;
use std::time::Duration;

use edge::next_hop::NextHop;
use storage_client::fan_out::{FanOutLegs, JobClass, Leg, LegOutcome};
use tokio_util::task::TaskTracker;

use crate::copies;
use crate::edge::Edge;
use crate::{event, metrics};

/// How often it is looked whether the next hop takes requests again, and whether it still does.
const LOOK_AT_HOP: Duration = Duration::from_millis(200);

/// Sends legs until the edge drains. As many are on their way at a time as the store was offered places.
pub(crate) async fn serve(edge: Arc<Edge>, tasks: TaskTracker) {
    let places = Places {
        pager: edge.config.cf.legs_in_flight,
        large: edge.config.cf.large_legs_in_flight,
    };
    let mut legs = edge.storage.fan_out(places.pager, places.large);
    let mut looks = tokio::time::interval(LOOK_AT_HOP);
    loop {
        tokio::select! {
            () = edge.draining.cancelled() => return,
            leg = legs.next() => match leg {
                Some(leg) => drop(tasks.spawn(take(Arc::clone(&edge), leg))),
                None => return,
            },
            _ = looks.tick() => offer(&edge, &legs, places),
        }
    }
}

/// How many legs of each kind are on their way at a time.
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

async fn take(edge: Arc<Edge>, leg: Leg) {
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
        JobClass::Pager => pager(&edge, leg, &copy).await,
        JobClass::Large => Box::pin(large::send(&edge, leg, &copy)).await,
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

fn hop_down(reason: impl Into<String>, hop: Option<&NextHop>) -> LegOutcome {
    LegOutcome::HopDown {
        reason: reason.into(),
        retry_after: hop.and_then(NextHop::pause),
    }
}
