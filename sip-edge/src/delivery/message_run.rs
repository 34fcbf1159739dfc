//! Delivery by MESSAGE at work: one after the other, each after the final response to the one before
//! (DLM-02, RFC 3428 §8). What no MESSAGE may carry goes in a session of its own (requirements 4.3).

use std::sync::Arc;

use daemon::trace::messaging;
use edge::open_session::OpenSession;
use edge::sending::InviteFailure;
use sip::{HostPort, Request, Via};
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement, TakenMessage};
use storage_client::registration::Binding;

use super::device::{Aim, Delivery};
use super::encapsulate::came_by_send;
use super::letter::{Letter, letter};
use super::mailbox::{Ending, Mailbox};
use super::message::{Addressing, call_id, request};
use super::outcome::{MessageEnd, of_invite, of_message};
use super::sending::{Sending, outcome, send_span};
use super::session::establish;
use super::way::{Way, way};
use crate::edge::Edge;
use crate::{event, metrics};
use edge::now;

/// Octets that any way to a device carries (RFC 3428 §8).
const SAFE_OCTETS: usize = 1_300;

/// Delivers a mailbox by MESSAGE.
pub(crate) struct MessageRun<'a, 'b> {
    edge: &'a Arc<Edge>,
    job: Delivery<'a>,
    way: &'b Way,
    /// Bindings of the clients that may be invited.
    invitable: Vec<&'b Binding>,
}

