//! TLS as SIP needs it: both sides named, verified by authorities (RFC 5922).

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use sip::Host;
use tls::{KeyPair, Reloading, TlsError, authorities, in_time, provider};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use super::config::{TlsConfig, VerifyPeers};
use super::peer_names::PeerNames;
use super::verify::SipServer;

/// The two sides of a handshake as the files have them now.
struct Sides {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

/// Sets connections up by what the files of a [`TlsConfig`] say at that moment.
#[derive(Debug)]
pub(crate) struct SipTls {
    sides: Arc<Reloading<Sides>>,
    reload_interval: Duration,
    handshake_timeout: Duration,
}

impl SipTls {
    /// Reads the files, blocking.
    pub(crate) fn new(config: TlsConfig) -> Result<Self, TlsError> {
        let TlsConfig {
            reload_interval,
            handshake_timeout,
            ..
        } = config;
        let files = config.files();
        let sides = Reloading::new(files, Box::new(move || sides(&config)))?;
        Ok(Self {
            sides: Arc::new(sides),
            reload_interval,
            handshake_timeout,
        })
    }

    /// Reads the files again now.
    pub(crate) async fn reload(&self) -> Result<(), TlsError> {
        self.sides.reload().await
    }

    /// Reads the files again whenever they change, for as long as it is polled.
    pub(crate) async fn watch(&self) {
        self.sides.watch(self.reload_interval).await;
    }

    /// Our side of a connection that a peer made, and the names the peer has proved.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(server::TlsStream<TcpStream>, PeerNames)> {
        let acceptor = TlsAcceptor::from(Arc::clone(&self.sides.current().server));
        let stream = in_time(self.handshake_timeout, acceptor.accept(stream)).await?;
        let names = names(stream.get_ref().1.peer_certificates());
        Ok((stream, names))
    }

    /// Our side of a connection that we made to reach `name`, and all names the peer has proved.
    pub(crate) async fn connect(
        &self,
        name: ServerName<'static>,
        stream: TcpStream,
    ) -> io::Result<(client::TlsStream<TcpStream>, PeerNames)> {
        let connector = TlsConnector::from(Arc::clone(&self.sides.current().client));
        let stream = in_time(self.handshake_timeout, connector.connect(name, stream)).await?;
        let names = names(stream.get_ref().1.peer_certificates());
        Ok((stream, names))
    }
}

/// The name that a certificate must hold for a request to `host`: that of the URI, whatever it was resolved to
/// (RFC 5922 §7.2). None if nobody can have it.
pub(crate) fn server_name(host: &Host) -> Option<ServerName<'static>> {
    match host {
        Host::Name(name) => {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            ServerName::try_from(name).ok()
        }
        Host::V4(address) => Some(ServerName::from(IpAddr::V4(*address))),
        Host::V6(address) => Some(ServerName::from(IpAddr::V6(*address))),
    }
}

/// The first certificate is the peer's own.
fn names(certificates: Option<&[CertificateDer<'_>]>) -> PeerNames {
    let own = certificates.and_then(<[_]>::first);
    own.map(PeerNames::of).unwrap_or_default()
}

fn sides(config: &TlsConfig) -> Result<Sides, TlsError> {
    let pair = KeyPair::read(&config.own)?;
    let authorities = authorities(&config.peer_ca)?;
    let sides = Sides {
        server: Arc::new(server_side(&pair, &authorities, config.verify_peers)?),
        client: Arc::new(client_side(&pair, authorities)?),
    };
    pair.show_end("sip");
    Ok(sides)
}

fn server_side(
    pair: &KeyPair,
    authorities: &RootCertStore,
    verify: VerifyPeers,
) -> Result<ServerConfig, TlsError> {
    let builder =
        ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let verifier =
        || WebPkiClientVerifier::builder_with_provider(Arc::new(authorities.clone()), provider());
    let builder = match verify {
        VerifyPeers::None => builder.with_no_client_auth(),
        VerifyPeers::Optional => {
            let verifier = verifier().allow_unauthenticated().build()?;
            builder.with_client_cert_verifier(verifier)
        }
        VerifyPeers::Required => builder.with_client_cert_verifier(verifier().build()?),
    };
    let mut server = builder.with_single_cert(pair.chain.clone(), pair.key.clone_key())?;
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(server)
}

fn client_side(pair: &KeyPair, authorities: RootCertStore) -> Result<ClientConfig, TlsError> {
    let builder =
        ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut client = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(SipServer::new(authorities)))
        .with_client_auth_cert(pair.chain.clone(), pair.key.clone_key())?;
    client.resumption = Resumption::disabled();
    Ok(client)
}
