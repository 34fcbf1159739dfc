//! Taking messages over from another store: many deposits as one operation, so that one group has all of them, in their order.

use std::sync::{Arc, Mutex, PoisonError};

use super::RocksStore;
use super::operation::deposit::{Decided, DepositMessage};
use super::queue::Lane;
use super::rehearsal::rehearse;
use super::shared::Shared;
use super::submit::{Operation, submit};
use super::transaction::{Interrupt, Transaction};
use crate::import::ImportStore;
use crate::model::{DepositOutcome, Import, ImportForecast, Importer};
use crate::store::StoreError;

struct ImportMessages(Vec<DepositMessage>);

impl ImportMessages {
    fn new(messages: Vec<Import>, by: &Importer, shared: &Shared) -> Self {
        let messages = messages.into_iter();
        Self(
            messages
                .map(|message| DepositMessage::of_import(message, by, shared))
                .collect(),
        )
    }
}

impl Operation for ImportMessages {
    type Answer = Vec<Decided>;

    const LANE: Lane = Lane::Bulk;

    fn octets(&self) -> usize {
        self.0.iter().map(Operation::octets).sum()
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Vec<Decided>, Interrupt> {
        let all = self.0.iter();
        all.map(|message| message.run(transaction)).collect()
    }
}

impl ImportStore for RocksStore {
    async fn import(
        &self,
        messages: Vec<Import>,
        by: Importer,
    ) -> Result<Vec<DepositOutcome>, StoreError> {
        // Hashing and encrypting a batch takes milliseconds.
        let operation = self
            .read(move |shared| Ok(ImportMessages::new(messages, &by, shared)))
            .await?;
        let decided = submit(&self.shared, &self.queues, operation).await?;
        Ok(decided.into_iter().map(Decided::into_outcome).collect())
    }

    async fn rehearse_import(
        &self,
        messages: Vec<Import>,
    ) -> Result<Vec<ImportForecast>, StoreError> {
        let by = Importer::default();
        let operation = self
            .read(move |shared| Ok(ImportMessages::new(messages, &by, shared)))
            .await?;
        let forecast = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&forecast);
        rehearse(&self.shared, move |transaction: &mut Transaction<'_>| {
            let decided = operation.run(transaction)?;
            let decided = decided.into_iter().map(Decided::into_forecast);
            *told.lock().unwrap_or_else(PoisonError::into_inner) = decided.collect();
            Ok(())
        })
        .await?;
        let mut forecast = forecast.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *forecast))
    }
}
