//! NOTIFYs: made of what the store says now, sent, and followed to their answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use net::sip::{ClientTransaction, SendError, Target, TransactionFailure};
use sip::dialog::Dialog;
use sip::message_summary::{MEDIA_TYPE, MessageSummary};
use sip::subscription::{Due, EndReason, Outcome, Polled, SubscriptionState, Verdict};
use sip::{Method, Name, Request, Transport, Uri};
use storage_client::subscription::Waiting;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::document::{BLOCKS_MAX, summary};
use super::request::PACKAGE;
use super::subscribe::{contact, is_sips};
use super::table::{Held, Tag, name};
use crate::config::InitialHeaders;
use crate::edge::Edge;
use crate::{event, metrics};
use edge::now;
use edge::response::sip_date;
use edge::way::asked_transport;

/// Hops a request of ours may take (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: u8 = 70;

/// Octets of a request, our Via included, that may go over UDP (RFC 3261 §18.1.1).
const SAFE_OCTETS: usize = 1_300;
const VIA_OCTETS: usize = 160;

/// How long the last answer is waited for.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// A NOTIFY to be sent.
struct Notification {
    tag: Tag,
    due: Due,
    dialog: Dialog,
    event: String,
    document: MessageSummary,
    flow: Option<Box<str>>,
    mailbox: Option<u64>,
    epoch: u32,
}

/// What came of looking at one subscription.
enum Made {
    Nothing,
    Send(Box<Notification>),
    Renumber(u64),
    /// It cannot be notified at all.
    Broken,
}

/// Makes and sends the NOTIFYs of a batch.
pub(super) async fn send(edge: &Arc<Edge>, batch: Vec<Tag>, tasks: &TaskTracker) {
    let omits = edge.config.mwi.initial_headers == InitialHeaders::Omit;
    // An empty mailbox has version 0 also after it was told.
    let is_first = |held: &Held| held.told.version == 0 && held.shown.is_none();
    let messages = |held: &Held| match omits && is_first(held) {
        true => 0,
        false => BLOCKS_MAX,
    };
    let (batch, questions) = {
        let table = edge.waiting.lock();
        let batch: Vec<_> = batch
            .into_iter()
            .filter(|tag| table.get(tag).is_some())
            .collect();
        let questions = table.questions(&batch, messages);
        (batch, questions)
    };
    if batch.is_empty() {
        return;
    }
    let Ok(answers) = edge.storage.waiting(questions).await else {
        let postponed = |table: &mut super::Table| table.postpone(&batch, Instant::now());
        return edge.waiting.update(postponed);
    };
    for (tag, waiting) in batch.into_iter().zip(answers) {
        let made = edge.waiting.update(|table| {
            let made = table.serve(&tag, |held| make(edge, &tag, held, &waiting));
            if matches!(made, Some(Made::Send(_))) {
                table.told(&tag);
            }
            made
        });
        match made {
            None | Some(Made::Nothing) => {}
            Some(Made::Send(notification)) => {
                let edge = Arc::clone(edge);
                tasks.spawn(async move { deliver(&edge, *notification).await });
            }
            Some(Made::Renumber(mailbox)) => renumber(edge, &tag, mailbox).await,
            Some(Made::Broken) => edge.waiting.update(|table| table.forget(&tag)),
        }
    }
}

/// Decides whether a NOTIFY leaves, and what it says.
fn make(edge: &Edge, tag: &Tag, held: &mut Held, waiting: &Waiting) -> Made {
    if waiting.is_gone && held.mailbox.is_some() {
        held.notifier.end(EndReason::NoResource);
    }
    let due = match held.notifier.poll(Instant::now()) {
        Polled::Send(due) => due,
        Polled::Idle(_) => return Made::Nothing,
        Polled::EpochSpent => return held.mailbox.map_or(Made::Broken, Made::Renumber),
    };
    let is_final = matches!(due.state, SubscriptionState::Terminated(_));
    let is_same = held.shown == Some(waiting.counts) && waiting.messages.is_empty();
    if is_same && !due.is_owed && !held.remind {
        held.notifier.not_needed();
        held.told = waiting.state;
        return Made::Nothing;
    }
    let Ok(dialog) = held.dialog.restore(due.cseq - 1) else {
        return Made::Broken;
    };
    // The last word is the counts (requirements §2.5), unless it is the only one.
    let has_blocks = !is_final || held.mailbox.is_none();
    let messages = if has_blocks {
        &waiting.messages[..]
    } else {
        &[]
    };
    let document = summary(
        &held.address,
        &waiting.counts,
        messages,
        held.is_trusted,
        &edge.config.mwi,
    );
    held.told = waiting.state;
    held.shown = Some(waiting.counts);
    held.remind = false;
    let id = Some(&held.event_id).filter(|id| !id.is_empty());
    Made::Send(Box::new(Notification {
        tag: Arc::clone(tag),
        due,
        dialog,
        event: id.map_or_else(|| PACKAGE.to_owned(), |id| format!("{PACKAGE};id={id}")),
        document,
        flow: held.flow.clone(),
        mailbox: held.mailbox,
        epoch: held.notifier.epoch(),
    }))
}

