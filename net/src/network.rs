//! A network that is not the operating system's: what a simulation passes in instead of sockets.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::Bytes;
use tokio::io::DuplexStream;

/// What is waited for.
pub type Waiting<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One host's place in it: where its ports are bound and its connections begin. TLS is not spoken there.
pub trait Network: Debug + Send + Sync {
    /// Binds a port for datagrams.
    ///
    /// # Errors
    /// If the address is taken.
    fn bind(&self, address: SocketAddr) -> io::Result<Box<dyn Datagrams>>;

    /// Listens for connections.
    ///
    /// # Errors
    /// If the address is taken.
    fn listen(&self, address: SocketAddr) -> io::Result<Box<dyn Connections>>;

    /// Connects.
    fn connect(&self, address: SocketAddr) -> Waiting<'_, io::Result<DuplexStream>>;
}

/// A bound port for datagrams; free again when dropped.
pub trait Datagrams: Debug + Send + Sync {
    /// Its address.
    fn local(&self) -> SocketAddr;

    /// Sends one datagram without waiting; it may be lost.
    fn send(&self, octets: &Bytes, destination: SocketAddr);

    /// The next datagram and where it came from. Nothing is lost when the future is dropped.
    fn receive(&self) -> Waiting<'_, (Bytes, SocketAddr)>;
}

/// A port that takes connections; free again when dropped.
pub trait Connections: Debug + Send + Sync {
    /// Its address.
    fn local(&self) -> SocketAddr;

    /// The next connection and where it came from. Nothing is lost when the future is dropped.
    fn accept(&self) -> Waiting<'_, (DuplexStream, SocketAddr)>;
}
