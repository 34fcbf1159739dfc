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
//! * **A store that cannot promise says so** (P2): after a failed sync it accepts and delivers nothing
//!   until it is opened again ([`StoreError::Latched`]).
//! * **Bounded** (P9): three queues with limits, groups of at most 128 operations or 1 MiB, takes and
//!   pages with bounds. In memory for good: some 32 octets per address, 24 per mailbox with something
//!   to deliver, and the bindings of accounts that have registered.
//!
//! Limits: a message is handed over and taken as a whole, so its content is in memory while it is
//! stored and while it is taken; [`Store::read_part`] reads pieces.
//!
//! Every engine passes the same battery of claims (`battery`), and random histories are compared
//! between the two (`model_test`). What is on disk is in `docs/storage-format.md`.
//!
//! ```
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! use restante_storage::model::{Address, SystemClock};
//! use restante_storage::{MemoryStore, Store, StoreConfig};
//!
//! let store = MemoryStore::new(StoreConfig::default(), SystemClock);
//! let bob = Address::new("sip:bob@example.org");
//! let mailbox = store.create_account(bob.clone()).await?.into_inner();
//! assert_eq!(store.mailbox(bob).await?, Some(mailbox));
//! # Ok::<_, restante_storage::StoreError>(()) }).unwrap();
//! ```
//!
//! It is not: a network service (that is `service`), a SIP parser (addresses and header values
//! are opaque text here), a scheduler (nothing is delivered from here).

// Fuzz targets reach keys and values, which are private, by a module that is there for them alone; and they do without
// the engine, which would cost them a build of RocksDB.
#![allow(
    unexpected_cfgs,
    reason = "cargo-fuzz compiles with cfg(fuzzing), which Cargo does not know"
)]
#![cfg_attr(
    fuzzing,
    allow(
        dead_code,
        unused_imports,
        reason = "what the engine alone uses is there without it"
    )
)]

#[cfg(test)]
mod battery;
mod column_family;
pub mod config;
pub mod event_log;
pub mod fan_out;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod import;
mod key;
pub mod memory;
pub mod model;
#[cfg(test)]
mod model_test;
mod report;
#[cfg(not(fuzzing))]
pub mod rocks;
mod rule;
mod sealing;
pub mod store;
pub mod suspension;
mod timekeeper;
pub mod upkeep;
mod value;
mod watch;

pub use config::{Bounds, StoreConfig};
pub use fan_out::FanOutStore;
pub use import::ImportStore;
pub use memory::MemoryStore;
pub use report::{ReportStore, ReportWatch};
#[cfg(not(fuzzing))]
pub use rocks::{FolderLock, OpenError, RocksStore};
pub use sealing::{KeyStatus, MasterKeys, MasterKeysError};
pub use store::{Outcomes, Store, StoreError, Swept, Synced};
pub use suspension::SuspensionStore;
pub use upkeep::{CheckReport, Finding, UpkeepStore, Walk};
pub use watch::MailboxWatch;
