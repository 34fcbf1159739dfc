//! Deliveries that operators have suspended: what is kept of it. A part of the contract of [`crate::Store`], which delivers all
//! the same: whoever begins deliveries looks here first.

use std::future::Future;

use crate::model::{Suspended, Suspension};
use crate::store::{StoreError, Synced};

/// The suspensions of a store: at most [`crate::model::SUSPENSIONS_MAX`].
pub trait SuspensionStore: Send + Sync + 'static {
    /// Those that have not ended, ordered by target.
    fn suspensions(&self) -> impl Future<Output = Result<Vec<Suspension>, StoreError>> + Send;

    /// Adds a suspension, or puts it in the place of one of the same target, and returns once that is synced.
    /// [`StoreError::Precondition`] if there are too many.
    fn suspend(
        &self,
        suspension: Suspension,
    ) -> impl Future<Output = Result<Synced<()>, StoreError>> + Send;

    /// Ends a suspension before its time and returns it, once that is synced; `None` if there is none.
    fn cancel_suspension(
        &self,
        target: Suspended,
    ) -> impl Future<Output = Result<Option<Synced<Suspension>>, StoreError>> + Send;
}
