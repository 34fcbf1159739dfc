//! The event log: what happens to messages, told to others that act on it: gateways that wake a phone
//! (requirements §4.10) or send an SMS (§4.11). A part of the contract of [`crate::Store`].
//!
//! An entry is written in the batch of what it tells, so that nothing is told that a crash undoes, and nothing is
//! left out. Entries have no content. Nothing is written unless [`crate::StoreConfig::event_log`] says so.

use std::future::Future;

use tokio::sync::watch;

use crate::model::{LogPage, LogPosition};
use crate::store::{StoreError, Synced};

/// The event log of a store.
pub trait EventLogStore: Send + Sync + 'static {
    /// Up to `limit` entries after a position, oldest first. [`StoreError::Precondition`] if there is no log.
    fn read_events(
        &self,
        after: LogPosition,
        limit: usize,
    ) -> impl Future<Output = Result<LogPage, StoreError>> + Send;

    /// The position of the last entry on disk, and of each later one; `None` if there is no log.
    fn follow_events(&self) -> Option<watch::Receiver<LogPosition>>;

    /// How far the entries have been handed on, if they ever were.
    fn event_cursor(&self) -> impl Future<Output = Result<Option<LogPosition>, StoreError>> + Send;

    /// Entries up to this one have been handed on. Returns once that is synced.
    fn set_event_cursor(
        &self,
        position: LogPosition,
    ) -> impl Future<Output = Result<Synced<()>, StoreError>> + Send;

    /// Removes entries that are older than their retention, or too many; a bounded number. Returns how many, and whether
    /// there are more.
    fn trim_events(&self) -> impl Future<Output = Result<(usize, bool), StoreError>> + Send;
}
