//! Mailboxes of deferred messages: the [`Store`] trait, its RocksDB engine and its in-memory model.
//!
//! What this crate promises:
//!
//! * **Accepted means on disk** (P1). A successful deposit yields a [`Synced`] value, which only
//!   this crate can make, and only after the write that holds the content, the envelope, the
//!   indexes, the counters and the dedupe entry was synced.
//! * **One message in, one message stored** (P3): duplicates meet the dedupe entry (requirements
//!   §3.3) and get the first answer again.
//! * **An acknowledgement settles only what it may** (P4): see [`model::ClaimToken`].
//! * **Message-IDs** are unique for ever and without gaps in one life of a store (P6, STO-08).
//!
//! It is not: a network service (that is `service`), a SIP parser (addresses and header values
//! are opaque text here), a scheduler (nothing is delivered from here).

#[cfg(test)]
mod battery;
mod column_family;
pub mod config;
mod key;
pub mod memory;
pub mod model;
#[cfg(test)]
mod model_test;
pub mod rocks;
mod rule;
pub mod store;
mod timekeeper;
mod value;

pub use config::StoreConfig;
pub use memory::MemoryStore;
pub use rocks::{CheckReport, OpenError, RocksStore};
pub use store::{Store, StoreError, Swept, Synced};
