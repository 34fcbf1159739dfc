//! Delivery reports out: what the store has to tell the senders of messages, each a MESSAGE (IMD rows).
//!
//! The store makes them, says when each is due, and keeps them until they have arrived; this edge sends those it claims,
//! and tells what came of it. A try that dies with the edge is made again, with the same octets.

mod message;

use std::sync::Arc;
use std::time::Duration;

use edge::attempt::{attempt, unreached};
use edge::next_hop::NextHop;
use edge::way::Way;
use edge::{now, status};
use sip::{Aor, HostPort, Name, Request, Transport, Via, token};
use storage_client::fan_out::LegOutcome;
use storage_client::report::Report;
use storage_client::{DepositAnswer, StoreIdentity};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

use crate::edge::Edge;
use crate::ingress::{Leave, online, pager_mode, refusal_of};
use crate::{event, metrics};

/// How soon the store is asked again that has not answered, and how often it is looked whether the next hop takes requests
/// again.
const AGAIN: Duration = Duration::from_secs(1);
/// Reports of one claim.
const CLAIM: usize = 64;

/// Sends reports until the edge drains, a bounded number at a time.
pub(crate) async fn serve(edge: Arc<Edge>, tasks: TaskTracker) {
    let serving = async {
        let in_flight = edge.config.reports.in_flight;
        let places = Arc::new(Semaphore::new(usize::try_from(in_flight).unwrap_or(CLAIM)));
        loop {
            if let Err(pause) = claim(&edge, &places, &tasks).await {
                sleep(pause).await;
            }
        }
    };
    tokio::select! {
        () = edge.draining.cancelled() => {}
        () = serving => {}
    }
}

/// One claim, and a task for each report of it.
///
/// # Errors
/// How long nothing is to be claimed.
async fn claim(
    edge: &Arc<Edge>,
    places: &Arc<Semaphore>,
    tasks: &TaskTracker,
) -> Result<(), Duration> {
    // What is not claimed waits in the store, and another edge may have another hop.
    if let Some(pause) = edge.next_hop.as_ref().and_then(NextHop::pause) {
        return Err(pause.min(AGAIN));
    }
    let store = edge.storage.store().ok_or(AGAIN)?;
    let first = places.acquire().await.map_err(|_| AGAIN)?;
    let free = (places.available_permits() + 1).min(CLAIM);
    let claimed = edge
        .storage
        .claim_reports(u32::try_from(free).unwrap_or(1))
        .await;
    drop(first);
    let claimed = claimed.map_err(|unavailable| {
        event::reports_not_claimed(&unavailable.reason);
        AGAIN
    })?;
    for report in claimed {
        let place = Arc::clone(places)
            .acquire_owned()
            .await
            .map_err(|_| AGAIN)?;
        let (edge, store) = (Arc::clone(edge), store.clone());
        tasks.spawn(async move {
            send(&edge, &store, &report).await;
            drop(place);
        });
    }
    Ok(())
}

/// Sends one and tells the store what came of it; if that is not possible, its claim ends by itself.
async fn send(edge: &Arc<Edge>, store: &StoreIdentity, report: &Report) {
    let outcome = match Route::of(edge, report) {
        Route::Away(way) => away(edge, store, report, &way).await,
        Route::Ours => keep(edge, store, report).await,
        Route::Nowhere => never("the sender has no address"),
    };
    metrics::report_tried(report.status, &outcome);
    event::report_tried(report, &outcome);
    if let Err(unavailable) = edge.storage.settle_report(report, &outcome).await {
        event::report_not_settled(&unavailable.reason);
    }
}

/// Where a report goes.
enum Route {
    /// To the core, or to where its domain is.
    Away(Way),
    /// There is no core, and the sender is a user of ours.
    Ours,
    Nowhere,
}

impl Route {
    fn of(edge: &Edge, report: &Report) -> Self {
        if let Some(way) = Way::to_core(edge) {
            return Self::Away(way);
        }
        let address = report.to.parse().ok().and_then(|uri| Aor::from_uri(&uri));
        match address {
            Some(address) if edge.site.serves(&address) => Self::Ours,
            Some(_) => Way::to_user(edge, &report.to).map_or(Self::Nowhere, Self::Away),
            None => Self::Nowhere,
        }
    }
}

/// To the core, which brings it to the sender, or back to be deferred (IMD-07). Not marked as a delivery: its deferral is wanted
/// (DLV-16).
async fn away(edge: &Edge, store: &StoreIdentity, report: &Report, way: &Way) -> LegOutcome {
    if edge.next_hop.as_ref().and_then(NextHop::pause).is_some() {
        return unreached(edge, "next hop paused");
    }
    let signature = &edge.site.signature;
    let Ok(request) = message::request(report, &way.routes, &store.hostname, signature) else {
        return never("the sender has no address");
    };
    let branch = || token::branch(&mut rand::rng());
    let further = || vec![branch(), branch()];
    attempt(edge, (request, way), (branch(), further), &report.to).await
}

/// As the core would bring it to us: it is stored for the sender, and goes on to his client if he is online (PFM-01, PFM-10).
async fn keep(edge: &Arc<Edge>, store: &StoreIdentity, report: &Report) -> LegOutcome {
    let signature = &edge.site.signature;
    let Ok(request) = message::request(report, &[], &store.hostname, signature) else {
        return never("the sender has no address");
    };
    let request = with_via(edge, store, report, &request);
    let arrival = ("reports of this store".to_owned(), now());
    // It is bounded by what it reports on.
    let leave = Leave {
        sender_exempt: true,
        leg: None,
    };
    let deposit = match pager_mode::read(&request, &edge.site, arrival, |_| Ok(leave)) {
        Ok(pager_mode::Pager::Deposit(deposit)) => deposit,
        Ok(pager_mode::Pager::Composing) => return never("no report"),
        Err(refusal) => return answered(status::status(&refusal).code(), None),
    };
    match edge.storage.deposit(*deposit).await {
        Ok(DepositAnswer::Deposited(proof)) => {
            if let Some(place) = edge.forwards.place(&request, &proof) {
                online::forward(edge, &request, &proof).await;
                drop(place);
            }
            answered(202, None)
        }
        Ok(DepositAnswer::Refused(refused)) => {
            let retry_after = refused.retry_after;
            let status = status::status(&refusal_of(refused)).code();
            answered(status, retry_after)
        }
        Err(unavailable) => LegOutcome::HopDown {
            retry_after: Some(unavailable.retry_after),
            reason: unavailable.reason,
        },
    }
}

/// The request as it would have come, the same in every try.
fn with_via(edge: &Edge, store: &StoreIdentity, report: &Report, request: &Request) -> Request {
    let call_id = message::call_id(report, &store.hostname);
    let branch = format!("z9hG4bK-{}", call_id.replace('@', "-"));
    match edge.sip.sent_by(Transport::Tcp).parse::<HostPort>() {
        Ok(sent_by) => request
            .edit()
            .prepend(Name::Via, Via::new(Transport::Tcp, sent_by, &branch))
            .build(),
        Err(_) => request.clone(),
    }
}

fn answered(status: u16, retry_after: Option<Duration>) -> LegOutcome {
    LegOutcome::Answered {
        status,
        reason: format!("deposit {status}"),
        retry_after,
    }
}

/// No try will do better.
fn never(reason: &str) -> LegOutcome {
    LegOutcome::Answered {
        status: 400,
        reason: reason.to_owned(),
        retry_after: None,
    }
}
