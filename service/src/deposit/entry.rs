//! One entry of a stream: carried out by the store, answered by what it said.

use std::time::Instant;

use proto::v1;
use proto::v1::exchange_answer::Answer;
use proto::v1::exchange_entry::Request;
use storage::model::{ClaimToken, Deposit, DepositOutcome, MessageNumber, Settlement};
use storage::{Store, StoreError};
use tonic::Status;

use super::Context;
use super::receipt::deposited;
use crate::{convert, status};

/// An entry that makes sense.
pub(super) struct Entry {
    correlation: u64,
    request: Wanted,
}

enum Wanted {
    Deposit(Box<Deposit>),
    Acknowledge(ClaimToken, MessageNumber, Settlement),
}

impl Entry {
    /// `clock` is when the edge sent it, from where the remaining time counts.
    pub(super) fn decode(
        entry: v1::ExchangeEntry,
        clock: Instant,
        hostname: &str,
    ) -> Result<Self, Status> {
        let request = match entry.request {
            Some(Request::Deposit(deposit)) => {
                let remaining = deposit.remaining.map(convert::duration).unwrap_or_default();
                let deposit = convert::deposit(deposit, clock + remaining)?;
                Wanted::Deposit(Box::new(deposit))
            }
            Some(Request::Acknowledge(acknowledge)) => {
                let (claim, number, settlement) = convert::acknowledgement(acknowledge, hostname)?;
                Wanted::Acknowledge(claim, number, settlement)
            }
            None => return Err(Status::invalid_argument("an entry is empty")),
        };
        Ok(Self {
            correlation: entry.correlation,
            request,
        })
    }

    /// Has the store do it; ends with the store's answer, on disk where it promises that.
    pub(super) async fn carry_out<S: Store>(self, context: &Context<S>) -> v1::ExchangeAnswer {
        let answer = match self.request {
            Wanted::Deposit(deposit) => deposit_answer(context, *deposit).await,
            Wanted::Acknowledge(claim, number, settlement) => {
                let settled = context.store.acknowledge(claim, number, settlement).await;
                settled.map(|settled| Answer::Acknowledged(convert::settled(settled.into_inner())))
            }
        };
        v1::ExchangeAnswer {
            correlation: self.correlation,
            answer: Some(answer.unwrap_or_else(|error| {
                context.counters.unavailable();
                Answer::Unavailable(unavailable(&error))
            })),
        }
    }
}

async fn deposit_answer<S: Store>(
    context: &Context<S>,
    deposit: Deposit,
) -> Result<Answer, StoreError> {
    let begun = Instant::now();
    let (class, served_user) = (deposit.class, deposit.served_user.clone());
    Ok(match context.store.deposit(deposit).await? {
        DepositOutcome::Stored(receipt) => {
            context.counters.accepted(class, begun.elapsed());
            if context.store.is_registered(&served_user) {
                context.watch.deposited(served_user);
            }
            Answer::Deposited(deposited(receipt, false))
        }
        DepositOutcome::Duplicate(receipt) => {
            context.counters.duplicate();
            Answer::Deposited(deposited(receipt, true))
        }
        DepositOutcome::Refused(refusal) => {
            context.counters.refused(&refusal);
            Answer::Refused(convert::refusal(&refusal))
        }
    })
}

fn unavailable(error: &StoreError) -> v1::Unavailable {
    v1::Unavailable {
        reason: error.to_string(),
        retry_after: Some(convert::proto_duration(status::RETRY_AFTER)),
        until_restart: matches!(error, StoreError::Latched { .. }),
    }
}
