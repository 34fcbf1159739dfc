//! The keys of a store in this engine: read at opening, wrapped anew by another master key.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocksdb::WriteBatch;

use super::RocksStore;
use super::database::Database;
use super::disk::Disk;
use super::open_error::OpenError;
use super::operation::sweep::Barrier;
use super::queue::Lane;
use super::shared::Shared;
use super::submit::Operation;
use super::transaction::{Interrupt, Transaction};
use crate::column_family::Family;
use crate::key;
use crate::sealing::{KeyOwner, KeyStatus, Locked, MasterKeys};
use crate::store::StoreError;
use crate::value;

/// Keys that are wrapped anew in one operation.
const REWRAPPED_AT_ONCE: usize = 256;

/// Reads the keys of a store that has some. Every one is tried: with a wrong master key the store is not opened.
pub(super) fn unlock(database: &Database, folder: &Path) -> Result<(), OpenError> {
    let folder = folder.to_owned();
    let mut scan = database.scan(Family::DataKeys, &[], None);
    let mut step = || scan.step(|place, row| Ok(database.keyring().learn(place, row)));
    loop {
        let learned = step().map_err(|error| OpenError::Damaged {
            folder: folder.clone(),
            cause: error.to_string(),
        })?;
        return Err(match learned {
            None => return Ok(()),
            Some(Ok(())) => continue,
            Some(Err(Locked::NoMaster)) => OpenError::NoMasterKey { folder },
            Some(Err(Locked::Unknown(id))) => OpenError::UnknownMasterKey { folder, id },
            Some(Err(Locked::Wrong(id))) => OpenError::WrongMasterKey { folder, id },
            Some(Err(Locked::Malformed)) => OpenError::Damaged {
                folder,
                cause: "a row of a key".to_owned(),
            },
        });
    }
}

impl RocksStore {
    /// Afterwards no file of the store holds a key that was wrapped before. Where the disk fails in between, what is wrapped
    /// anew stays so, and another call does the rest.
    pub(super) async fn rotate(&self, masters: MasterKeys) -> Result<KeyStatus, StoreError> {
        let status = self.read(|shared| shared.key_status()).await?;
        check(&status, &masters)?;
        let current = masters.current();
        let replaced = self.shared.database.keyring().replace_masters(masters);
        replaced.map_err(|id| StoreError::Precondition {
            reason: format!("master key {id} is another one than before: a new key takes a new id"),
        })?;
        // Keys that were made before, and wrapped by another one, are on disk after this.
        self.submit(Barrier).await?;
        let outdated = self
            .read(move |shared| shared.wrapped_by_others(current))
            .await?;
        for owners in outdated.chunks(REWRAPPED_AT_ONCE) {
            self.submit(Rewrap(owners.to_vec())).await?;
        }
        self.wipe_obsolete_keys().await?;
        self.read(|shared| shared.key_status()).await
    }

    /// Removes keys that were deleted or wrapped anew from all files.
    pub(super) async fn wipe_obsolete_keys(&self) -> Result<(), StoreError> {
        let shared = Arc::clone(&self.shared);
        let is_noted = |shared: &Shared| {
            let database = &shared.database;
            database.contains(Family::Meta, &key::OBSOLETE_KEYS)
        };
        if !self.read(is_noted).await? {
            return Ok(());
        }
        let before = shared.obsolete_keys.load(Ordering::Acquire);
        let wiping =
            tokio::task::spawn_blocking(move || shared.database.wipe_obsolete(Family::DataKeys));
        let wiped = wiping.await.map_err(|_| StoreError::Closed)?;
        wiped.map_err(|cause| StoreError::Read { cause })?;
        self.submit(Wiped(before)).await
    }
}

/// What was noted as obsolete up to then is in no file any more.
struct Wiped(u64);

impl Operation for Wiped {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        if transaction.shared.obsolete_keys.load(Ordering::Acquire) == self.0 {
            transaction.erase(Family::Meta, key::OBSOLETE_KEYS);
        }
        Ok(())
    }
}

/// Does what was left undone when the process died in the middle: keys that were deleted or wrapped anew go from all files.
/// Where the disk refuses, the next opening tries again.
pub(super) fn wipe_what_was_left(
    database: &Database,
    disk: &mut dyn Disk,
) -> Result<(), StoreError> {
    if !database.contains(Family::Meta, &key::OBSOLETE_KEYS)? {
        return Ok(());
    }
    let wiped = database.wipe_obsolete(Family::DataKeys).and_then(|()| {
        let mut batch = WriteBatch::default();
        let families = database.families();
        families.delete(&mut batch, Family::Meta, &key::OBSOLETE_KEYS);
        disk.commit(database, batch)
    });
    if let Err(cause) = wiped {
        tracing::warn!(event = "keys.not_wiped", error = %cause, "keys that were deleted are still in files");
    }
    Ok(())
}

/// Every key must be wrapped by one of these.
fn check(status: &KeyStatus, masters: &MasterKeys) -> Result<(), StoreError> {
    let reason = match status.current {
        0 => Some(
            "nothing is encrypted: name the master keys in the configuration and start again"
                .to_owned(),
        ),
        _ => {
            let mut needed = status.wrapped.iter().filter(|(_, keys)| *keys > 0);
            let missing = needed.find(|(id, _)| masters.ids().all(|known| known != *id));
            missing.map(|(id, keys)| {
                format!("master key {id} still wraps {keys} keys and is not there")
            })
        }
    };
    reason.map_or(Ok(()), |reason| Err(StoreError::Precondition { reason }))
}

impl Shared {
    pub(super) fn key_status(&self) -> Result<KeyStatus, StoreError> {
        let mut status = self.database.keyring().status();
        let mut wrapped: BTreeMap<u32, u64> = status.wrapped.iter().copied().collect();
        let mut scan = self.database.scan(Family::DataKeys, &[], None);
        while let Some(id) = scan.step(|_, row| Ok(value::wrapped_by(row)))? {
            *wrapped.entry(id.unwrap_or_default()).or_default() += 1;
        }
        status.wrapped = wrapped.into_iter().collect();
        Ok(status)
    }

    fn wrapped_by_others(&self, current: u32) -> Result<Vec<KeyOwner>, StoreError> {
        let mut found = Vec::new();
        let mut scan = self.database.scan(Family::DataKeys, &[], None);
        while let Some(owner) = scan.step(|place, row| {
            let is_current = value::wrapped_by(row) == Some(current);
            let owner = key::decode_data_key(place)?;
            Ok((!is_current).then_some(owner))
        })? {
            found.extend(owner);
        }
        Ok(found)
    }
}

/// Wraps keys anew by the current master key. One that is gone meanwhile stays so.
struct Rewrap(Vec<KeyOwner>);

impl Operation for Rewrap {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn octets(&self) -> usize {
        self.0.len() * 128
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        transaction.note_obsolete_keys();
        for owner in &self.0 {
            transaction.rewrap(*owner);
        }
        Ok(())
    }
}
