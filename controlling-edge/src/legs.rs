//! Copies out: this edge offers places to the store, gets legs, sends each and tells what came of it. What follows from an
//! answer the store decides (CFP-18).

mod send;

use std::sync::Arc;
use std::time::Duration;

use edge::next_hop::NextHop;
use storage_client::fan_out::{FanOutLegs, Leg, LegOutcome};
use tokio_util::task::TaskTracker;

use crate::copies;
use crate::edge::Edge;
use crate::{event, metrics};

/// How often it is looked whether the next hop takes requests again, and whether it still does.
const LOOK_AT_HOP: Duration = Duration::from_millis(200);

/// Sends legs until the edge drains. As many are on their way at a time as the store was offered places.
pub(crate) async fn serve(edge: Arc<Edge>, tasks: TaskTracker) {
    let places = edge.config.cf.legs_in_flight;
    let mut legs = edge.storage.fan_out(places, 0);
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

/// No places while the next hop is paused: a leg that is not handed out waits in the store, and another edge may have
/// another hop.
fn offer(edge: &Edge, legs: &FanOutLegs, places: u32) {
    let is_paused = edge.next_hop.as_ref().and_then(NextHop::pause).is_some();
    legs.resize(if is_paused { 0 } else { places }, 0);
}

async fn take(edge: Arc<Edge>, leg: Leg) {
    let Some(store) = edge.storage.store() else {
        // Legs come from a store that has said who it is; this one comes back when it has.
        return leg.settle(LegOutcome::Returned);
    };
    let written = std::str::from_utf8(&leg.entry.variation);
    let target = written.ok().filter(|written| !written.is_empty());
    let copy = copies::Leg {
        job: leg.job.job,
        index: leg.claim.index,
        target: target.unwrap_or(&leg.entry.target),
        host: &store.hostname,
    };
    let template = copies::Template::from(&leg.job.template);
    let outcome = tokio::select! {
        outcome = send::send(&edge, &copy, &template) => outcome,
        // Somebody else sends it: what came of this try is not ours to tell.
        () = leg.lost() => return,
    };
    metrics::leg_tried(&outcome);
    event::leg_tried(leg.claim, &outcome);
    leg.settle(outcome);
}
