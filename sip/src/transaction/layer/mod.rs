//! Finds the transaction of each message, drives its machine and carries out the effects.
//!
//! All tables are bounded by [`LayerLimits`]. When the server table is full, completed non-INVITE transactions are
//! retired before their Timer J, the longest completed first; only if there is none a request is turned away
//! ([`Event::Overflow`]).

mod client;
mod derived;
mod server;

use std::collections::VecDeque;
use std::time::Instant;

use bytes::Bytes;

use crate::StatusCode;
use crate::message::{Request, Response};

use self::client::Clients;
use self::server::Servers;
use super::arena::Slot;
use super::step::Context;
use super::timer::{Timer, Timers};
use super::timer_queue::TimerQueue;

/// A client transaction; never reused within one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Slot);

/// A server transaction; never reused within one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(Slot);

/// Whose timer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TransactionId {
    Client(ClientId),
    Server(ServerId),
}

/// How many transactions a layer holds at most, those included that only wait for retransmissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerLimits {
    /// Over UDP each answered request stays for 32 s (Timer J): 20,000 requests a second need 640,000.
    pub server_transactions: usize,
    /// Requests of our own that wait for an answer or its retransmissions.
    pub client_transactions: usize,
}

impl Default for LayerLimits {
    fn default() -> Self {
        Self {
            server_transactions: 1 << 20,
            client_transactions: 1 << 18,
        }
    }
}

/// The client table is full: nothing was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many client transactions")]
pub struct LayerFull;

/// Bytes to send.
#[derive(Clone, Debug)]
pub struct Transmit<P> {
    /// Where to.
    pub peer: P,
    /// The message as it goes on the wire.
    pub bytes: Bytes,
    /// The transaction to name in [`Layer::handle_transport_failure`] if the bytes cannot be sent.
    pub client: Option<ClientId>,
}

/// News for the transaction user.
#[derive(Clone, Debug)]
pub enum Event<P> {
    /// A request that was not here before; it wants [`Layer::respond`].
    Request {
        /// The transaction to respond in.
        id: ServerId,
        /// The request.
        request: Request,
        /// Where it came from.
        peer: P,
    },
    /// A request that already arrived by another path and is still alive; it wants a 482 (RFC 3261 §8.2.2.2, `ERR-06`).
    Merged {
        /// The transaction to respond in.
        id: ServerId,
        /// The request.
        request: Request,
        /// Where it came from.
        peer: P,
    },
    /// A request that found no room; it wants a 503 outside any transaction (`P9`).
    Overflow {
        /// The request.
        request: Request,
        /// Where it came from.
        peer: P,
    },
    /// An ACK that belongs to a 2xx, thus to a dialog.
    Ack {
        /// The ACK.
        request: Request,
        /// Where it came from.
        peer: P,
    },
    /// A CANCEL, which is answered here and now with this status and tag (RFC 3261 §9.2): it wants [`Layer::respond`]
    /// at once, with what every answer of this element says besides.
    Cancel {
        /// The transaction to respond in.
        id: ServerId,
        /// The CANCEL.
        request: Request,
        /// 200, or 481 if there is no such INVITE.
        status: StatusCode,
        /// The tag of its To, which the responses to the INVITE share as far as the layer gives them.
        to_tag: String,
    },
    /// An INVITE without final response was cancelled; it wants a 487 (RFC 3261 §9.2, `ERR-20`).
    Cancelled {
        /// The transaction of the INVITE.
        id: ServerId,
        /// Where the INVITE came from.
        peer: P,
    },
    /// A response to one of our requests: any number of 1xx, then one final; each copy of a 2xx to an INVITE.
    Response {
        /// The transaction of the request.
        id: ClientId,
        /// The response.
        response: Response,
        /// Where the request went.
        peer: P,
    },
    /// No final response in time (Timers B, C and F, or 64·T1 after a CANCEL): counts as a 408.
    Timeout {
        /// The transaction that has ended.
        id: ClientId,
        /// Where the request went.
        peer: P,
    },
    /// The request could not be sent (RFC 3261 §17.1.4): counts as a 503.
    Unreachable {
        /// The transaction that has ended.
        id: ClientId,
        /// Where the request went.
        peer: P,
    },
    /// A final response to an INVITE was never acknowledged (Timers H and L); after a 2xx the dialog wants a BYE.
    ServerExpired {
        /// The transaction that has ended.
        id: ServerId,
        /// Where the INVITE came from.
        peer: P,
    },
}

/// The transaction layer of one element towards peers of type `P`.
#[derive(Debug)]
pub struct Layer<P> {
    timers: Timers,
    clients: Clients<P>,
    servers: Servers<P>,
    queue: TimerQueue<TransactionId>,
    outbox: Outbox<P>,
}

/// What waits to be polled.
#[derive(Debug)]
struct Outbox<P> {
    transmits: VecDeque<Transmit<P>>,
    events: VecDeque<Event<P>>,
}

impl<P: Clone> Layer<P> {
    /// An empty layer.
    #[must_use]
    pub fn new(timers: Timers, limits: LayerLimits) -> Self {
        Self {
            timers,
            clients: Clients::new(limits.client_transactions),
            servers: Servers::new(limits.server_transactions),
            queue: TimerQueue::new(),
            outbox: Outbox {
                transmits: VecDeque::new(),
                events: VecDeque::new(),
            },
        }
    }

    /// Runs every timer that has fired by `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((timer, id)) = self.queue.fired(now) {
            match id {
                TransactionId::Client(id) => self.client_timer(now, id, timer),
                TransactionId::Server(id) => self.server_timer(now, id, timer),
            }
        }
        let Self {
            queue,
            clients,
            servers,
            ..
        } = self;
        queue.prune(|id| match id {
            TransactionId::Client(id) => clients.contains(id),
            TransactionId::Server(id) => servers.contains(id),
        });
    }

    /// When [`Layer::handle_timeout`] is wanted next; none while nothing runs.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.queue.next()
    }

    /// The next bytes to send; to be called until there are none.
    pub fn poll_transmit(&mut self) -> Option<Transmit<P>> {
        self.outbox.transmits.pop_front()
    }

    /// The next news; to be called until there are none.
    pub fn poll_event(&mut self) -> Option<Event<P>> {
        self.outbox.events.pop_front()
    }

    /// Server and client transactions alive.
    #[must_use]
    pub fn transactions(&self) -> (usize, usize) {
        (self.servers.len(), self.clients.len())
    }

    fn context(&self, now: Instant, reliable: bool) -> Context {
        Context {
            now,
            timers: self.timers,
            reliable,
        }
    }

    /// Makes room in a full server table: Timer J of one completed transaction ends now.
    fn retire_completed(&mut self) -> bool {
        while let Some(id) = self.queue.oldest(Timer::J) {
            if let TransactionId::Server(id) = id
                && self.servers.remove(id)
            {
                return true;
            }
        }
        false
    }
}
