//! Connections over TLS, whose clients have proved who they are.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::unfold;
use metrics::counter;
use tls::{CertificateNames, MutualServer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;

use crate::access::Granted;
use crate::config::Roles;
use crate::connection::Connection;

/// Handshakes at a time, each of which has [`tls::HANDSHAKE_TIMEOUT`]; who comes then waits.
const MAX_HANDSHAKES: usize = 1024;

/// Rest after the system could not give us a connection, as when it has no more files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who made a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Where from.
    pub(crate) address: SocketAddr,
    /// What his certificate names.
    pub(crate) names: CertificateNames,
    /// What he may do.
    pub(crate) roles: Granted,
}

impl Caller {
    /// What he is called where one name is enough: the first of his certificate, or his address.
    pub(crate) fn name(&self) -> String {
        let first = self.names.iter().next().map(str::to_owned);
        first.unwrap_or_else(|| self.address.ip().to_string())
    }
}

/// What a listener speaks TLS by.
#[derive(Debug)]
pub(crate) struct Security {
    /// Sets connections up.
    pub(crate) tls: MutualServer,
    /// What the holders of certificates may do.
    pub(crate) roles: Roles,
}

/// A connection with who made it.
pub(crate) type Secured = Connection<TlsStream<TcpStream>, Caller>;

/// The connections of a listener, for ever.
pub(crate) fn connections(
    listener: TcpListener,
    security: Arc<Security>,
) -> impl Stream<Item = io::Result<Secured>> {
    let accepting = Accepting {
        listener,
        security,
        handshakes: JoinSet::new(),
    };
    unfold(accepting, |mut accepting| async {
        let next = accepting.next().await;
        Some((Ok(next), accepting))
    })
}

/// A listener and the connections that nobody has a use for yet.
struct Accepting {
    listener: TcpListener,
    security: Arc<Security>,
    handshakes: JoinSet<Result<Secured, (SocketAddr, io::Error)>>,
}

impl Accepting {
    async fn next(&mut self) -> Secured {
        loop {
            let has_room = self.handshakes.len() < MAX_HANDSHAKES;
            tokio::select! {
                accepted = self.listener.accept(), if has_room => match accepted {
                    Ok((stream, address)) => self.begin(stream, address),
                    Err(error) => {
                        tracing::warn!(event = "grpc.accept_failed", %error, "gRPC connections cannot be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Ok(secured)) => return secured,
                    Ok(Err((address, error))) => tell(address, &error),
                    // One that panicked is in the log.
                    Err(_) => {}
                },
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, address: SocketAddr) {
        let security = Arc::clone(&self.security);
        self.handshakes.spawn(async move {
            let shaken = async {
                stream.set_nodelay(true)?;
                security.tls.accept(stream).await
            };
            let (stream, names) = shaken.await.map_err(|error| (address, error))?;
            let caller = Caller {
                roles: security.roles.of(&names),
                address,
                names,
            };
            Ok(Secured::new(stream, caller))
        });
    }
}

/// Tells of a client that was not let in.
fn tell(peer: SocketAddr, error: &io::Error) {
    counter!("restante_grpc_handshakes_failed_total").increment(1);
    tracing::warn!(event = "grpc.handshake_failed", %peer, %error, "gRPC client was not let in");
}
