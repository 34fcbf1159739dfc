//! Going back to a copy, for subscriptions: owners may have been given epochs after it was made, and NOTIFYs of these have
//! greater CSeqs than what the copy would hand out next. Those are skipped, or subscribers would take what they are told for
//! old (RFC 3261 §12.2.2).

use rocksdb::WriteBatch;

use super::database::Database;
use super::disk::Disk;
use crate::column_family::Family;
use crate::key;
use crate::model::SUBSCRIPTION_EPOCHS;
use crate::store::StoreError;
use crate::value::{self, SubscriptionsValue};

/// Epochs that one subscription may have had since the copy: one for each restart of its edge, and for 65,535 NOTIFYs.
const SKIPPED: u32 = 16;

/// Rows that are written together.
const TOGETHER: usize = 1_000;

/// Skips epochs of all subscriptions. One that has none left ends with its owner.
pub(super) fn skip(database: &Database, disk: &mut dyn Disk) -> Result<(), StoreError> {
    let mut scan = database.scan(Family::Subscriptions, &[], None);
    let mut batch = WriteBatch::default();
    while let Some((mailbox, mut row)) = scan.step(|key, octets| {
        let row: SubscriptionsValue = value::decode(octets)?;
        Ok((key::decode_mailbox(key)?, row))
    })? {
        for subscription in &mut row.subscriptions {
            let epoch = subscription.epoch.saturating_add(SKIPPED);
            subscription.epoch = epoch.min(SUBSCRIPTION_EPOCHS - 1);
        }
        let (place, row) = (key::mailbox(mailbox), value::encode(&row));
        let families = database.families();
        families.put(&mut batch, Family::Subscriptions, &place, &row);
        if batch.len() >= TOGETHER {
            commit(database, disk, std::mem::take(&mut batch))?;
        }
    }
    commit(database, disk, batch)
}

fn commit(database: &Database, disk: &mut dyn Disk, batch: WriteBatch) -> Result<(), StoreError> {
    match batch.is_empty() {
        true => Ok(()),
        false => disk
            .commit(database, batch)
            .map_err(|cause| StoreError::Read { cause }),
    }
}
