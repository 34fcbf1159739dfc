//! Connections of an HTTP server, bounded in number and in time.
//!
//! Without these bounds a peer that opens connections and says nothing could hold all of them, and
//! with them the health of the process, or a service of it.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep};

/// Connections at one time; further ones wait in the backlog of the listener.
const MAX_CONNECTIONS: usize = 64;

/// After this time nothing more is read from a connection. Clients that keep it open for several
/// requests open another one.
const LIFETIME: Duration = Duration::from_secs(30);

/// A listener whose connections are bounded.
#[derive(Debug)]
pub struct Bounded {
    listener: TcpListener,
    slots: Arc<Semaphore>,
}

impl Bounded {
    /// Bounds the connections of this listener.
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            slots: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
        }
    }
}

impl Listener for Bounded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        let slot = slot.expect("the semaphore is never closed");
        let (stream, peer) = Listener::accept(&mut self.listener).await;
        let lifetime = Box::pin(sleep(LIFETIME));
        (
            Connection {
                stream,
                lifetime,
                _slot: slot,
            },
            peer,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that reads as closed when its time is over.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
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
}
