//! Connections made for requests of our own.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::timeout;

use super::connection::Connection;
use super::core::Core;
use super::{tcp, tls};

/// Where a connection goes. One over TLS serves no other name, even at the same address: the peer has not proved that it
/// is that one too (RFC 5922 §4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) address: SocketAddr,
    /// Over TLS: whom the certificate must name.
    pub(crate) name: Option<ServerName<'static>>,
}

impl Destination {
    /// A connection in clear.
    pub(crate) fn clear(address: SocketAddr) -> Self {
        Self {
            address,
            name: None,
        }
    }

    async fn connect(&self, core: &Arc<Core>) -> io::Result<Arc<Connection>> {
        let connecting = TcpStream::connect(self.address);
        let stream = timeout(core.config.connect_timeout, connecting).await??;
        match self.name.clone() {
            Some(name) => tls::connect(core, stream, self.address, name).await,
            None => tcp::serve_clear(core, stream, self.address, None),
        }
    }
}

/// The connection to one destination; the lock is held while it is being set up, so that there is only one.
type Slot = Arc<AsyncMutex<Option<Arc<Connection>>>>;

/// Connections we made, by where they go.
#[derive(Debug, Default)]
pub(crate) struct ConnectionPool(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    by_destination: HashMap<Destination, Slot>,
    /// Number of slots at which the unused ones are swept out.
    sweep_at: usize,
}

/// Slots that are not worth a sweep.
const FEW: usize = 64;

impl ConnectionPool {
    /// The open connection to `destination`, or a new one.
    pub(crate) async fn connect(
        &self,
        core: &Arc<Core>,
        destination: &Destination,
    ) -> io::Result<Arc<Connection>> {
        let slot = self.slot(destination);
        let mut place = slot.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        let connection = destination.connect(core).await?;
        *place = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn slot(&self, destination: &Destination) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.by_destination.len() >= slots.sweep_at.max(FEW) {
            slots.sweep();
        }
        Arc::clone(slots.by_destination.entry(destination.clone()).or_default())
    }
}

impl Slots {
    /// Forgets destinations without an open connection that nobody is filling.
    fn sweep(&mut self) {
        self.by_destination
            .retain(|_, slot| Arc::strong_count(slot) > 1 || is_open(slot));
        self.sweep_at = self.by_destination.len() * 2;
    }
}

fn is_open(slot: &Slot) -> bool {
    slot.try_lock().is_ok_and(|place| {
        place
            .as_ref()
            .is_some_and(|connection| connection.is_open())
    })
}