/// The numbers of an epoch are used up, once in 65,535 NOTIFYs.
async fn renumber(edge: &Edge, tag: &Tag, mailbox: u64) {
    match edge.storage.renumber(name(mailbox, tag)).await {
        Ok(Some(owned)) => {
            edge.waiting
                .update(|table| table.adopt(owned, Instant::now()));
        }
        // It is gone, or there is no epoch left: its subscriber finds out by its next refresh.
        Ok(None) => edge.waiting.update(|table| table.forget(tag)),
        Err(unavailable) => {
            event::subscription_not_renumbered(&unavailable.reason);
            let batch = [Arc::clone(tag)];
            edge.waiting
                .update(|table| table.postpone(&batch, Instant::now()));
        }
    }
}

/// Sends a NOTIFY and draws the consequences.
async fn deliver(edge: &Edge, mut notification: Notification) {
    let is_final = matches!(notification.due.state, SubscriptionState::Terminated(_));
    let outcome = match transmit(edge, &mut notification).await {
        Ok(transaction) if is_final => {
            // Repeated by the transaction layer meanwhile; what the answer is changes nothing.
            let _ = timeout(LAST_ANSWER, outcome(transaction)).await;
            metrics::notified("last");
            return end(edge, &notification).await;
        }
        Ok(transaction) => outcome(transaction).await,
        Err(_) if is_final => return end(edge, &notification).await,
        Err(_) => Outcome::NotSent,
    };
    metrics::notified(match outcome {
        Outcome::Status(status) if status.is_success() => "ok",
        Outcome::Status(_) => "refused",
        Outcome::NoAnswer => "no_answer",
        Outcome::NotSent => "not_sent",
    });
    let cseq = notification.due.cseq;
    let verdict = edge
        .waiting
        .update(|table| table.ended(&notification.tag, cseq, outcome, Instant::now()));
    if verdict == Verdict::Over {
        event::subscription_removed(&notification.document.account.clone().unwrap_or_default());
        end(edge, &notification).await;
    }
}

async fn end(edge: &Edge, notification: &Notification) {
    if let Some(mailbox) = notification.mailbox {
        let name = name(mailbox, &notification.tag);
        let ended = edge.storage.unsubscribe(name, notification.epoch).await;
        if let Err(unavailable) = ended {
            // The store forgets it a minute after its time.
            event::subscription_not_ended(&unavailable.reason);
        }
    }
    edge.waiting.update(|table| {
        table.forget(&notification.tag);
        metrics::subscriptions(table.len());
    });
}

async fn outcome(mut transaction: ClientTransaction) -> Outcome {
    while let Some(answer) = transaction.next().await {
        match answer {
            Ok(response) if response.status().is_final() => {
                return Outcome::Status(response.status());
            }
            Ok(_) => {}
            Err(TransactionFailure::Timeout) => return Outcome::NoAnswer,
            Err(_) => return Outcome::NotSent,
        }
    }
    Outcome::NotSent
}

/// A document that finds no way because it is large is sent with its counts alone.
async fn transmit(
    edge: &Edge,
    notification: &mut Notification,
) -> Result<ClientTransaction, SendError> {
    let flow = notification.flow.as_deref();
    let flow = flow.and_then(|flow| edge.flows.find(flow));
    let next_hop = notification.dialog.next_hop().clone();
    let transport = match &flow {
        Some(flow) => flow.transport(),
        None => asked_transport(&next_hop).unwrap_or_else(|| first_transport(edge)),
    };
    let request = request(edge, notification, transport);
    let is_large = request.as_bytes().len() + VIA_OCTETS > SAFE_OCTETS;
    let target = match flow {
        Some(flow) if !is_large || flow.transport().is_reliable() => Target::Flow(flow),
        _ if is_large => Target::Uri(for_large(next_hop.clone())),
        _ => Target::Uri(next_hop.clone()),
    };
    let branch = sip::token::branch(&mut rand::rng());
    match edge.sip.request(request, &target, branch).await {
        Err(_) if is_large && !notification.document.blocks.is_empty() => {}
        sent => return sent,
    }
    notification.document.blocks.clear();
    let request = self::request(edge, notification, transport);
    let branch = sip::token::branch(&mut rand::rng());
    let target = Target::Uri(next_hop);
    edge.sip.request(request, &target, branch).await
}

/// The URI without its wish for UDP, which a large request must not follow.
fn for_large(mut uri: Uri) -> Uri {
    if let Uri::Sip(sip) = &mut uri
        && sip.transport() == Some(Transport::Udp)
    {
        sip.params.remove("transport");
    }
    uri
}

fn first_transport(edge: &Edge) -> Transport {
    let listening = edge.sip.local_addresses();
    listening
        .first()
        .map_or(Transport::Udp, |(transport, _)| *transport)
}

fn request(edge: &Edge, notification: &Notification, transport: Transport) -> Request {
    let signature = &edge.site.signature;
    let is_secure = is_sips(notification.dialog.remote_target());
    let contact = contact(edge, transport, is_secure);
    notification
        .dialog
        .clone()
        .request(Method::Notify)
        .header(Name::MaxForwards, MAX_FORWARDS)
        .header(Name::Contact, format_args!("<{contact}>;automata"))
        .header(Name::Event, &notification.event)
        .header(Name::SubscriptionState, notification.due.state)
        .header(Name::Date, sip_date(now()))
        .header(Name::UserAgent, signature.product())
        .body(MEDIA_TYPE, notification.document.to_string())
        .build()
}
