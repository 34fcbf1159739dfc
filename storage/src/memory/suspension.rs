//! Suspensions of the model.

use super::MemoryStore;
use crate::model::{Suspended, Suspension};
use crate::rule::suspension;
use crate::store::{StoreError, Synced};
use crate::suspension::SuspensionStore;

impl SuspensionStore for MemoryStore {
    async fn suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        self.read(|model, times| Ok(suspension::live(&model.suspensions, times.wall)))
    }

    async fn suspend(&self, new: Suspension) -> Result<Synced<()>, StoreError> {
        let suspended = self.write(|model, times| {
            model.suspensions = suspension::with(&model.suspensions, &new, times.wall)?;
            Ok(())
        });
        suspended.await.map(Synced::after_sync)
    }

    async fn cancel_suspension(
        &self,
        target: Suspended,
    ) -> Result<Option<Synced<Suspension>>, StoreError> {
        let ended = self.write(|model, times| {
            let (left, ended) = suspension::without(&model.suspensions, &target, times.wall);
            model.suspensions = left;
            Ok(ended)
        });
        Ok(ended.await?.map(Synced::after_sync))
    }
}