/// Why a message is passed over as a MESSAGE.
enum Unfit {
    /// It may go in a session of its own.
    TooLarge,
    /// It stays stored.
    Skipped(&'static str),
}

impl<'a, 'b> MessageRun<'a, 'b> {
    /// `bindings` are those that `way` was chosen among. Only an IM client is invited: another phone
    /// would ring, and could do nothing with the session.
    pub(crate) fn new(
        edge: &'a Arc<Edge>,
        job: Delivery<'a>,
        bindings: &[&'b Binding],
        way: &'b Way,
    ) -> Self {
        let is_invitable = |binding: &&&Binding| {
            binding.has_im_tag && !edge.sessionless.contains(&job.served_user, binding)
        };
        Self {
            edge,
            job,
            way,
            invitable: bindings.iter().filter(is_invitable).copied().collect(),
        }
    }

    /// Delivers what is there and what comes meanwhile.
    pub(crate) async fn run(mut self, mailbox: &mut Mailbox<'a>) -> Ending {
        loop {
            let taken = match mailbox.next().await {
                Ok(Some(taken)) => taken,
                Ok(None) => match mailbox.complete().await {
                    Some(ending) => return ending,
                    None => continue,
                },
                Err(outcome) => return mailbox.ending(outcome, false),
            };
            if let Err(outcome) = self.deliver(&taken).await {
                return mailbox.ending(outcome, false);
            }
        }
    }

    /// Delivers one message, or passes it over so that it stays stored.
    ///
    /// # Errors
    /// Why no other message is to be tried.
    async fn deliver(&mut self, taken: &TakenMessage) -> Result<(), DeliveryOutcome> {
        self.may_go_on()?;
        let message_id = &taken.message.message_id;
        let call_id = call_id(&taken.message);
        let branch = self
            .edge
            .marked_branch(&call_id)
            .ok_or_else(store_unavailable)?;
        let request = match self.prepared(taken, &branch) {
            Ok(request) => request,
            Err(Unfit::TooLarge) => return Box::pin(self.deliver_by_session(taken)).await,
            Err(Unfit::Skipped(reason)) => {
                event::message_skipped(message_id, reason);
                return Ok(());
            }
        };
        if !self.job.begin(taken.message.sequence) {
            event::message_skipped(message_id, "withdrawn");
            return Ok(());
        }
        let served_user = &self.job.served_user;
        let mut span = send_span(&self.job, &taken.message, "message");
        let sent = self.way.send(self.edge, request, branch, served_user);
        let end = sent.await.map_or_else(|end| end, |r| MessageEnd::of(&r));
        let meaning = of_message(end, self.way.is_core);
        span.set(messaging::OUTCOME, outcome(meaning.settlement.as_ref()));
        if let Some(settlement) = meaning.settlement {
            self.settle(message_id, settlement, span.traceparent())
                .await?;
        } else {
            metrics::sent("failed");
        }
        meaning.ending.map_or(Ok(()), Err)
    }

    /// Delivers one message in a session of its own, or passes it over.
    ///
    /// # Errors
    /// Why no other message is to be tried.
    async fn deliver_by_session(&mut self, taken: &TakenMessage) -> Result<(), DeliveryOutcome> {
        let message_id = &taken.message.message_id;
        let is_forced = self.job.bindings.is_empty();
        let way = match self.invitable.is_empty() && !is_forced {
            true => None,
            false => way(self.edge, &self.invitable),
        };
        let Some(way) = way else {
            event::message_skipped(message_id, "too large for a MESSAGE on this way");
            return Ok(());
        };
        let Ok(Letter { inviter, parcel }) = letter(taken, way.is_core) else {
            event::message_skipped(message_id, "not deliverable");
            return Ok(());
        };
        let established = match Box::pin(establish(self.edge, self.job, &way, inviter)).await {
            Ok(established) => established,
            Err(failure) if failure.is_unsuited() => {
                event::message_skipped(message_id, "client takes no session for it");
                self.remember(&failure, &way);
                return Ok(());
            }
            Err(failure) => return Err(of_invite(&failure, way.is_core)),
        };
        let _open = OpenSession::outgoing();
        let mut sending = Sending::new(self.edge, self.job, established);
        match sending.terms().fits(parcel.content.octets()) {
            Ok(()) => sending.send(&taken.message, parcel).await,
            Err(reason) => event::message_skipped(message_id, reason),
        }
        while !sending.is_idle() {
            sending.step().await;
        }
        let ending = sending.take_ending();
        sending.close().await;
        ending.map_or(Ok(()), Err)
    }

    /// Who has refused a session as such is not invited again during this registration. Behind a
    /// core, which forks, all have answered.
    fn remember(&mut self, failure: &InviteFailure, way: &Way) {
        if !matches!(failure, InviteFailure::Status { .. }) {
            return;
        }
        let asked = way.binding.as_ref().filter(|_| !way.is_core);
        let has_answered = |binding: &&Binding| asked.is_none_or(|asked| asked == *binding);
        let answered = self.invitable.iter().copied().filter(has_answered);
        self.edge
            .sessionless
            .remember(&self.job.served_user, answered);
        self.invitable.retain(|binding| !has_answered(binding));
    }

    /// Whoever drains ends after the message in flight (requirements §3.12), and whose next hop is paused too.
    fn may_go_on(&self) -> Result<(), DeliveryOutcome> {
        self.way.admit(self.edge)?;
        if self.edge.draining.is_cancelled() {
            let result = DeliveryResult::EdgeDraining;
            return Err(DeliveryOutcome::new(result, "edge drains"));
        }
        Ok(())
    }

    /// The request, if it may go this way.
    ///
    /// # Errors
    /// Why it does not.
    fn prepared(&self, taken: &TakenMessage, branch: &str) -> Result<Request, Unfit> {
        if taken.message.expires_at <= now() {
            return Err(Unfit::Skipped("expired"));
        }
        if came_by_send(taken) {
            return Err(Unfit::TooLarge);
        }
        let aim = Aim::new(&self.job, self.way.binding.as_ref(), self.way.is_core);
        let to = Addressing {
            uri: self.way.message_uri(&aim.uri),
            routes: &self.way.routes,
            served_user: &self.job.served_user,
            is_trusted: self.way.is_core,
            has_im_tag: self.way.has_im_tag(),
            feature: &aim.feature,
        };
        let request = request(taken, &to, &self.edge.site.signature);
        let request = request.map_err(|_| Unfit::Skipped("not deliverable"))?;
        if self.octets(&request, branch) > SAFE_OCTETS && !self.takes_any_size() {
            return Err(Unfit::TooLarge);
        }
        Ok(request)
    }

    /// Octets of the request as it leaves, our Via included.
    fn octets(&self, request: &Request, branch: &str) -> usize {
        let sent_by = self.edge.sip.sent_by(self.way.transport);
        let via = sent_by
            .parse::<HostPort>()
            .map(|sent_by| Via::new(self.way.transport, sent_by, branch).to_string());
        request.as_bytes().len() + "Via: \r\n".len() + via.unwrap_or_default().len()
    }

    /// Whether every hop to the device keeps a large request from congesting it (DLM-04).
    fn takes_any_size(&self) -> bool {
        let is_safe_core = self.way.is_core && self.edge.config.sip.next_hop_congestion_safe;
        is_safe_core || self.way.is_stream_to_device()
    }

    /// Tells the store; without it nothing more is sent, since all of it would be repeated.
    async fn settle(
        &self,
        message_id: &str,
        settlement: Settlement,
        traceparent: Option<String>,
    ) -> Result<(), DeliveryOutcome> {
        metrics::sent(match settlement {
            Settlement::Delivered { .. } => "delivered",
            Settlement::Refused { .. } | Settlement::Failed { .. } => "refused",
        });
        let storage = &self.edge.storage;
        let told = storage
            .acknowledge_for(
                self.job.claim,
                self.job.device,
                message_id,
                settlement,
                traceparent,
            )
            .await;
        told.map(|_| ()).map_err(|_| store_unavailable())
    }
}

fn store_unavailable() -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Interrupted, "store unavailable")
}
