//! Imports into the model.

use super::MemoryStore;
use super::deposits::Decided;
use super::model::Model;
use crate::import::ImportStore;
use crate::model::{DepositOutcome, Import, ImportForecast, Importer};
use crate::rule::import::Terms;
use crate::store::StoreError;
use crate::timekeeper::Times;

fn import(model: &mut Model, messages: Vec<Import>, by: &Importer, times: Times) -> Vec<Decided> {
    let messages = messages.into_iter();
    let decided = messages.map(|message| {
        let (deposit, terms) = Terms::of(message, by);
        model.deposit_as(deposit, None, Some(&terms), times)
    });
    decided.collect()
}

impl ImportStore for MemoryStore {
    async fn import(
        &self,
        messages: Vec<Import>,
        by: Importer,
    ) -> Result<Vec<DepositOutcome>, StoreError> {
        let decided = self.write(|model, times| Ok(import(model, messages, &by, times)));
        let decided = decided.await?.into_iter();
        Ok(decided.map(Decided::into_outcome).collect())
    }

    async fn rehearse_import(
        &self,
        messages: Vec<Import>,
    ) -> Result<Vec<ImportForecast>, StoreError> {
        self.read(|model, times| {
            let mut rehearsed = model.clone();
            let decided = import(&mut rehearsed, messages, &Importer::default(), times);
            Ok(decided.into_iter().map(Decided::into_forecast).collect())
        })
    }
}
