//! Carrying out an operator's order on one message (STO-11).

use crate::model::{Event, Generation, MessageNumber, Order, ReportStatus, State, StoredMessage};
use crate::rocks::change::{Loaded, settle, without_content};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::order::{Effect, Subject, effect};
use crate::store::StoreError;
use crate::value::StateValue;

pub(in crate::rocks) struct CarryOut {
    pub(in crate::rocks) number: MessageNumber,
    pub(in crate::rocks) order: Order,
}

impl Operation for CarryOut {
    /// The message afterwards, state `Stored` also if it is claimed.
    type Answer = StoredMessage;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<StoredMessage, Interrupt> {
        let location = transaction.location(self.number)?;
        let mailbox = location.ok_or(StoreError::NotFound)?.0;
        let loaded = transaction.load(mailbox, self.number)?;
        let loaded = loaded.ok_or(StoreError::NotFound)?;
        let now = transaction.times.wall;
        let subject = Subject {
            state: loaded.state.state,
            content_retained: loaded.state.content_retained,
            expires_at: loaded.envelope.envelope.expires_at,
        };
        let effect = effect(self.order.verb, subject, now)?;
        let mut state = self.after(effect, &loaded, transaction)?;
        let event = Event {
            at: now,
            kind: effect.event(),
            generation: None,
            actor: self.order.actor.clone(),
            detail: self.order.reason.clone(),
        };
        let told = match effect {
            Effect::Settle(State::Expired) => {
                transaction.report_end(&loaded, &mut state, ReportStatus::Failed)
            }
            _ => None,
        };
        let message = stored_message(&loaded, &state);
        let events = std::iter::once(event).chain(told);
        transaction.save(&loaded, state, events.collect())?;
        Ok(message)
    }
}

impl CarryOut {
    fn after(
        &self,
        effect: Effect,
        loaded: &Loaded,
        transaction: &mut Transaction<'_>,
    ) -> Result<StateValue, Interrupt> {
        let now = transaction.times.wall;
        let retention = &transaction.shared.bounds().retention;
        let state = loaded.state.clone();
        Ok(match effect {
            Effect::Redeliver => redelivered(loaded, next_generation(loaded, transaction)?),
            Effect::Hold => StateValue {
                state: State::Held,
                ..state
            },
            Effect::HoldUntil(time) => StateValue {
                state: State::Held,
                due_at: time,
                ..state
            },
            Effect::Unhold => StateValue {
                state: State::Stored,
                due_at: loaded.envelope.envelope.expires_at,
                ..state
            },
            Effect::Settle(end) => settle(loaded, end, now, &self.order.reason, retention),
            Effect::RemoveContent => without_content(&state, now, retention),
        })
    }
}

/// Only later claims deliver it: a late acknowledgement of an earlier one says nothing about it.
fn next_generation(
    loaded: &Loaded,
    transaction: &mut Transaction<'_>,
) -> Result<Generation, Interrupt> {
    let owner = transaction.shared.directory.owner(loaded.mailbox);
    let claim = transaction.claim(owner)?;
    Ok(Generation(claim.map_or(0, |claim| claim.generation.0) + 1))
}

fn redelivered(loaded: &Loaded, earliest_generation: Generation) -> StateValue {
    StateValue {
        state: State::Stored,
        settled_at: None,
        reason: String::new(),
        redeliveries: loaded.state.redeliveries + 1,
        refusals: 0,
        refused_on: None,
        earliest_generation,
        due_at: loaded.envelope.envelope.expires_at,
        devices: Vec::new(),
        ..loaded.state.clone()
    }
}

fn stored_message(loaded: &Loaded, state: &StateValue) -> StoredMessage {
    crate::rocks::query::stored_message(loaded.envelope.envelope.clone(), state)
}
