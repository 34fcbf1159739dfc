//! What the network brings to the transaction user.

use std::net::SocketAddr;

use sip::{Request, Transport};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::flow::Flow;
use super::server_transaction::ServerTransaction;
use crate::tls::PeerNames;

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The transport it arrived by, whatever its Via says.
    pub transport: Transport,
    /// The peer's address as the socket saw it.
    pub remote: SocketAddr,
    /// The address of ours it arrived at.
    pub local: SocketAddr,
    /// The names that the peer's certificate proves; none without TLS, or if no certificate was asked for (3.8).
    pub peer_names: PeerNames,
    /// The way back.
    pub flow: Flow,
}

impl Source {
    pub(crate) fn of(flow: &Flow) -> Self {
        let (transport, remote, local) = (flow.transport(), flow.remote(), flow.local());
        Self {
            transport,
            remote,
            local,
            peer_names: flow.peer_names(),
            flow: flow.clone(),
        }
    }
}

/// A request that passed [`Request::check`] and is no retransmission.
#[derive(Debug)]
pub enum Arrival {
    /// A request that wants an answer.
    Request(ServerTransaction),
    /// The ACK of a 2xx. Copies of it arrive too, one per copy of the 2xx.
    Ack {
        /// The ACK.
        request: Request,
        /// Where it came from.
        source: Source,
    },
}

/// The requests of one endpoint, in the order in which they came in.
#[derive(Debug)]
pub struct Incoming {
    queue: mpsc::Receiver<Arrival>,
    shutdown: CancellationToken,
}

impl Incoming {
    pub(crate) fn new(queue: mpsc::Receiver<Arrival>, shutdown: CancellationToken) -> Self {
        Self { queue, shutdown }
    }

    /// The next arrival; none once the endpoint is closed and the queue empty. Loses nothing when dropped halfway.
    pub async fn next(&mut self) -> Option<Arrival> {
        if let Ok(arrival) = self.queue.try_recv() {
            return Some(arrival);
        }
        tokio::select! {
            biased;
            arrival = self.queue.recv() => arrival,
            () = self.shutdown.cancelled() => self.queue.try_recv().ok(),
        }
    }
}
