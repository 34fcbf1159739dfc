//! SUBSCRIBE: read, made durable, answered; the NOTIFY follows (RFC 6665 §4.2.1).

use std::time::{Duration, Instant};

use net::sip::{ServerTransaction, Source};
use sip::dialog::SavedDialog;
use sip::{Host, Name, Response, StatusCode, Transport, Uri};
use storage_client::SubscribeError;
use storage_client::subscription::{
    Subscribe, SubscriptionDialog, WaitingMailbox, WaitingQuestion,
};

use super::request::{Asked, read};
use crate::edge::Edge;
use crate::metrics;
use edge::refuse::Refusal;
use edge::{now, response};

/// Answers a SUBSCRIBE, new or within its dialog.
///
/// # Errors
/// With the row that refuses it.
pub(crate) async fn subscribe(
    edge: &Edge,
    transaction: &ServerTransaction,
) -> Result<Response, Refusal> {
    let request = transaction.request();
    let source = transaction.source();
    let is_secure = request.uri().is_ok_and(|uri| is_sips(&uri));
    let contact = contact(edge, source.transport, is_secure);
    let uri: Uri = contact.parse().map_err(|_| Refusal::Overloaded)?;
    let new_tag = sip::token::tag(&mut rand::rng());
    let asked = read(request, &edge.site, &edge.config.mwi, &new_tag, uri)?;
    if edge.draining.is_cancelled() {
        return Err(Refusal::Overloaded);
    }
    let tag = asked.dialog.local_tag.clone();
    let lifetime = asked.lifetime;
    accept(edge, source, asked).await?;
    metrics::subscribed();
    Ok(
        response::answer(request, StatusCode::OK, &edge.site.signature, now())
            .to_tag(&tag)
            .header(Name::Contact, format_args!("<{contact}>;automata"))
            .header(Name::Expires, lifetime.as_secs())
            .build(),
    )
}

async fn accept(edge: &Edge, source: &Source, asked: Asked) -> Result<(), Refusal> {
    let is_trusted = returns_by_peer(&asked.dialog, source);
    // Without a core the client is reached as it has come, behind whatever translates its address.
    let is_direct = edge.site.next_hop.is_none() && asked.dialog.routes.is_empty();
    let flow = Some(&source.flow).filter(|_| is_direct);
    let flow = flow.and_then(|flow| edge.flows.remember(flow));
    {
        let table = edge.waiting.lock();
        let is_new = table.get(&asked.dialog.local_tag).is_none();
        if is_new && table.len() >= edge.config.mwi.capacity() {
            return Err(Refusal::Overloaded);
        }
    }
    if !asked.refreshes && asked.lifetime.is_zero() {
        return fetch(edge, asked, is_trusted, flow).await;
    }
    let tag = asked.dialog.local_tag.clone();
    let owned = edge.storage.subscribe(stored(asked, is_trusted)).await;
    let owned = owned.map_err(refusal)?;
    edge.waiting.update(|table| {
        table.adopt(owned, Instant::now());
        table.set_flow(&tag, flow);
        metrics::subscriptions(table.len());
    });
    Ok(())
}

/// A subscription that ends with its first NOTIFY is not stored; its owner is asked for here.
async fn fetch(
    edge: &Edge,
    asked: Asked,
    is_trusted: bool,
    flow: Option<String>,
) -> Result<(), Refusal> {
    if asked.subscriber != asked.address {
        let question = |address: &String| WaitingQuestion {
            mailbox: WaitingMailbox::Address(address.clone()),
            after_sequence: 0,
            max_messages: 0,
        };
        let questions = vec![question(&asked.subscriber), question(&asked.address)];
        let answers = edge.storage.waiting(questions).await;
        let answers =
            answers.map_err(|unavailable| Refusal::Unavailable(Some(unavailable.retry_after)))?;
        match &answers[..] {
            [own, wanted] if own.mailbox == wanted.mailbox && own.mailbox.is_some() => {}
            _ => return Err(Refusal::NotOwner),
        }
    }
    edge.waiting.update(|table| {
        let tag = asked.dialog.local_tag.clone();
        table.fetch(
            &asked.address,
            &asked.event_id,
            asked.dialog,
            is_trusted,
            Instant::now(),
        );
        table.set_flow(&tag, flow);
    });
    Ok(())
}

fn stored(asked: Asked, is_trusted: bool) -> Subscribe {
    let dialog = asked.dialog;
    Subscribe {
        address: asked.address,
        subscriber: asked.subscriber,
        local_tag: dialog.local_tag,
        refreshes: asked.refreshes,
        dialog: SubscriptionDialog {
            call_id: dialog.call_id,
            remote_tag: dialog.remote_tag,
            local: dialog.local,
            remote: dialog.remote,
            target: dialog.target,
            routes: dialog.routes,
            remote_cseq: asked.remote_cseq,
        },
        event_id: asked.event_id,
        is_trusted,
        lifetime: asked.lifetime,
    }
}

/// Whether a NOTIFY goes back by the trusted peer that handed the SUBSCRIBE over: by the proxy that has
/// recorded its route, or to the client at the peer's own address (MWI-05).
fn returns_by_peer(dialog: &SavedDialog, source: &Source) -> bool {
    if !dialog.routes.is_empty() {
        return true;
    }
    let target = dialog.target.parse::<Uri>();
    let host = target.ok().and_then(|uri| Some(uri.as_sip()?.host.clone()));
    host == Some(Host::from(source.remote.ip()))
}

/// Whether a URI asks for TLS on every hop.
pub(super) fn is_sips(uri: &Uri) -> bool {
    uri.as_sip().is_some_and(|uri| uri.secure)
}

/// Our Contact over a transport, or that of all edges (MWI-10); a sips URI for those who are reached by one
/// (RFC 3261 §12.1.1).
pub(super) fn contact(edge: &Edge, transport: Transport, is_secure: bool) -> String {
    let shared = edge.config.sip.contact.clone();
    let sent_by = shared.unwrap_or_else(|| edge.sip.sent_by(transport));
    edge.site.signature.contact(&sent_by, transport, is_secure)
}

fn refusal(error: SubscribeError) -> Refusal {
    match error {
        SubscribeError::OutOfOrder => Refusal::OutOfOrder,
        SubscribeError::TooMany => Refusal::SenderLimit(Some(RETRY_TOO_MANY)),
        SubscribeError::UnknownUser => Refusal::UserUnknown,
        SubscribeError::NoSubscription => Refusal::NoDialog,
        SubscribeError::NotOwner => Refusal::NotOwner,
        SubscribeError::Unavailable(unavailable) => {
            Refusal::Unavailable(Some(unavailable.retry_after))
        }
        _ => Refusal::Unavailable(None),
    }
}

/// When one of too many subscriptions may have ended.
const RETRY_TOO_MANY: Duration = Duration::from_secs(60);
