//! One entry of a stream: what it asks of the store, and how the store's word answers it.

use std::time::Instant;

use daemon::trace::{Span, messaging};
use proto::v1;
use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_entry::Request;
use storage::model::{Address, Class, Deposit, DepositOutcome, MessageId, Settled};
use storage::{Store, StoreError, Synced};
use tonic::Status;

use super::Context;
use super::receipt::{Novelty, deposited};
use crate::convert::Acknowledgement;
use crate::delivery::release::Release;
use crate::{convert, now, status};

/// An entry.
pub(super) struct Entry {
    pub(super) correlation: u64,
    pub(super) request: Wanted,
}

/// What an entry asks for.
pub(super) enum Wanted {
    Deposit(Box<Deposit>),
    Other(Other),
}

/// What is no deposit.
pub(super) enum Other {
    Acknowledge(Acknowledgement),
    Release(Release),
    /// Why it makes no sense.
    Nonsense(Status),
}

impl Entry {
    /// `clock` is when the edge sent it, from where the remaining time counts.
    pub(super) fn decode(entry: v1::ExchangeEntry, clock: Instant, hostname: &str) -> Self {
        let request = Wanted::decode(entry.request, clock, hostname);
        Self {
            correlation: entry.correlation,
            request: request.unwrap_or_else(|why| Wanted::Other(Other::Nonsense(why))),
        }
    }
}

impl Wanted {
    fn decode(request: Option<Request>, clock: Instant, hostname: &str) -> Result<Self, Status> {
        let other = match request {
            Some(Request::Deposit(deposit)) => {
                let remaining = deposit.remaining.map(convert::duration).unwrap_or_default();
                let deposit = convert::deposit(deposit, clock + remaining)?;
                return Ok(Self::Deposit(Box::new(deposit)));
            }
            Some(Request::Acknowledge(acknowledge)) => {
                Other::Acknowledge(convert::acknowledgement(acknowledge, hostname)?)
            }
            Some(Request::Release(release)) => Other::Release(Release::decode(release)?),
            None => return Err(Status::invalid_argument("it is empty")),
        };
        Ok(Self::Other(other))
    }
}

impl Other {
    /// Has the store do it; ends with the store's answer, on disk where it promises that.
    pub(super) async fn carry_out<S: Store>(
        self,
        correlation: u64,
        context: &Context<S>,
    ) -> v1::ExchangeAnswer {
        let done = match self {
            Self::Acknowledge(acknowledgement) => {
                let Acknowledgement {
                    claim,
                    device,
                    number,
                    settlement,
                    traceparent,
                } = acknowledgement;
                let mut span = Span::within_text(messaging::SETTLE, &traceparent);
                if span.is_traced() {
                    let hostname = context.store.hostname().to_owned();
                    let id = MessageId { number, hostname };
                    span.set(messaging::MESSAGE_ID, id.to_string().as_str());
                }
                let store = &context.store;
                let settled = store.acknowledge_for(claim, device, number, settlement);
                let settled = settled.await;
                span.set(messaging::OUTCOME, settled.as_ref().map_or("failed", word));
                settled.map(|settled| {
                    let settled = settled.into_inner();
                    if settled == Settled::Superseded {
                        context.counters.superseded();
                    }
                    Answer::Acknowledged(convert::settled(settled))
                })
            }
            Self::Release(release) => {
                let released = context.releases.release(release).await;
                released.map(Answer::Released)
            }
            Self::Nonsense(why) => Ok(Answer::Unavailable(senseless(&why))),
        };
        answer(correlation, done, context)
    }
}

/// A deposit that the store has in hand.
pub(super) struct UnderWay {
    correlation: u64,
    begun: Instant,
    class: Class,
    served_user: Address,
    span: Span,
}

