//! Next hops and their health: which ones take requests now.
//!
//! [`HopHealth`] is a pure machine: it neither sends nor waits. Its owner reports how requests ended, asks before it
//! sends, and probes (by OPTIONS) the hops that [`poll_probe`](HopHealth::poll_probe) names.

mod health;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;

use sip::Transport;

pub use self::health::{Admission, HopHealth, HopPolicy};
pub use self::state::Outcome;

/// One address to try, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hop {
    /// What carries the request.
    pub transport: Transport,
    /// Where it goes.
    pub address: SocketAddr,
}

impl fmt::Display for Hop {
    /// As in a log: `TCP 192.0.2.1:5060`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.address)
    }
}
