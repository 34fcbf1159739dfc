//! Settling one taken message (P4, requirements §3.13).

use crate::config::Retention;
use crate::model::{
    ClaimToken, Device, Event, EventKind, MessageNumber, Settled, Settlement, State, UnixMillis,
};
use crate::rocks::change::{Loaded, settle};
use crate::rocks::counting::is_deliverable;
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::device::{self, Consequence};
use crate::rule::report::{self, refused};
use crate::value::{ClaimValue, StateValue};

pub(in crate::rocks) struct Acknowledge {
    pub(in crate::rocks) claim: ClaimToken,
    /// Where each device shall have each message: which one this is about.
    pub(in crate::rocks) device: Option<Device>,
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
            true => {
                let loaded = self.without_report_of_its_end(loaded, transaction)?;
                self.settle(&loaded, &claim, transaction)?
            }
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
        self.is_open(&loaded.state) || (is_final && was_taken())
    }

    /// Where the message is delivered although it had ended, its sender is not to be told of that end.
    fn without_report_of_its_end(
        &self,
        loaded: Loaded,
        transaction: &mut Transaction<'_>,
    ) -> Result<Loaded, Interrupt> {
        let is_delivered = matches!(self.settlement, Settlement::Delivered { .. });
        let has_ended = loaded.state.state.is_settled();
        if !is_delivered || !has_ended || !report::retract(transaction, self.number)? {
            return Ok(loaded);
        }
        let changed = transaction.load(loaded.mailbox, loaded.number)?;
        Ok(changed.unwrap_or(loaded))
    }

    /// Whether something is still to come of the message, at the device if it is about one.
    fn is_open(&self, state: &StateValue) -> bool {
        let waits = !state.state.is_settled();
        match &self.device {
            Some(device) => {
                (waits || is_deliverable(state)) && !device::is_done(&state.devices, device)
            }
            None => waits,
        }
    }

    fn settle(
        &self,
        loaded: &Loaded,
        claim: &ClaimValue,
        transaction: &mut Transaction<'_>,
    ) -> Result<Settled, Interrupt> {
        let (mut state, kind, detail) = match &self.device {
            Some(device) => self.outcome_at(device, loaded, transaction)?,
            None => self.outcome(loaded, transaction)?,
        };
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
            event(transaction.times.wall, kind, &detail),
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
    ) -> Result<(StateValue, EventKind, String), Interrupt> {
        let now = transaction.times.wall;
        let retention = &transaction.shared.bounds().retention;
        Ok(match &self.settlement {
            Settlement::Delivered { by } => {
                let state = settle(loaded, State::Delivered, now, "", retention);
                (state, EventKind::Delivered, by.clone())
            }
            Settlement::Refused { reason } => {
                let state = settle(loaded, State::Refused, now, reason, retention);
                (state, EventKind::Refused, reason.clone())
            }
            Settlement::Failed { reason, refusal } => {
                let (state, kind) = self.failed(loaded, reason, *refusal, transaction)?;
                (state, kind, reason.clone())
            }
        })
    }

    /// Where each device shall have it: the first that has it settles the message, whose content stays for those
    /// that are missing; it is refused once all that are known have refused it.
    fn outcome_at(
        &self,
        device: &Device,
        loaded: &Loaded,
        transaction: &mut Transaction<'_>,
    ) -> Result<(StateValue, EventKind, String), Interrupt> {
        let now = transaction.times.wall;
        let bindings = transaction.bindings(self.claim.mailbox)?;
        let bindings = bindings.unwrap_or_default();
        let bounds = &transaction.shared.bounds();
        let word = device::Word {
            device,
            settlement: &self.settlement,
            registrations: bindings.registrations,
            at: now,
        };
        let devices = device::told(&loaded.state.devices, &word, bounds.max_refusals);
        let theirs = (&bindings.devices[..], &bindings.bindings[..]);
        let is_missing = device::is_missing(&devices, theirs, transaction.shared.config.scope, now);
        let said = self.settlement.said();
        let consequence = device::consequence(&devices, device, loaded.state.state, is_missing);
        let state = match consequence {
            Consequence::Delivered { is_missing } => {
                delivered(loaded, is_missing, now, &bounds.retention)
            }
            Consequence::Refused => settle(loaded, State::Refused, now, said, &bounds.retention),
            Consequence::None => StateValue {
                reason: said.to_owned(),
                ..loaded.state.clone()
            },
        };
        let kind = device::event(consequence, &self.settlement);
        let detail = device::detail(said, device);
        Ok((StateValue { devices, ..state }, kind, detail))
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
        let bounds = &transaction.shared.bounds();
        if state.refusals < bounds.max_refusals {
            return Ok((state, EventKind::AttemptFailed));
        }
        let dead = settle(
            loaded,
            State::Refused,
            transaction.times.wall,
            reason,
            &bounds.retention,
        );
        let counted = StateValue {
            refused_on: state.refused_on,
            refusals: state.refusals,
            ..dead
        };
        Ok((counted, EventKind::Refused))
    }
}

/// A message that one device has. While others are missing its content stays until it would have expired.
fn delivered(
    loaded: &Loaded,
    is_missing: bool,
    now: UnixMillis,
    retention: &Retention,
) -> StateValue {
    let mut state = settle(loaded, State::Delivered, now, "", retention);
    if loaded.state.state == State::Delivered {
        state.settled_at = loaded.state.settled_at;
    }
    let expires_at = loaded.envelope.envelope.expires_at;
    if is_missing && loaded.state.content_retained && expires_at > now {
        state.due_at = match state.content_retained {
            true => state.due_at.max(expires_at),
            false => expires_at,
        };
        state.content_retained = true;
    }
    state
}
