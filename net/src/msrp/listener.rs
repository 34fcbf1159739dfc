//! Connections before their first frame: accepted or made, over TLS with the handshake behind them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use rustls::pki_types::CertificateDer;
use tokio::io::DuplexStream;
use tokio::net::{TcpListener, TcpStream};

use super::config::{BindError, MsrpTlsConfig};
use super::connection::Stream;
use super::endpoint::Shared;
use crate::network::{Connections, Network};
use crate::places::Places;
use crate::tls::{Fingerprint, MsrpTls};

/// Pause after the system refused to accept, as it does without free descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Passed(Box<dyn Connections>),
}

enum Accepted {
    Tcp(TcpStream),
    Passed(DuplexStream),
}

impl Socket {
    async fn accept(&self) -> io::Result<(Accepted, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, remote) = listener.accept().await?;
                Ok((Accepted::Tcp(prepared(stream)), remote))
            }
            Self::Passed(port) => {
                let (stream, remote) = port.accept().await;
                Ok((Accepted::Passed(stream), remote))
            }
        }
    }
}

/// A socket that listens, and its real address.
#[derive(Debug)]
pub(super) struct Listener {
    socket: Socket,
    pub(super) address: SocketAddr,
}

impl Listener {
    pub(super) async fn bind(address: SocketAddr) -> Result<Listener, BindError> {
        let failed = |source: io::Error| BindError::Listen { address, source };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let socket = Socket::Tcp(socket);
        Ok(Listener { socket, address })
    }

    /// The same on a network that is passed in.
    pub(super) fn passed(
        network: &dyn Network,
        address: SocketAddr,
    ) -> Result<Listener, BindError> {
        let port = network.listen(address);
        let port = port.map_err(|source| BindError::Listen { address, source })?;
        let address = port.local();
        let socket = Socket::Passed(port);
        Ok(Listener { socket, address })
    }

    /// Serves what connects here until the endpoint closes; over TLS if there is something to show.
    pub(super) async fn serve(
        self,
        shared: Arc<Shared>,
        places: Arc<Places>,
        tls: Option<Arc<MsrpTls>>,
    ) {
        loop {
            let accepted = tokio::select! {
                () = shared.closing.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, remote)) => {
                    // Without a free place the stream is dropped, which closes it.
                    let Some(place) = places.take(remote.ip()) else {
                        continue;
                    };
                    let serving = serve(Arc::clone(&shared), tls.clone(), stream, remote);
                    shared.tasks.spawn(async move {
                        serving.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(event = "msrp.accept_failed", %error, "MSRP connections cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn serve(
    shared: Arc<Shared>,
    tls: Option<Arc<MsrpTls>>,
    stream: Accepted,
    remote: SocketAddr,
) {
    let established = match (stream, tls) {
        (Accepted::Passed(stream), _) => Established::clear(stream),
        (Accepted::Tcp(stream), None) => Established::clear(stream),
        (Accepted::Tcp(stream), Some(tls)) => {
            let own = tls.current();
            // On the heap: a handshake is large, and the task lives as long as the connection.
            let shaking = Box::pin(Established::secured(own.accept(stream)));
            match shared.closing.run_until_cancelled(shaking).await {
                Some(Ok(established)) => established,
                Some(Err(error)) => {
                    tracing::debug!(%error, "tls handshake of an MSRP peer failed");
                    counter!("restante_msrp_handshakes_failed_total").increment(1);
                    return;
                }
                None => return,
            }
        }
    };
    let (_, reading) = shared.start_connection(established, remote.ip());
    reading.await;
}

/// Small frames leave at once: responses must not wait for more data.
pub(super) fn prepared(stream: TcpStream) -> TcpStream {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    stream
}

/// The listener for TLS and what is shown there.
#[derive(Debug)]
pub(super) struct Secure {
    pub(super) address: SocketAddr,
    pub(super) tls: Arc<MsrpTls>,
}

impl Secure {
    pub(super) async fn bind(config: &MsrpTlsConfig) -> Result<(Secure, Listener), BindError> {
        let (own, interval) = (config.own.clone(), config.reload_interval);
        let tls = MsrpTls::new(own, interval, config.handshake_timeout)?;
        let listener = Listener::bind(config.address).await?;
        let (address, tls) = (listener.address, Arc::new(tls));
        Ok((Secure { address, tls }, listener))
    }
}

/// A stream that frames can be written to.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) stream: Box<dyn Stream>,
    /// What the peer showed over TLS.
    pub(super) certificate: Option<CertificateDer<'static>>,
}

impl Established {
    pub(super) fn clear(stream: impl Stream + 'static) -> Established {
        Established {
            stream: Box::new(stream),
            certificate: None,
        }
    }

    /// What comes of a handshake.
    pub(super) async fn secured<S: Stream + 'static>(
        handshake: impl Future<Output = io::Result<(S, CertificateDer<'static>)>>,
    ) -> io::Result<Established> {
        let (stream, certificate) = handshake.await?;
        Ok(Established {
            stream: Box::new(stream),
            certificate: Some(certificate),
        })
    }

    /// Whether the peer has the certificate of this fingerprint (MSR-03).
    pub(super) fn is_from(&self, fingerprint: &Fingerprint) -> bool {
        let certificate = self.certificate.as_ref();
        certificate.is_some_and(|certificate| fingerprint.matches(certificate))
    }
}
