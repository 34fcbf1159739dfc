//! SIP over UDP, TCP and TLS: the sockets under [`sip::transaction`].
//!
//! Tasks that read parse, lock one shard of the transaction layer for a pure step, and send what it leads to; one task
//! runs the timers. There is no task per transaction. Queues are bounded: a request that finds [`Incoming`] full is
//! answered 503 with `Retry-After` (`P9`), a connection that does not take what is written to it fails.
//!
//! What it is not: it knows no dialogs and judges no request beyond its form (`ERR-01`, `ERR-02`, `ERR-04`).

mod arrival;
mod attempt;
mod client_transaction;
mod config;
mod connection;
mod core;
mod endpoint;
mod error;
mod flow;
mod inbox;
mod metric;
mod pool;
mod receive;
mod server_transaction;
mod target;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;
mod udp;
mod via;

pub use arrival::{Arrival, Incoming, Source};
pub use client_transaction::ClientTransaction;
pub use config::{SipConfig, SipListener};
pub use endpoint::SipEndpoint;
pub use error::{BindError, SendError, TransactionFailure};
pub use flow::Flow;
pub use server_transaction::ServerTransaction;
pub use target::Target;

/// The time by the clock of the runtime, by which timers are waited for too.
fn now() -> std::time::Instant {
    tokio::time::Instant::now().into_std()
}
