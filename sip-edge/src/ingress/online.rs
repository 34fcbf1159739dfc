//! A MESSAGE whose user is online (PFM-01): once it is on disk it goes on to his client, as through a
//! stateful proxy (RFC 3261 §16), and what the client says settles it.
//!
//! It goes under a claim of the mailbox, like a push: nobody else delivers the message meanwhile, and if
//! this edge dies the lease runs out and the message is delivered by a push.

use std::sync::Arc;

use sip::{Name, NameAddr, Request, Response, Transport};
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement};
use storage_client::registration::{Binding, RegistrationKind};
use storage_client::{ClaimedMessage, Deposited, PushJob};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::forward::{behind, hops_left, routed};
use crate::delivery::encapsulate::is_core_only;
use crate::delivery::is_private;
use crate::delivery::outcome::{MessageEnd, of_message};
use crate::delivery::way::{Way, to_uri, way};
use crate::edge::Edge;
use crate::{event, metrics};

/// Forwards under way at a time: what finds no place waits for its push.
const AT_A_TIME: usize = 1_024;

/// The forwards of one edge.
#[derive(Debug)]
pub(crate) struct Forwards(Option<Arc<Semaphore>>);

impl Forwards {
    /// Nothing is forwarded unless `is_on`.
    pub(crate) fn new(is_on: bool) -> Self {
        Self(is_on.then(|| Arc::new(Semaphore::new(AT_A_TIME))))
    }

    /// A place for a message that is on disk, if it may be forwarded.
    pub(crate) fn place(
        &self,
        request: &Request,
        proof: &Deposited,
    ) -> Option<OwnedSemaphorePermit> {
        let places = self.0.as_ref()?;
        let may_be = proof.registered() && !is_said_offline(request);
        let place = || Arc::clone(places).try_acquire_owned().ok();
        may_be.then(place).flatten()
    }
}

/// Whether the core says that the user is not registered.
fn is_said_offline(request: &Request) -> bool {
    let served = request.headers().served_user();
    served.is_ok_and(|served| served.is_some_and(|served| served.registered == Some(false)))
}

/// Forwards a message and settles it by the answer: a 2xx or 6xx of the client, to be relayed. With
/// `None` the message stays stored. To be run to its end, whether its sender still waits or not.
pub(crate) async fn forward(
    edge: &Arc<Edge>,
    request: &Request,
    proof: &Deposited,
) -> Option<Response> {
    let claimed = match edge.storage.claim_forward(proof).await {
        Ok(claimed) => claimed?,
        Err(unavailable) => {
            event::forward_ended(proof, &unavailable.reason);
            return None;
        }
    };
    let (answer, outcome) = match send(edge, request, &claimed).await {
        Ok((response, is_core)) => settle(edge, proof, &claimed, response, is_core).await,
        Err(outcome) => (None, outcome),
    };
    metrics::forwarded(&outcome);
    event::forward_ended(proof, &outcome.reason);
    // What has come since waits for the push that its deposit has planned (DLV-17).
    let whatever_waits = u64::MAX;
    let released = edge
        .storage
        .release(claimed.job.claim, whatever_waits, outcome);
    if let Err(unavailable) = released.await {
        event::release_failed(&unavailable.reason);
    }
    answer
}

/// Sends the request on; the final response, and whether a core stands between.
///
/// # Errors
/// Why there is none.
async fn send(
    edge: &Arc<Edge>,
    request: &Request,
    claimed: &ClaimedMessage,
) -> Result<(Response, bool), DeliveryOutcome> {
    let job = &claimed.job;
    let onward = onward(edge, request, job).ok_or_else(|| unavailable("not to be forwarded"))?;
    onward.way.admit(edge)?;
    let call_id = request.headers().call_id().unwrap_or_default().into_owned();
    let branch = edge.marked_branch(&call_id);
    let branch = branch.ok_or_else(|| interrupted("store unknown"))?;
    if !job.begin(claimed.sequence) {
        return Err(unavailable("withdrawn"));
    }
    let is_core = onward.way.is_core;
    let sent = onward
        .way
        .send(edge, onward.request, branch, &job.served_user);
    let sent = tokio::select! {
        sent = sent => sent,
        () = job.lost() => return Err(interrupted("claim lost")),
        () = edge.draining.cancelled() => {
            return Err(DeliveryOutcome::new(DeliveryResult::EdgeDraining, "edge drains"));
        }
    };
    sent.map(|response| (response, is_core))
        .map_err(|end| over(end, is_core))
}

