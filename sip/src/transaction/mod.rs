//! The transaction layer of RFC 3261 §17, with the corrections of RFC 6026.
//!
//! Four machines, one file each, one function per state; [`Layer`] finds the machine a message belongs to and carries
//! out what it asks for. Time is an argument, bytes go out by [`Layer::poll_transmit`] and news by
//! [`Layer::poll_event`]; there is no socket, task, lock or clock. What it is not: it knows no addresses (a peer is any
//! `P`), resolves nothing, and does not judge requests beyond finding their transaction.

mod arena;
mod invite_client;
mod invite_server;
mod key;
mod layer;
mod non_invite_client;
mod non_invite_server;
mod step;
#[cfg(test)]
mod tests;
mod timer;
mod timer_queue;

pub use layer::{ClientId, Event, Layer, LayerFull, LayerLimits, ServerId, Transmit};
pub use timer::{Timer, Timers};
