//! Messages that are taken over from another store. A part of the contract of [`crate::Store`].

use std::future::Future;

use crate::model::{DepositOutcome, Import, ImportForecast, Importer};
use crate::store::StoreError;

/// Taking messages over.
pub trait ImportStore: Send + Sync + 'static {
    /// Stores messages in this order, or finds that they are there: all of them are decided in one batch, so that after a
    /// failure either each or none is there, and what comes next keeps the order. An outcome for each, in their order.
    ///
    /// Decides as for a deposit, but for this: nothing makes way for what is taken over, and one that comes again is
    /// recognised until it expires, and for the window in which retries are.
    fn import(
        &self,
        messages: Vec<Import>,
        by: Importer,
    ) -> impl Future<Output = Result<Vec<DepositOutcome>, StoreError>> + Send;

    /// What an import of these would come to right now. Changes nothing.
    fn rehearse_import(
        &self,
        messages: Vec<Import>,
    ) -> impl Future<Output = Result<Vec<ImportForecast>, StoreError>> + Send;
}
