//! Storage service: gRPC over a store, delivery scheduler, sweeper.
//!
//! * **Accepted means on disk** (P1): the reply `Deposited` is made in one file, from the proof of
//!   the store that it synced.
//! * **One push per mailbox** (DLV-13): the scheduler gives a mailbox to one edge at a time, the
//!   store's claims hold that against restarts.
//! * **Bounded** (P9): streams have windows, triggers that find no room are made good by looking
//!   through the store, edges have capacities.
//!
//! It is not: a store (that is `storage`, behind its trait), a SIP stack (edges talk to users), a
//! place that keeps state: after a restart all of it is found again in the store.

mod access;
mod account;
mod app;
mod audit;
mod backup;
mod bind;
mod config;
mod connection;
mod convert;
mod deferred;
mod delivery;
mod deposit;
mod door;
mod event_log;
mod fan_out;
mod group;
mod health;
mod import;
mod job;
mod key;
mod large;
mod mailbox;
pub mod maintenance;
mod operator;
mod page_token;
mod process;
mod reading;
mod recall;
mod registration;
mod report;
mod scheduler;
mod secure;
mod serve;
mod settings;
mod status;
mod subscription;
mod suspension;
mod sweeper;
mod upkeep;
mod waiting;
mod watches;

pub use app::App;
pub use bind::Connections;
pub use config::{Common, Config, Dedupe, FanOut, Limits, Process, Provisioning, Push, Retention};
pub use door::{Door, Visitor};

/// The monotonic time of the runtime, which a test may hold.
fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
