//! What senders have stored, counted from the messages: for a store that an earlier version made, which did not keep
//! count.

use std::collections::HashMap;

use rocksdb::WriteBatch;

use super::database::Database;
use super::disk::Disk;
use crate::column_family::Family;
use crate::key::{self, AddressKey, MessageRow};
use crate::rule::duplicate::address_key;
use crate::store::StoreError;
use crate::value::{self, EnvelopeValue, SenderValue, StateValue};

/// Senders and what they have stored and undelivered.
#[derive(Debug, Default)]
pub(super) struct SenderCounts(HashMap<AddressKey, SenderValue>);

impl SenderCounts {
    /// A message, if it waits.
    pub(super) fn add(&mut self, secret: &[u8; 32], envelope: &EnvelopeValue, state: &StateValue) {
        let waits = !state.state.is_settled();
        let Some(sender) = envelope.bounded_sender().filter(|_| waits) else {
            return;
        };
        let counted = self
            .0
            .entry(address_key(secret, sender.as_str()))
            .or_default();
        *counted = counted.plus(envelope.octets());
    }

    /// Takes out what is counted for a sender.
    pub(super) fn take(&mut self, sender: &AddressKey) -> Option<SenderValue> {
        self.0.remove(sender)
    }

    /// What nobody has taken out.
    pub(super) fn into_rest(self) -> impl Iterator<Item = (AddressKey, SenderValue)> {
        self.0.into_iter()
    }
}

/// Counts, unless it has been done. All in one batch: after a crash it is done again.
pub(super) fn count_once(
    database: &Database,
    secret: &[u8; 32],
    disk: &mut dyn Disk,
) -> Result<(), StoreError> {
    if database
        .read(Family::Meta, &key::SENDERS_COUNTED)?
        .is_some()
    {
        return Ok(());
    }
    let counts = count(database, secret)?;
    let mut batch = WriteBatch::default();
    let families = database.families();
    for (sender, counted) in counts.into_rest() {
        let row = value::encode(&counted);
        families.put(&mut batch, Family::Senders, &sender, &row);
    }
    let mark = value::encode(&value::Mark);
    families.put(&mut batch, Family::Meta, &key::SENDERS_COUNTED, &mark);
    let committed = disk.commit(database, batch);
    committed.map_err(|cause| StoreError::Latched { cause })
}

/// Each envelope is followed by its state, if something has happened to the message.
fn count(database: &Database, secret: &[u8; 32]) -> Result<SenderCounts, StoreError> {
    let mut counts = SenderCounts::default();
    let mut last: Option<EnvelopeValue> = None;
    let mut add = |envelope: Option<EnvelopeValue>, state: Option<StateValue>| {
        if let Some(envelope) = envelope {
            let state = state.unwrap_or_else(|| StateValue::fresh(&envelope.envelope));
            counts.add(secret, &envelope, &state);
        }
    };
    let mut scan = database.scan(Family::Messages, &[], None);
    while scan
        .step(|key, octets| {
            match key::decode_message(key)? {
                (.., MessageRow::Envelope) => add(last.replace(value::decode(octets)?), None),
                (.., MessageRow::State) => add(last.take(), Some(value::decode(octets)?)),
            }
            Ok(())
        })?
        .is_some()
    {}
    add(last, None);
    Ok(counts)
}
