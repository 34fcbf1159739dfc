//! Carrying out what a sender wishes for his message (requirements §3.14).

use std::sync::Arc;

use crate::column_family::Family;
use crate::key;
use crate::model::{
    ClaimToken, Claimant, Envelope, Event, MailboxId, Recall, State, StoredMessage, UnixMillis,
};
use crate::rocks::change::{Loaded, settle};
use crate::rocks::counting::is_deliverable;
use crate::rocks::query::stored_message;
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::take::claimant;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::order::held_until;
use crate::rule::recall::{Effect, effect};
use crate::store::StoreError;
use crate::value::{self, EnvelopeValue, StateValue};

pub(in crate::rocks) struct RecallMessage(pub(in crate::rocks) Recall);

/// As [`crate::model::RecallOutcome`], before the sync.
#[derive(Clone, Debug)]
pub(in crate::rocks) enum Recalled {
    /// The message afterwards, state `Stored` also if it is claimed.
    Done(Box<StoredMessage>),
    Claimed(Claimant),
}

impl Operation for RecallMessage {
    type Answer = Recalled;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Recalled, Interrupt> {
        let recall = &self.0;
        let location = transaction.location(recall.number)?;
        let mailbox = location.ok_or(StoreError::NotFound)?.0;
        let loaded = transaction.load(mailbox, recall.number)?;
        let loaded = loaded.ok_or(StoreError::NotFound)?;
        let now = transaction.times.wall;
        let effect = effect(recall, &loaded.envelope.envelope, loaded.state.state, now)?;
        match effect {
            Effect::TakeBack => {
                let claimant = transaction.claimant(mailbox)?;
                let is_promised = |claim: ClaimToken| recall.withdrawn == Some(claim);
                if let Some(claimant) = claimant.filter(|c| !is_promised(c.claim)) {
                    return Ok(Recalled::Claimed(claimant));
                }
                self.take_back(&loaded, transaction)
            }
            Effect::Shorten(at) => self.shorten(&loaded, at, transaction),
        }
    }
}

impl RecallMessage {
    fn take_back(
        &self,
        loaded: &Loaded,
        transaction: &mut Transaction<'_>,
    ) -> Result<Recalled, Interrupt> {
        let now = transaction.times.wall;
        let retention = &transaction.shared.bounds().retention;
        let state = settle(loaded, State::Recalled, now, &self.0.reason, retention);
        self.save(loaded, state, Effect::TakeBack, transaction)
    }

    /// Writes the envelope anew, and what hangs on its end.
    fn shorten(
        &self,
        loaded: &Loaded,
        at: UnixMillis,
        transaction: &mut Transaction<'_>,
    ) -> Result<Recalled, Interrupt> {
        let envelope = Arc::new(EnvelopeValue {
            envelope: Envelope {
                expires_at: at,
                ..loaded.envelope.envelope.clone()
            },
            ..(*loaded.envelope).clone()
        });
        let shortened = Loaded {
            mailbox: loaded.mailbox,
            number: loaded.number,
            envelope: Arc::clone(&envelope),
            state: loaded.state.clone(),
        };
        let old_end = loaded.envelope.envelope.expires_at;
        let held_until = held_until(loaded.state.state, loaded.state.due_at, old_end);
        let state = StateValue {
            due_at: held_until.map_or(at, |time| time.min(at)),
            ..loaded.state.clone()
        };
        if is_deliverable(&state) {
            let row = shortened.waiting(&state);
            let place = key::waiting(loaded.mailbox, loaded.number);
            transaction.append(Family::Waiting, place, || value::encode(&row));
        }
        transaction.set_envelope(loaded.mailbox, loaded.number, Some(envelope));
        let recalled = self.save(&shortened, state, Effect::Shorten(at), transaction)?;
        // No counter has changed, but what is shown of the mailbox has.
        let mut mailbox = transaction.existing_mailbox(loaded.mailbox)?;
        mailbox.version += 1;
        transaction.set_mailbox(loaded.mailbox, Some(mailbox));
        Ok(recalled)
    }

    fn save(
        &self,
        loaded: &Loaded,
        state: StateValue,
        effect: Effect,
        transaction: &mut Transaction<'_>,
    ) -> Result<Recalled, Interrupt> {
        let event = Event {
            at: transaction.times.wall,
            kind: effect.event(),
            generation: None,
            actor: self.0.actor.clone(),
            detail: self.0.reason.clone(),
        };
        let message = stored_message(loaded.envelope.envelope.clone(), &state);
        transaction.save(loaded, state, vec![event])?;
        Ok(Recalled::Done(Box::new(message)))
    }
}

impl Transaction<'_> {
    /// Who holds the account of a mailbox under a claim whose lease lives.
    pub(in crate::rocks) fn claimant(
        &mut self,
        mailbox: MailboxId,
    ) -> Result<Option<Claimant>, Interrupt> {
        let mailbox = self.shared.directory.owner(mailbox);
        let claim = self.claim(mailbox)?;
        Ok(claim.and_then(|claim| claimant(mailbox, claim, self.times)))
    }
}