/// Tells the store what the client said of the message.
async fn settle(
    edge: &Edge,
    proof: &Deposited,
    claimed: &ClaimedMessage,
    response: Response,
    is_core: bool,
) -> (Option<Response>, DeliveryOutcome) {
    let end = MessageEnd::of(&response);
    let settlement = of_message(end, is_core).settlement;
    // Not even a refusal as such counts: a push may offer it in another way.
    let Some(settlement) = settlement.filter(|s| !matches!(s, Settlement::Failed { .. })) else {
        return (None, over(end, is_core));
    };
    let storage = &edge.storage;
    let told = storage.acknowledge(claimed.job.claim, proof.message_id(), settlement);
    let outcome = match told.await {
        Ok(_) => DeliveryOutcome::completed(),
        // The client has it all the same; it will be delivered once more (P4).
        Err(unavailable) => DeliveryOutcome::new(DeliveryResult::Interrupted, unavailable.reason),
    };
    (Some(response), outcome)
}

fn over(end: MessageEnd, is_core: bool) -> DeliveryOutcome {
    let reason = match end {
        MessageEnd::Status { status, .. } => format!("MESSAGE {status}"),
        MessageEnd::NoAnswer | MessageEnd::Unreachable => String::new(),
    };
    let ending = of_message(end, is_core).ending;
    ending.unwrap_or_else(|| unavailable(&reason))
}

fn interrupted(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Interrupted, reason)
}

fn unavailable(reason: &str) -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Unavailable, reason)
}

/// The request as it goes on, and where to.
struct Onward {
    request: Request,
    way: Way,
}

/// By the Route that the core has put behind ours, else as a delivery would go; `None` if it may not go
/// on.
fn onward(edge: &Edge, request: &Request, job: &PushJob) -> Option<Onward> {
    let hops = hops_left(request).ok()??;
    // What proxies on the way are to understand, a push does not need (RFC 3261 §16.3 (5)).
    if request.headers().first(Name::ProxyRequire).is_some() {
        return None;
    }
    let routes = request.headers().routes().ok()?;
    let behind = behind(&routes, &edge.site);
    let (way, routes) = match behind.first() {
        Some(next) => (to_uri(edge, next.uri.clone()), behind.to_vec()),
        None => {
            let bindings: Vec<&Binding> = job.bindings.iter().collect();
            let way = way(edge, &bindings)?;
            let routes = way.routes.iter().map(|route| route.parse().ok());
            let routes = routes.collect::<Option<Vec<NameAddr>>>()?;
            (way, routes)
        }
    };
    if is_secure(request) && way.transport != Transport::Tls {
        return None;
    }
    let is_for_core = way.is_core || !behind.is_empty();
    let request = match is_for_core {
        true => request.clone(),
        false => for_client(request, way.binding.as_ref()?)?,
    };
    Some(Onward {
        request: routed(&request, &routes, hops),
        way,
    })
}

/// Whether every hop must be secured (RFC 3261 §26.2.2).
fn is_secure(request: &Request) -> bool {
    let uri = request.request_uri();
    uri.is_ok_and(|uri| uri.as_sip().is_some_and(|uri| uri.secure))
}

/// As a client gets it that no core stands before: without what only hops of our trust domain tell each
/// other (RFC 3325 §5, requirements §3.8). `None` if the sender wants privacy: what names him is not left
/// out here, but by the push (requirements §3.7).
fn for_client(request: &Request, binding: &Binding) -> Option<Request> {
    if is_private(&request.headers().privacy().join(";")) {
        return None;
    }
    let editor = request
        .edit()
        .retain(|field| !is_core_only(&field))
        .remove(Name::PAssertedIdentity);
    Some(match binding.kind {
        RegistrationKind::Direct => editor.set_uri(&binding.contact).build(),
        RegistrationKind::ThirdParty | RegistrationKind::Copied => editor.build(),
    })
}