impl UnderWay {
    pub(super) fn new(correlation: u64, deposit: &Deposit) -> Self {
        Self {
            correlation,
            begun: now(),
            class: deposit.class,
            served_user: deposit.served_user.clone(),
            span: match &deposit.traceparent {
                Some(traceparent) => Span::within_text(messaging::COMMIT, traceparent),
                None => Span::none(),
            },
        }
    }

    /// The store has decided, and what it promises is on disk.
    pub(super) fn answer<S: Store>(
        mut self,
        outcome: Result<DepositOutcome, StoreError>,
        context: &Context<S>,
    ) -> v1::ExchangeAnswer {
        let correlation = self.correlation;
        self.trace(&outcome);
        if let Ok(DepositOutcome::IdReused(receipt)) = &outcome {
            context.counters.id_reused();
            tracing::info!(
                event = "deposit.id_reused",
                message_id = %receipt.id,
                "a sender has given his imdn.Message-ID to other content before: it is stored as another message"
            );
        }
        let decided = outcome.map(|outcome| match outcome {
            DepositOutcome::Stored(receipt) | DepositOutcome::IdReused(receipt) => {
                context
                    .counters
                    .accepted(self.class, now().duration_since(self.begun));
                let registered = context.store.is_registered(&self.served_user);
                if registered {
                    context.watch.deposited(self.served_user);
                }
                Answer::Deposited(deposited(receipt, Novelty::Stored { registered }))
            }
            DepositOutcome::Duplicate(receipt) => {
                context.counters.duplicate();
                Answer::Deposited(deposited(receipt, Novelty::Duplicate))
            }
            DepositOutcome::Refused(refusal) => {
                context.counters.refused(&refusal);
                Answer::Refused(convert::refusal(&refusal))
            }
        });
        answer(correlation, decided, context)
    }
}

impl UnderWay {
    /// Says in its span what the store has decided.
    fn trace(&mut self, outcome: &Result<DepositOutcome, StoreError>) {
        if !self.span.is_traced() {
            return;
        }
        let span = &mut self.span;
        match outcome {
            Ok(DepositOutcome::Stored(receipt)) => {
                span.set(messaging::MESSAGE_ID, receipt.id.to_string().as_str());
                span.set(messaging::OUTCOME, "stored");
            }
            Ok(DepositOutcome::IdReused(receipt)) => {
                span.set(messaging::MESSAGE_ID, receipt.id.to_string().as_str());
                span.set(messaging::OUTCOME, "id_reused");
            }
            Ok(DepositOutcome::Duplicate(receipt)) => {
                span.set(messaging::MESSAGE_ID, receipt.id.to_string().as_str());
                span.set(messaging::OUTCOME, "duplicate");
            }
            Ok(DepositOutcome::Refused(_)) => span.fail("refused"),
            Err(_) => span.fail("store_error"),
        }
    }
}

fn word(settled: &Synced<Settled>) -> &'static str {
    match **settled {
        Settled::Settled => "settled",
        Settled::Superseded => "superseded",
        Settled::AlreadySettled => "already_settled",
        Settled::Unknown(_) => "unknown",
    }
}

fn answer<S: Store>(
    correlation: u64,
    answer: Result<Answer, StoreError>,
    context: &Context<S>,
) -> v1::ExchangeAnswer {
    v1::ExchangeAnswer {
        correlation,
        answer: Some(answer.unwrap_or_else(|error| {
            context.counters.unavailable();
            Answer::Unavailable(unavailable(&error))
        })),
    }
}

fn unavailable(error: &StoreError) -> v1::Unavailable {
    v1::Unavailable {
        reason: error.to_string(),
        retry_after: Some(convert::proto_duration(status::RETRY_AFTER)),
        until_restart: matches!(error, StoreError::Latched { .. }),
    }
}

/// The answer to what another version may understand.
fn senseless(why: &Status) -> v1::Unavailable {
    v1::Unavailable {
        reason: format!("the entry makes no sense: {}", why.message()),
        retry_after: Some(convert::proto_duration(status::RETRY_AFTER)),
        until_restart: false,
    }
}
