//! Keeping the sender's BYE with his message (STO-05).

use std::sync::Arc;

use bytes::Bytes;

use crate::column_family::Family;
use crate::key;
use crate::model::{Class, MessageNumber, PartKind};
use crate::rocks::change::Loaded;
use crate::rocks::counting::{Share, is_deliverable};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::store::StoreError;
use crate::value::{self, EnvelopeValue};

pub(in crate::rocks) struct AddBye {
    pub(in crate::rocks) number: MessageNumber,
    pub(in crate::rocks) octets: Bytes,
}

impl Operation for AddBye {
    type Answer = ();

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        self.octets.len() + 1_024
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let location = transaction.location(self.number)?;
        let location = location.ok_or(StoreError::NotFound)?;
        let loaded = transaction.load(location.0, self.number)?;
        let loaded = loaded.filter(|loaded| loaded.state.content_retained);
        let loaded = loaded.ok_or(StoreError::NotFound)?;
        if loaded.envelope.envelope.class == Class::Pager {
            return Err(StoreError::NotFound.into());
        }
        let mut parts = loaded.envelope.parts.iter();
        match parts.any(|(kind, _)| *kind == PartKind::Bye) {
            true => Ok(()),
            false => self.add(loaded, transaction),
        }
    }
}

impl AddBye {
    fn add(&self, loaded: Loaded, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let (mailbox, number) = (loaded.mailbox, self.number);
        let mut envelope = EnvelopeValue::clone(&loaded.envelope);
        envelope
            .parts
            .push((PartKind::Bye, self.octets.len() as u64));
        let mut row = transaction.existing_mailbox(mailbox)?;
        Share::of(&loaded.envelope, &loaded.state).take_from(&mut row);
        Share::of(&envelope, &loaded.state).add_to(&mut row);
        if !loaded.state.state.is_settled() {
            row.version += 1;
        }
        transaction.set_mailbox(mailbox, Some(row));
        let part = (number, PartKind::Bye);
        let key = loaded.envelope.content_key.as_ref();
        transaction.append_part(part, &self.octets, key);
        let loaded = Loaded {
            envelope: Arc::new(envelope),
            ..loaded
        };
        if is_deliverable(&loaded.state) {
            let waiting = loaded.waiting(&loaded.state);
            let place = key::waiting(mailbox, number);
            transaction.append(Family::Waiting, place, || value::encode(&waiting));
        }
        transaction.set_envelope(mailbox, number, Some(loaded.envelope));
        Ok(())
    }
}
