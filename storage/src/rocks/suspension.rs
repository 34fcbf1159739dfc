//! Suspensions in this engine: one row, rewritten as a whole.

use std::sync::Arc;

use super::RocksStore;
use super::queue::Lane;
use super::submit::{Operation, submit};
use super::transaction::{Interrupt, Transaction};
use crate::column_family::Family;
use crate::key;
use crate::model::{Suspended, Suspension};
use crate::rule::suspension;
use crate::store::{StoreError, Synced};
use crate::suspension::SuspensionStore;
use crate::value::{self, SuspensionsValue};

struct Suspend(Suspension);

impl Operation for Suspend {
    type Answer = ();

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let all = transaction.suspensions()?.unwrap_or_default();
        let all = suspension::with(&all.0, &self.0, transaction.times.wall)?;
        transaction.set_suspensions(Some(Arc::new(SuspensionsValue(all))));
        Ok(())
    }
}

struct Cancel(Suspended);

impl Operation for Cancel {
    type Answer = Option<Suspension>;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Option<Suspension>, Interrupt> {
        let all = transaction.suspensions()?.unwrap_or_default();
        let (left, ended) = suspension::without(&all.0, &self.0, transaction.times.wall);
        if ended.is_some() {
            let row = (!left.is_empty()).then(|| Arc::new(SuspensionsValue(left)));
            transaction.set_suspensions(row);
        }
        Ok(ended)
    }
}

impl SuspensionStore for RocksStore {
    async fn suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        self.read(|shared| {
            let row = shared.database.read(Family::Meta, &key::SUSPENSIONS)?;
            let all: Option<SuspensionsValue> = row.map(|row| value::decode(&row)).transpose()?;
            let all = all.unwrap_or_default();
            Ok(suspension::live(&all.0, shared.times.read().wall))
        })
        .await
    }

    async fn suspend(&self, suspension: Suspension) -> Result<Synced<()>, StoreError> {
        let suspended = submit(&self.shared, &self.queues, Suspend(suspension)).await;
        suspended.map(Synced::after_sync)
    }

    async fn cancel_suspension(
        &self,
        target: Suspended,
    ) -> Result<Option<Synced<Suspension>>, StoreError> {
        let ended = submit(&self.shared, &self.queues, Cancel(target)).await?;
        Ok(ended.map(Synced::after_sync))
    }
}
