//! TCP: connections accepted, and connections made for requests of our own.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use sip::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{Duration, sleep, timeout};

use super::connection::{Connection, Ends};
use super::core::Core;
use super::metric;

/// Connections the kernel completes before we accept them.
const BACKLOG: i32 = 1024;

/// Pause after a failed accept: mostly the process is out of file descriptors, and trying at once would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts until the endpoint closes.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener) {
    let shutdown = core.shutdown.clone();
    shutdown
        .run_until_cancelled(accept_all(&core, &listener))
        .await;
}

async fn accept_all(core: &Arc<Core>, listener: &TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => accept(core, stream, remote),
            Err(error) => {
                tracing::warn!(%error, "accept failed");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn accept(core: &Arc<Core>, stream: TcpStream, remote: SocketAddr) {
    let Ok(permit) = Arc::clone(&core.inbound).try_acquire_owned() else {
        metric::dropped(metric::Drop::ConnectionLimit);
        return;
    };
    let _ = serve_stream(core, stream, remote, Some(permit));
}

fn serve_stream(
    core: &Arc<Core>,
    stream: TcpStream,
    remote: SocketAddr,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
) -> io::Result<Arc<Connection>> {
    stream.set_nodelay(true)?;
    let ends = Ends {
        transport: Transport::Tcp,
        local: stream.local_addr()?,
        remote,
        permit,
    };
    let (reader, writer) = stream.into_split();
    Ok(Connection::serve(core, ends, reader, writer))
}

/// The connection to one address; the lock is held while it is being set up, so that there is only one.
type Slot = Arc<AsyncMutex<Option<Arc<Connection>>>>;

/// Connections we made, by the address they go to.
#[derive(Debug, Default)]
pub(crate) struct ConnectionPool(Mutex<Slots>);

#[derive(Debug, Default)]
struct Slots {
    by_address: HashMap<SocketAddr, Slot>,
    /// Number of slots at which the unused ones are swept out.
    sweep_at: usize,
}

/// Slots that are not worth a sweep.
const FEW: usize = 64;

impl ConnectionPool {
    /// The open connection to `address`, or a new one.
    pub(crate) async fn connect(
        &self,
        core: &Arc<Core>,
        address: SocketAddr,
    ) -> io::Result<Arc<Connection>> {
        let slot = self.slot(address);
        let mut place = slot.lock().await;
        if let Some(connection) = place.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        let stream = timeout(core.config.connect_timeout, TcpStream::connect(address)).await??;
        let connection = serve_stream(core, stream, address, None)?;
        *place = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn slot(&self, address: SocketAddr) -> Slot {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.by_address.len() >= slots.sweep_at.max(FEW) {
            slots.sweep();
        }
        Arc::clone(slots.by_address.entry(address).or_default())
    }
}

impl Slots {
    /// Forgets addresses without an open connection that nobody is filling.
    fn sweep(&mut self) {
        self.by_address
            .retain(|_, slot| Arc::strong_count(slot) > 1 || is_open(slot));
        self.sweep_at = self.by_address.len() * 2;
    }
}

fn is_open(slot: &Slot) -> bool {
    slot.try_lock().is_ok_and(|place| {
        place
            .as_ref()
            .is_some_and(|connection| connection.is_open())
    })
}
