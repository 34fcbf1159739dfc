//! Typed client of the storage service, for the edges.
//!
//! * [`StorageClient::deposit`] and [`StorageClient::acknowledge`] share one long-lived stream:
//!   entries are batched as they accumulate, survive a broken connection and leave every queue
//!   when their time is over (PFM-05).
//! * [`StorageClient::attach`] yields push jobs and keeps their claims alive, or says that they are
//!   lost (requirements §3.13).
//! * [`StorageClient::admit`] yields an upload that takes the octets of a large message while they
//!   arrive; [`StorageClient::read_part`] reads them back in ranges. Both have a connection of their
//!   own.
//! * [`StorageClient::changes`] tells what the subscribers of this edge have to be told (MWI-10).
//! * [`StorageClient::accept_job`] makes a message to many a durable job, [`StorageClient::fan_out`] yields
//!   legs of jobs to send and reports what came of them (requirements §1.7).
//! * [`StorageClient::claim_reports`] yields delivery reports to send (IMD rows).
//! * [`StorageClient::answer_operators`] answers what operators ask of the edge, which comes through the service.
//! * [`Deposited`] is the proof that a message is on disk (P1): nothing but the decoder of the
//!   storage service's reply makes one.
//!
//! It is not: a cache, a place that keeps messages (an edge holds nothing that matters), a client
//! for operators.
//!
//! Limits: [`ClientConfig::window`] unanswered entries, each at most [`MAX_ENTRY_OCTETS`].

pub mod control;
pub mod deferred;
pub mod delivery;
pub mod deposit;
pub mod fan_out;
pub mod large;
pub mod message;
pub mod registration;
pub mod report;
mod send_gate;
pub mod settings;
pub mod subscription;

mod attach;
mod backoff;
mod channel;
mod client;
mod config;
mod contact;
mod convert;
mod deposited;
mod error;
mod exchange;
mod leases;
mod stay;
mod store_identity;

pub use attach::{PushJob, PushJobs};
pub use channel::{Connect, endpoint_of};
pub use client::StorageClient;
pub use config::{ClientConfig, Connecting, Connector, Octets};
pub use deferred::{ClaimedMessage, DeferredPage};
pub use deposit::{Deposit, DepositAnswer, LegName, Refusal, RefusalReason};
pub use deposited::Deposited;
pub use error::{
    DeferredError, GroupError, PublishError, RegisterError, SubscribeError, Unavailable, innermost,
};
pub use exchange::MAX_ENTRY_OCTETS;
pub use large::{
    AdmissionAnswer, AdmissionRequest, LargeDeposit, PartReader, ReadPartError, Upload, UploadError,
};
pub use store_identity::StoreIdentity;
