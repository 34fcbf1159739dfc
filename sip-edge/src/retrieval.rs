//! A served user fetches one of his deferred messages (requirements §3.14): an INVITE to its
//! Message-ID with a receiving MSRP offer. The session delivers exactly that message, wrapped as in a
//! push, settles it on its acknowledgement, and ends.
//!
//! 404 alike for what is unknown, gone, held or somebody else's: Message-IDs follow each other.

mod setup;

use std::sync::Arc;

use edge::now;
use edge::open_session::OpenSession;
use edge::reception::setup::Route;
use edge::refuse::Refusal;
use edge::response::answer as response;
use edge::sending::Established;
use net::msrp::{MsrpSession, OpenError, PendingSession};
use net::sip::ServerTransaction;
use sip::{Request, StatusCode, Uri};
use storage_client::ClaimedMessage;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, TakeLimits, TakenMessage};

use crate::delivery::device::Delivery;
use crate::delivery::encapsulate::encapsulate;
use crate::delivery::sending::{Parcel, Sending};
use crate::delivery::session::check;
use crate::edge::Edge;
use crate::event;
use setup::{Agreed, prepare};

/// The message that a request asks for; none if it asks for none of this store. A host whose users
/// are served has users, not messages.
pub(crate) fn message_id(edge: &Edge, request: &Request) -> Option<String> {
    let Ok(Uri::Sip(uri)) = request.uri() else {
        return None;
    };
    let hostname = edge.storage.store()?.hostname;
    let host = uri.host.to_string();
    let number = uri
        .user
        .filter(|user| !user.is_empty() && user.bytes().all(|octet| octet.is_ascii_digit()))?;
    let is_served = edge
        .config
        .common
        .domains
        .iter()
        .any(|domain| domain.eq_ignore_ascii_case(&host));
    let is_ours = host.eq_ignore_ascii_case(&hostname) && !is_served;
    is_ours.then(|| format!("{number}@{hostname}"))
}

/// Serves an INVITE that passed the checks of §1.20. The session goes on by itself.
///
/// # Errors
/// Why there is none; the INVITE is not answered yet.
pub(crate) async fn invite(
    edge: &Arc<Edge>,
    transaction: ServerTransaction,
    message_id: &str,
) -> Result<(), (ServerTransaction, Refusal)> {
    let prepared = tokio::select! {
        biased;
        () = transaction.cancelled() => {
            cancelled(edge, &transaction);
            return Ok(());
        }
        prepared = Box::pin(prepare(edge, &transaction)) => prepared,
    };
    let prepared = match prepared {
        Ok(prepared) => prepared,
        Err(refusal) => return Err((transaction, refusal)),
    };
    let fetch = match prepared.claim(edge, message_id).await {
        Ok(fetch) => fetch,
        Err(refusal) => return Err((transaction, refusal)),
    };
    if transaction.is_cancelled() {
        cancelled(edge, &transaction);
        let outcome = DeliveryOutcome::new(DeliveryResult::Broken, "the fetch was cancelled");
        give_back(edge, &fetch, message_id, outcome).await;
        return Ok(());
    }
    let agreed = prepared.agree(edge, &transaction, fetch, message_id);
    let session = Box::pin(run(Arc::clone(edge), transaction, agreed));
    edge.receptions.tasks.spawn(session);
    Ok(())
}

/// ERR-20.
fn cancelled(edge: &Edge, transaction: &ServerTransaction) {
    let (request, status) = (transaction.request(), StatusCode::REQUEST_TERMINATED);
    transaction.respond(response(request, status, &edge.site.signature, now()).build());
}

