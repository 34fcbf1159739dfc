//! Connections over TLS: the handshake before [`Connection::serve`].

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use sip::Transport;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::connection::{Connection, Ends};
use super::core::Core;
use super::metric;
use crate::places::Place;
use crate::tls::{PeerNames, SipTls};

/// Serves a connection that a peer made, if the handshake succeeds; its place among the connections is taken all along.
pub(crate) async fn accept(core: Arc<Core>, stream: TcpStream, remote: SocketAddr, permit: Place) {
    let accepting = accept_stream(&core, stream, remote, permit);
    let accepted = core.shutdown.run_until_cancelled(accepting).await;
    if let Some(Err(error)) = accepted {
        tracing::debug!(%error, "tls handshake of a peer failed");
        metric::dropped(metric::Drop::TlsHandshake);
    }
}

async fn accept_stream(
    core: &Arc<Core>,
    stream: TcpStream,
    remote: SocketAddr,
    permit: Place,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    let (stream, peer_names) = tls(core)?.accept(stream).await?;
    let ends = ends(local, remote, peer_names, Some(permit));
    serve(core, ends, stream);
    Ok(())
}

/// Serves a connection that we made to reach `name`.
pub(crate) async fn connect(
    core: &Arc<Core>,
    stream: TcpStream,
    remote: SocketAddr,
    name: ServerName<'static>,
) -> io::Result<Arc<Connection>> {
    stream.set_nodelay(true)?;
    let local = stream.local_addr()?;
    let (stream, peer_names) = tls(core)?.connect(name, stream).await?;
    let ends = ends(local, remote, peer_names, None);
    Ok(serve(core, ends, stream))
}

fn tls(core: &Core) -> io::Result<&SipTls> {
    core.tls
        .as_deref()
        .ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn ends(
    local: SocketAddr,
    remote: SocketAddr,
    peer_names: PeerNames,
    permit: Option<Place>,
) -> Ends {
    Ends {
        transport: Transport::Tls,
        local,
        remote,
        peer_names,
        permit,
    }
}

fn serve<S>(core: &Arc<Core>, ends: Ends, stream: S) -> Arc<Connection>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    Connection::serve(core, ends, reader, writer)
}
