//! TCP: listening, and connections in clear.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use sip::Transport;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Duration, sleep};

use super::connection::{Connection, Ends};
use super::core::Core;
use super::{metric, tls};
use crate::places::Place;
use crate::tls::PeerNames;

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

/// Accepts for this transport until the endpoint closes.
pub(crate) async fn serve(core: Arc<Core>, listener: TcpListener, transport: Transport) {
    let shutdown = core.shutdown.clone();
    shutdown
        .run_until_cancelled(accept_all(&core, &listener, transport))
        .await;
}

async fn accept_all(core: &Arc<Core>, listener: &TcpListener, transport: Transport) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => accept(core, stream, remote, transport),
            Err(error) => {
                tracing::warn!(event = "sip.accept_failed", %error, "SIP connections cannot be accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn accept(core: &Arc<Core>, stream: TcpStream, remote: SocketAddr, transport: Transport) {
    let Some(permit) = core.inbound.take(remote.ip()) else {
        metric::dropped(metric::Drop::ConnectionLimit);
        return;
    };
    if transport == Transport::Tls {
        core.tasks
            .spawn(tls::accept(Arc::clone(core), stream, remote, permit));
    } else {
        // A stream that cannot even be asked for its address is closed by being dropped.
        let _ = serve_clear(core, stream, remote, Some(permit));
    }
}

/// Serves a connection in clear.
pub(crate) fn serve_clear(
    core: &Arc<Core>,
    stream: TcpStream,
    remote: SocketAddr,
    permit: Option<Place>,
) -> io::Result<Arc<Connection>> {
    stream.set_nodelay(true)?;
    let ends = Ends {
        transport: Transport::Tcp,
        local: stream.local_addr()?,
        remote,
        peer_names: PeerNames::default(),
        permit,
    };
    let (reader, writer) = stream.into_split();
    Ok(Connection::serve(core, ends, reader, writer))
}
