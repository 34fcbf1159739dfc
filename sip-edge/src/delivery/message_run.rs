//! Delivery by MESSAGE at work: one after the other, each after the final response to the one before
//! (DLM-02, RFC 3428 §8).

use std::time::Duration;

use net::sip::TransactionFailure;
use sip::{HostPort, Request, Via};
use storage_client::PushJob;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement, TakenMessage};

use super::mailbox::{Ending, Mailbox};
use super::message::{Addressing, call_id, request};
use super::outcome::{MessageEnd, of_message};
use super::way::Way;
use crate::edge::Edge;
use crate::{event, metrics};
use edge::now;

/// Octets that any way to a device carries (RFC 3428 §8).
const SAFE_OCTETS: usize = 1_300;

/// Delivers a mailbox by MESSAGE.
pub(crate) struct MessageRun<'a> {
    edge: &'a Edge,
    job: &'a PushJob,
    way: &'a Way,
}

impl<'a> MessageRun<'a> {
    pub(crate) fn new(edge: &'a Edge, job: &'a PushJob, way: &'a Way) -> Self {
        Self { edge, job, way }
    }

    /// Delivers what is there and what comes meanwhile.
    pub(crate) async fn run(self) -> Ending {
        let mut mailbox = Mailbox::new(self.edge, self.job);
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
    async fn deliver(&self, taken: &TakenMessage) -> Result<(), DeliveryOutcome> {
        self.may_go_on()?;
        let message_id = &taken.message.message_id;
        let call_id = call_id(&taken.message);
        let branch = self
            .edge
            .marked_branch(&call_id)
            .ok_or_else(store_unavailable)?;
        let request = match self.prepared(taken, &branch) {
            Ok(request) => request,
            Err(reason) => {
                event::message_skipped(message_id, reason);
                return Ok(());
            }
        };
        let end = self.send(request, branch).await;
        let meaning = of_message(end, self.way.is_core);
        if let Some(settlement) = meaning.settlement {
            self.settle(message_id, settlement).await?;
        } else {
            metrics::sent("failed");
        }
        meaning.ending.map_or(Ok(()), Err)
    }

    /// Whoever has lost the claim or drains ends after the message in flight (requirements §3.13), and
    /// whose next hop is paused too.
    fn may_go_on(&self) -> Result<(), DeliveryOutcome> {
        self.way.admit(self.edge)?;
        if self.job.is_lost() {
            return Err(DeliveryOutcome::new(DeliveryResult::Broken, "claim lost"));
        }
        if self.edge.draining.is_cancelled() {
            let result = DeliveryResult::EdgeDraining;
            return Err(DeliveryOutcome::new(result, "edge drains"));
        }
        Ok(())
    }

    /// The request, if it may go this way.
    ///
    /// # Errors
    /// Why the message is passed over.
    fn prepared(&self, taken: &TakenMessage, branch: &str) -> Result<Request, &'static str> {
        if taken.message.expires_at <= now() {
            return Err("expired");
        }
        let to = Addressing {
            uri: self.way.message_uri(&self.job.served_user),
            routes: &self.way.routes,
            served_user: &self.job.served_user,
            is_trusted: self.way.is_core,
            has_im_tag: self.way.has_im_tag(),
        };
        let request = request(taken, &to, &self.edge.site.signature);
        let request = request.map_err(|_| "not deliverable")?;
        if self.octets(&request, branch) > SAFE_OCTETS && !self.takes_any_size() {
            return Err("too large for a MESSAGE on this way");
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

    async fn send(&self, request: Request, branch: String) -> MessageEnd {
        let hop = self.way.next_hop(self.edge);
        let sent = self.edge.sip.request(request, &self.way.target, branch);
        let mut transaction = match sent.await {
            Ok(transaction) => transaction,
            Err(error) => {
                hop.inspect(|hop| hop.not_sent(&error));
                return MessageEnd::Unreachable;
            }
        };
        loop {
            let answer = transaction.next().await;
            if let (Some(hop), Some(answer)) = (hop, &answer) {
                match answer {
                    Ok(response) => hop.answered(response),
                    Err(failure) => hop.failed(*failure, &self.job.served_user),
                }
            }
            match answer {
                Some(Ok(response)) if response.status().is_final() => {
                    let retry_after = response.headers().retry_after().ok().flatten();
                    return MessageEnd::Status {
                        status: response.status(),
                        retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
                    };
                }
                Some(Ok(_)) => {}
                Some(Err(TransactionFailure::Timeout)) if self.way.admit(self.edge).is_ok() => {
                    return MessageEnd::NoAnswer;
                }
                // Where the hop is paused for a timeout, that is the hop's fault.
                Some(Err(_)) => return MessageEnd::Unreachable,
                None => return MessageEnd::NoAnswer,
            }
        }
    }

    /// Tells the store; without it nothing more is sent, since all of it would be repeated.
    async fn settle(
        &self,
        message_id: &str,
        settlement: Settlement,
    ) -> Result<(), DeliveryOutcome> {
        metrics::sent(match settlement {
            Settlement::Delivered { .. } => "delivered",
            Settlement::Refused { .. } | Settlement::Failed { .. } => "refused",
        });
        let storage = &self.edge.storage;
        let told = storage
            .acknowledge(self.job.claim, message_id, settlement)
            .await;
        told.map(|_| ()).map_err(|_| store_unavailable())
    }
}

fn store_unavailable() -> DeliveryOutcome {
    DeliveryOutcome::new(DeliveryResult::Broken, "store unavailable")
}
