//! Where bytes go: a connection, or a UDP socket and an address (RFC 5626 §2).

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use sip::Transport;
use tokio::sync::watch;

use super::connection::Connection;
use super::error::NotSent;
use super::inbox::InboxSender;
use super::udp::UdpChannel;
use crate::tls::PeerNames;

/// The way to one peer: one connection, or one UDP socket of ours with the peer's address. Cheap to clone; requests to
/// a binding that registered on it go the same way back ([`Target::Flow`](super::Target), `REG-03`).
#[derive(Clone, Debug)]
pub struct Flow(Channel);

#[derive(Clone, Debug)]
enum Channel {
    Udp {
        socket: Arc<UdpChannel>,
        remote: SocketAddr,
    },
    Stream(Arc<Connection>),
}

impl Flow {
    pub(crate) fn udp(socket: Arc<UdpChannel>, remote: SocketAddr) -> Self {
        Self(Channel::Udp { socket, remote })
    }

    pub(crate) fn stream(connection: Arc<Connection>) -> Self {
        Self(Channel::Stream(connection))
    }

    /// The transport as a Via names it.
    #[must_use]
    pub fn transport(&self) -> Transport {
        match &self.0 {
            Channel::Udp { .. } => Transport::Udp,
            Channel::Stream(connection) => connection.transport(),
        }
    }

    /// Our end.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        match &self.0 {
            Channel::Udp { socket, .. } => socket.local(),
            Channel::Stream(connection) => connection.local(),
        }
    }

    /// The peer's end.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        match &self.0 {
            Channel::Udp { remote, .. } => *remote,
            Channel::Stream(connection) => connection.remote(),
        }
    }

    /// False once the connection has gone; a UDP flow is always open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.0 {
            Channel::Udp { .. } => true,
            Channel::Stream(connection) => connection.is_open(),
        }
    }

    /// The names the peer has proved, in either role.
    pub(crate) fn peer_names(&self) -> PeerNames {
        match &self.0 {
            Channel::Udp { .. } => PeerNames::default(),
            Channel::Stream(connection) => connection.peer_names().clone(),
        }
    }

    /// Waits until the connection has failed, so that what was sent on it may not have arrived. A peer that closes its
    /// connection in order has failed nobody: its responses come on another one (RFC 3261 §18.2.2).
    pub(crate) async fn failed(&self) {
        match &self.0 {
            Channel::Udp { .. } => std::future::pending().await,
            Channel::Stream(connection) => connection.failed().await,
        }
    }

    /// Sends without waiting. A connection ignores `destination`, a UDP socket sends there instead of to the remote.
    pub(crate) fn send(&self, bytes: &Bytes, destination: SocketAddr) -> Result<(), NotSent> {
        match &self.0 {
            Channel::Udp { socket, .. } => Ok(socket.send(bytes, destination)?),
            Channel::Stream(connection) => connection.send(bytes.clone()),
        }
    }
}

/// Two flows are the same if bytes sent on them take the same way.
impl PartialEq for Flow {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Channel::Stream(one), Channel::Stream(two)) => Arc::ptr_eq(one, two),
            (Channel::Udp { .. }, Channel::Udp { .. }) => {
                (self.local(), self.remote()) == (other.local(), other.remote())
            }
            _ => false,
        }
    }
}

impl Eq for Flow {}

/// A peer of the transaction layer: the way there, and who waits for news of the transaction.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) flow: Flow,
    /// Where responses go by RFC 3261 §18.2.2, also when the flow has gone; the flow's remote for requests.
    pub(crate) destination: SocketAddr,
    pub(crate) listener: Listener,
}

/// Who is told about the transaction.
#[derive(Clone, Debug)]
pub(crate) enum Listener {
    Nobody,
    Client(Arc<InboxSender>),
    Invite(Arc<watch::Sender<Progress>>),
}

/// What happens to an INVITE that the transaction user has in hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Pending,
    Cancelled,
    Expired,
}

impl Peer {
    pub(crate) fn send(&self, bytes: &Bytes) -> Result<(), NotSent> {
        self.flow.send(bytes, self.destination)
    }
}
