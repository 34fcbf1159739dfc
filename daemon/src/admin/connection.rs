//! Connections of an HTTP server, bounded in number and in time.
//!
//! Without these bounds a peer that opens connections and says nothing could hold all of them, and
//! with them the health of the process, or a service of it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

use crate::write_deadline::WriteDeadline;

/// Connections at one time; further ones wait in the backlog of the listener.
const MAX_CONNECTIONS: usize = 64;

/// After this time nothing more is read from a connection. Clients that keep it open for several
/// requests open another one.
const LIFETIME: Duration = Duration::from_secs(30);

/// How long a peer may read nothing of an answer.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Connections at one time of peers that are not known, where some are.
const MAX_STRANGERS: usize = 8;

/// Tells the peers that are known.
type Known = Box<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// A listener whose connections are bounded.
pub struct Bounded {
    listener: TcpListener,
    slots: Arc<Semaphore>,
    /// Where some peers are known, the slots of all others.
    strangers: Option<(Known, Arc<Semaphore>)>,
}

impl Bounded {
    /// Bounds the connections of this listener.
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            strangers: None,
        }
    }

    /// As [`Bounded::new`], but only known peers can use all connections up: of others a few are
    /// served at a time, and what comes beyond is closed.
    pub fn preferring(
        listener: TcpListener,
        known: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        let strangers = Arc::new(Semaphore::new(MAX_STRANGERS));
        Self {
            strangers: Some((Box::new(known), strangers)),
            ..Self::new(listener)
        }
    }

    /// A slot for a peer that has connected; none if there is none left for him.
    async fn slot(&self, peer: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let strangers = self.strangers.as_ref();
        let strangers = strangers.filter(|(known, _)| !known(peer.ip().to_canonical()));
        match strangers {
            Some((_, slots)) => Arc::clone(slots).try_acquire_owned().ok(),
            None => Arc::clone(&self.slots).acquire_owned().await.ok(),
        }
    }
}

impl fmt::Debug for Bounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounded")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            let Some(slot) = self.slot(peer).await else {
                continue;
            };
            let connection = Connection {
                stream: WriteDeadline::new(stream, WRITE_TIME),
                lifetime: Box::pin(sleep(LIFETIME)),
                _slot: slot,
            };
            return (connection, peer);
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that reads as closed when its time is over, and breaks when its peer reads nothing.
#[derive(Debug)]
pub struct Connection {
    stream: WriteDeadline<TcpStream>,
    lifetime: Pin<Box<Sleep>>,
    _slot: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.lifetime.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_reads_as_closed_after_its_lifetime() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let mut listener = Bounded::new(listener);
        let _peer = TcpStream::connect(listener.local_addr().expect("bound")).await;
        let (mut connection, _) = Listener::accept(&mut listener).await;
        assert_eq!(listener.slots.available_permits(), MAX_CONNECTIONS - 1);

        let accepted = Instant::now();
        assert_eq!(connection.read(&mut [0; 16]).await.expect("no error"), 0);
        assert_eq!(accepted.elapsed().as_secs(), LIFETIME.as_secs());

        drop(connection);
        assert_eq!(listener.slots.available_permits(), MAX_CONNECTIONS);
    }

    #[tokio::test]
    async fn strangers_have_few_slots_and_none_of_those_who_are_known() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let mut listener = Bounded::preferring(listener, move |peer| peer == address.ip());
        let mut strangers = Vec::new();
        for _ in 0..=MAX_STRANGERS {
            let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
            let free = SocketAddr::from(([127, 0, 0, 2], 0));
            socket.bind(free).expect("an address of loopback");
            strangers.push(socket.connect(address).await.expect("a backlog"));
        }
        let mut served = Vec::new();
        for _ in 0..MAX_STRANGERS {
            served.push(Listener::accept(&mut listener).await);
        }
        let _known = TcpStream::connect(address).await.expect("a backlog");
        let (_connection, peer) = Listener::accept(&mut listener).await;
        assert_eq!(peer.ip(), address.ip(), "the stranger too many is closed");
        let mut last = strangers.pop().expect("one too many");
        assert_eq!(last.read(&mut [0; 16]).await.expect("a close"), 0);
        assert_eq!(listener.slots.available_permits(), MAX_CONNECTIONS - 1);
    }
}
