//! The keys of a store in this engine: read at opening, wrapped anew by another master key.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::RocksStore;
use super::database::Database;
use super::open_error::OpenError;
use super::operation::sweep::Barrier;
use super::queue::Lane;
use super::shared::Shared;
use super::submit::Operation;
use super::transaction::{Interrupt, Transaction};
use crate::column_family::Family;
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
        self.shared.database.keyring().replace_masters(masters);
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
        if !self.shared.database.keyring().is_on() {
            return Ok(());
        }
        let shared = Arc::clone(&self.shared);
        let wiping =
            tokio::task::spawn_blocking(move || shared.database.wipe_obsolete(Family::DataKeys));
        let wiped = wiping.await.map_err(|_| StoreError::Closed)?;
        wiped.map_err(|cause| StoreError::Read { cause })
    }
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
            let owner = crate::key::decode_data_key(place)?;
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
        for owner in &self.0 {
            transaction.rewrap(*owner);
        }
        Ok(())
    }
}