/// Delivers the message and gives the mailbox back, whatever happens.
async fn run(edge: Arc<Edge>, invite: ServerTransaction, agreed: Agreed) {
    let Agreed {
        mut call,
        mut requests,
        pending,
        route,
        terms,
        fetch,
        message_id,
        place: _place,
    } = agreed;
    let acknowledged = requests.acknowledged();
    let connecting = async {
        tokio::select! {
            () = invite.unacknowledged() => None,
            () = edge.draining.cancelled() => None,
            () = fetch.job.lost() => None,
            session = connect(&edge, pending, route, acknowledged.cancelled()) => session.ok(),
        }
    };
    let connected = call.serve_amid(&edge, &mut requests, connecting).await;
    let Ok(Some(session)) = connected else {
        let outcome = DeliveryOutcome::new(DeliveryResult::Broken, "no session for a fetch");
        give_back(&edge, &fetch, &message_id, outcome).await;
        if connected.is_ok() {
            call.bye_when_acknowledged(&edge, &mut requests, &invite, None)
                .await;
        }
        return;
    };
    let _open = OpenSession::outgoing();
    let established = Established {
        call,
        requests,
        session,
        terms,
    };
    let mut sending = Sending::new(&edge, Delivery::of(&fetch.job), established);
    let outcome = deliver(&edge, &fetch, &message_id, &mut sending).await;
    // Before the BYE, so that who fetches the next one then finds the mailbox free.
    give_back(&edge, &fetch, &message_id, outcome).await;
    sending.close().await;
}

/// Nothing beyond the message was looked for: whatever waits is for the next push.
async fn give_back(
    edge: &Edge,
    fetch: &ClaimedMessage,
    message_id: &str,
    outcome: DeliveryOutcome,
) {
    event::fetch_ended(&fetch.job.served_user, message_id, &outcome);
    let released = edge.storage.release(fetch.job.claim, u64::MAX, outcome);
    if let Err(unavailable) = released.await {
        event::release_failed(&unavailable.reason);
    }
}

/// The MSRP session, once the client has our answer.
async fn connect(
    edge: &Edge,
    pending: PendingSession,
    route: Route,
    acknowledged: impl Future<Output = ()>,
) -> Result<MsrpSession, OpenError> {
    let wait = edge.config.msrp.connect_timeout;
    let Some(address) = route.connect_to else {
        // The ACK may be lost where the connection is not.
        return pending
            .accept(route.peer_path, setup::ACK_PATIENCE + wait)
            .await;
    };
    acknowledged.await;
    pending
        .connect_to(address, route.peer_path, &route.signalling_peer, wait)
        .await
}

async fn deliver(
    edge: &Edge,
    fetch: &ClaimedMessage,
    message_id: &str,
    sending: &mut Sending<'_>,
) -> DeliveryOutcome {
    let Some(taken) = taken(edge, fetch, message_id).await else {
        return skipped(message_id, "gone");
    };
    match prepared(&taken, sending) {
        Ok(parcel) => sending.send(&taken.message, parcel).await,
        Err(reason) => return skipped(message_id, reason),
    }
    while !sending.is_idle() {
        sending.step().await;
    }
    sending
        .take_ending()
        .unwrap_or_else(DeliveryOutcome::completed)
}

fn skipped(message_id: &str, reason: &'static str) -> DeliveryOutcome {
    event::message_skipped(message_id, reason);
    DeliveryOutcome::new(DeliveryResult::Unsupported, reason)
}

/// The message that was asked for, and no other.
async fn taken(edge: &Edge, fetch: &ClaimedMessage, message_id: &str) -> Option<TakenMessage> {
    let limits = TakeLimits {
        messages: 1,
        ..TakeLimits::default()
    };
    let before = fetch.sequence.saturating_sub(1);
    let taken = edge.storage.take(fetch.job.claim, before, limits).await;
    let taken = taken.ok()?.messages.into_iter().next()?;
    Some(taken).filter(|taken| taken.message.message_id == message_id)
}

fn prepared(taken: &TakenMessage, sending: &Sending<'_>) -> Result<Parcel, &'static str> {
    let message = encapsulate(taken, &mut rand::rng()).map_err(|_| "not pushable")?;
    check(sending.terms(), &message)?;
    Ok(Parcel {
        content_type: message.content_type,
        headers: Vec::new(),
        content: message.content,
    })
}
