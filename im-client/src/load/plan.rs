//! What to send, where and how fast.

use std::net::SocketAddr;
use std::time::Duration;

/// The transport of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// One UDP socket per connection of the plan.
    Udp,
    /// One TCP connection per connection of the plan.
    Tcp,
}

/// When the next request leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pacing {
    /// So many requests in flight over all connections.
    Closed(usize),
    /// So many requests per second over all connections.
    Open(f64),
}

/// A load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where to.
    pub target: SocketAddr,
    /// By what.
    pub transport: Transport,
    /// Over how many sockets or connections.
    pub connections: usize,
    /// How fast.
    pub pacing: Pacing,
    /// Time before anything is counted.
    pub warm_up: Duration,
    /// Time that is counted.
    pub duration: Duration,
    /// Recipients, drawn at random: `user-<n>@<domain>`.
    pub mailboxes: u32,
    /// Senders, drawn at random: `sender-<n>@<domain>`.
    pub senders: u32,
    /// Octets of each body; every body is unique.
    pub body_octets: usize,
    /// The domain of senders and recipients.
    pub domain: String,
    /// Makes Call-IDs and branches of this run unlike those of any other.
    pub run: u64,
}
