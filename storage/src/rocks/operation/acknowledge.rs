//! Settling one taken message (P4, requirements §3.13).

use crate::model::{ClaimToken, Event, EventKind, MessageNumber, Settled, Settlement, State};
use crate::rocks::change::{Loaded, settle};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::report::refused;
use crate::value::{ClaimValue, StateValue};

pub(in crate::rocks) struct Acknowledge {
    pub(in crate::rocks) claim: ClaimToken,
    pub(in crate::rocks) number: MessageNumber,
    pub(in crate::rocks) settlement: Settlement,
}

impl Operation for Acknowledge {
    type Answer = Settled;

    const LANE: Lane = Lane::Deposits;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Settled, Interrupt> {
        let Some(loaded) = self.find(transaction)? else {
            return Ok(Settled::Unknown(self.number));
        };
        let Some(claim) = transaction.current_claim(self.claim)? else {
            return Ok(Settled::Superseded);
        };
        if loaded.state.earliest_generation > self.claim.generation {
            return Ok(Settled::Superseded);
        }
        let settled = match self.still_counts(&loaded, transaction) {
            true => self.settle(&loaded, &claim, transaction)?,
            false => Settled::AlreadySettled,
        };
        if transaction.is_commit() {
            transaction.shared.taken.remove(self.claim, self.number);
        }
        Ok(settled)
    }
}

impl Acknowledge {
    fn find(&self, transaction: &mut Transaction<'_>) -> Result<Option<Loaded>, Interrupt> {
        for mailbox in transaction.mailboxes_of(self.claim.mailbox) {
            if let Some(loaded) = transaction.load(mailbox, self.number)? {
                return Ok(Some(loaded));
            }
        }
        Ok(None)
    }

    /// A message that waits is settled. One that an operator or the sweep has settled while it was
    /// on its way: there the outcome of the delivery wins.
    fn still_counts(&self, loaded: &Loaded, transaction: &Transaction<'_>) -> bool {
        let is_final = !matches!(self.settlement, Settlement::Failed { .. });
        let was_taken = || transaction.shared.taken.contains(self.claim, self.number);
        !loaded.state.state.is_settled() || (is_final && was_taken())
    }

    fn settle(
        &self,
        loaded: &Loaded,
        claim: &ClaimValue,
        transaction: &mut Transaction<'_>,
    ) -> Result<Settled, Interrupt> {
        let (mut state, kind, detail) = self.outcome(loaded, transaction)?;
        state.attempts += 1;
        let event = |at, kind, detail: &str| Event {
            at,
            kind,
            generation: Some(claim.generation),
            actor: claim.edge.clone(),
            detail: detail.to_owned(),
        };
        let taken_at = claim.claimed_at.max(loaded.envelope.envelope.received_at);
        let mut events = vec![
            event(taken_at, EventKind::Claimed, ""),
            event(transaction.times.wall, kind, detail),
        ];
        if let Some(status) = refused(&self.settlement, kind) {
            events.extend(transaction.report_end(loaded, &mut state, status));
        }
        transaction.save(loaded, state, events)?;
        Ok(Settled::Settled)
    }

    fn outcome(
        &self,
        loaded: &Loaded,
        transaction: &mut Transaction<'_>,
    ) -> Result<(StateValue, EventKind, &str), Interrupt> {
        let now = transaction.times.wall;
        let retention = &transaction.shared.config.retention;
        Ok(match &self.settlement {
            Settlement::Delivered { by } => {
                let state = settle(loaded, State::Delivered, now, "", retention);
                (state, EventKind::Delivered, by)
            }
            Settlement::Refused { reason } => {
                let state = settle(loaded, State::Refused, now, reason, retention);
                (state, EventKind::Refused, reason)
            }
            Settlement::Failed { reason, refusal } => {
                let (state, kind) = self.failed(loaded, reason, *refusal, transaction)?;
                (state, kind, reason)
            }
        })
    }

    /// Refusals count once per registration; the last one makes a dead letter
    /// (requirements §3.5).
    fn failed(
        &self,
        loaded: &Loaded,
        reason: &str,
        refusal: bool,
        transaction: &mut Transaction<'_>,
    ) -> Result<(StateValue, EventKind), Interrupt> {
        let mut state = loaded.state.clone();
        reason.clone_into(&mut state.reason);
        if !refusal {
            return Ok((state, EventKind::AttemptFailed));
        }
        let bindings = transaction.bindings(self.claim.mailbox)?;
        let registration = bindings.map_or(0, |bindings| bindings.registrations);
        if state.refused_on != Some(registration) {
            state.refused_on = Some(registration);
            state.refusals += 1;
        }
        let config = &transaction.shared.config;
        if state.refusals < config.max_refusals {
            return Ok((state, EventKind::AttemptFailed));
        }
        let dead = settle(
            loaded,
            State::Refused,
            transaction.times.wall,
            reason,
            &config.retention,
        );
        let counted = StateValue {
            refused_on: state.refused_on,
            refusals: state.refusals,
            ..dead
        };
        Ok((counted, EventKind::Refused))
    }
}
