//! TLS as MSRP needs it: any certificates on both sides, told apart by their fingerprints (RFC 8122, `MSR-03`).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, ServerConfig};
use tls::{CertificateFiles, KeyPair, Reloading, TlsError, in_time, provider};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::fingerprint::Fingerprint;
use super::verify::AnyCertificate;

/// One certificate of ours, with both sides of a handshake that shows it.
pub(crate) struct Identity {
    /// What stands in our session descriptions.
    pub(crate) fingerprint: Fingerprint,
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
    handshake_timeout: Duration,
}

/// The certificate in use, from files or made at the start.
#[derive(Debug)]
pub(crate) struct MsrpTls {
    identity: Arc<Reloading<Identity>>,
    reload_interval: Duration,
}

impl MsrpTls {
    /// Shows the certificate of these files, read blocking; without any, one made for this process alone.
    pub(crate) fn new(
        files: Option<CertificateFiles>,
        reload_interval: Duration,
        handshake_timeout: Duration,
    ) -> Result<Self, TlsError> {
        let identity = match files {
            Some(files) => {
                let watched = vec![files.certificate.clone(), files.key.clone()];
                let load = move || {
                    let pair = KeyPair::read(&files)?;
                    let identity = Identity::new(&pair, handshake_timeout)?;
                    pair.show_end("msrp");
                    Ok(identity)
                };
                Reloading::new(watched, Box::new(load))?
            }
            None => {
                let made = KeyPair::self_signed("msrp")?;
                let load = move || Identity::new(&made, handshake_timeout);
                Reloading::new(Vec::new(), Box::new(load))?
            }
        };
        Ok(Self {
            identity: Arc::new(identity),
            reload_interval,
        })
    }

    /// What new handshakes show.
    pub(crate) fn current(&self) -> Arc<Identity> {
        self.identity.current()
    }

    /// Reads the files again now.
    pub(crate) async fn reload(&self) -> Result<(), TlsError> {
        self.identity.reload().await
    }

    /// Reads the files again whenever they change, for as long as it is polled.
    pub(crate) async fn watch(&self) {
        self.identity.watch(self.reload_interval).await;
    }
}

impl Identity {
    fn new(pair: &KeyPair, handshake_timeout: Duration) -> Result<Self, TlsError> {
        let own = pair.chain.first();
        let own = own.ok_or(rustls::Error::NoCertificatesPresented)?;
        Ok(Self {
            fingerprint: Fingerprint::of(own),
            server: Arc::new(server_side(pair)?),
            client: Arc::new(client_side(pair)?),
            handshake_timeout,
        })
    }

    /// Our side of a connection that a peer made, and the peer's certificate.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(server::TlsStream<TcpStream>, CertificateDer<'static>)> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.server));
        let stream = in_time(self.handshake_timeout, acceptor.accept(stream)).await?;
        let certificate = own(stream.get_ref().1.peer_certificates())?;
        Ok((stream, certificate))
    }

    /// Our side of a connection that we made, and the peer's certificate.
    pub(crate) async fn connect(
        &self,
        stream: TcpStream,
    ) -> io::Result<(client::TlsStream<TcpStream>, CertificateDer<'static>)> {
        let connector = TlsConnector::from(Arc::clone(&self.client));
        // The name is neither sent nor checked: an address is no server name (RFC 6066 §3).
        let name = ServerName::from(stream.peer_addr()?.ip());
        let stream = in_time(self.handshake_timeout, connector.connect(name, stream)).await?;
        let certificate = own(stream.get_ref().1.peer_certificates())?;
        Ok((stream, certificate))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

/// The first certificate is the peer's own; each side must show one.
fn own(certificates: Option<&[CertificateDer<'static>]>) -> io::Result<CertificateDer<'static>> {
    let own = certificates.and_then(<[_]>::first).cloned();
    own.ok_or_else(|| io::ErrorKind::PermissionDenied.into())
}

fn server_side(pair: &KeyPair) -> Result<ServerConfig, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut server = builder
        .with_client_cert_verifier(Arc::new(AnyCertificate::new()))
        .with_single_cert(pair.chain.clone(), pair.key.clone_key())?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

fn client_side(pair: &KeyPair) -> Result<ClientConfig, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut client = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate::new()))
        .with_client_auth_cert(pair.chain.clone(), pair.key.clone_key())?;
    client.resumption = Resumption::disabled();
    client.enable_sni = false;
    Ok(client)
}
