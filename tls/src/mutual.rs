//! Connections whose both sides show a certificate that leads to an authority of the other's, for gRPC.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::pki_types::ServerName;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::error::TlsError;
use crate::fault;
use crate::file::{CertificateFiles, KeyPair, authorities};
use crate::names::CertificateNames;
use crate::reloading::Reloading;
use crate::{HANDSHAKE_TIMEOUT, RELOAD_INTERVAL, in_time, provider};

/// The protocol of gRPC, as it is agreed upon in the handshake (RFC 9113 §3.2).
const HTTP_2: &[u8] = b"h2";

/// Octets that are looked at before a connection is used; larger reads go past them.
const FIRST_OCTETS: usize = 256;

/// What a server shows, and whom it lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// What it shows.
    pub own: CertificateFiles,
    /// PEM files with the authorities that the certificate of each client must lead to.
    pub peer_ca: Vec<PathBuf>,
}

/// What a client shows, and which server it believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// What it shows. Without it no [`MutualServer`] lets it in.
    pub own: Option<CertificateFiles>,
    /// PEM files with the authorities that the certificate of the server must lead to.
    pub peer_ca: Vec<PathBuf>,
}

/// The side that is connected to. Nobody gets in without a certificate.
#[derive(Debug)]
pub struct MutualServer(pub(crate) Arc<Reloading<rustls::ServerConfig>>);

impl MutualServer {
    /// Reads the files, blocking.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn new(config: ServerConfig) -> Result<Self, TlsError> {
        let files = files(Some(&config.own), &config.peer_ca);
        let load = move || server_side(&config);
        Ok(Self(Arc::new(Reloading::new(files, Box::new(load))?)))
    }

    /// Reads the files again whenever they change, for as long as it is polled.
    pub async fn watch(&self) {
        self.0.watch(RELOAD_INTERVAL).await;
    }

    /// Our side of a connection that a client made, and the names it has proved.
    ///
    /// # Errors
    /// Those of the connection; a certificate that is not good, or none.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<(server::TlsStream<TcpStream>, CertificateNames)> {
        let acceptor = TlsAcceptor::from(self.0.current());
        let stream = in_time(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await?;
        let certificates = stream.get_ref().1.peer_certificates();
        let own = certificates.and_then(<[_]>::first);
        let names = own.map(CertificateNames::of).unwrap_or_default();
        Ok((stream, names))
    }
}

/// The side that connects. Cheap to clone.
#[derive(Clone, Debug)]
pub struct MutualClient(Arc<Reloading<rustls::ClientConfig>>);

impl MutualClient {
    /// Reads the files, blocking.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, TlsError> {
        let files = files(config.own.as_ref(), &config.peer_ca);
        let load = move || client_side(&config);
        Ok(Self(Arc::new(Reloading::new(files, Box::new(load))?)))
    }

    /// Connects to a host, by name or address, and sets TLS up by what the files say now. Errors say what is to be mended.
    ///
    /// The server has to speak first, as one of HTTP/2 does (RFC 9113 §3.4): in TLS 1.3 it is its first octets that tell
    /// whether it has taken our certificate.
    ///
    /// # Errors
    /// Nobody answers there, or its certificate is not good, or not for this host, or the server does not take ours.
    pub async fn connect(&self, host: &str, port: u16) -> io::Result<ClientStream> {
        // A certificate that is renewed is shown at once, whoever watches the files.
        self.0.look().await;
        let host = host.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(self.0.current());
        let admitted = in_time(HANDSHAKE_TIMEOUT, async {
            let stream = connector.connect(name, stream).await?;
            let mut stream = BufReader::with_capacity(FIRST_OCTETS, stream);
            match stream.fill_buf().await?.is_empty() {
                true => Err(io::ErrorKind::UnexpectedEof.into()),
                false => Ok(stream),
            }
        });
        admitted.await.map(ClientStream).map_err(fault::explained)
    }
}

/// A connection to a [`MutualServer`]. What its server says against our certificate are errors in words.
#[derive(Debug)]
pub struct ClientStream(BufReader<client::TlsStream<TcpStream>>);

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.0).poll_read(cx, buffer));
        Poll::Ready(read.map_err(fault::explained))
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, octets)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }
}

/// Everything that is read.
fn files(own: Option<&CertificateFiles>, peer_ca: &[PathBuf]) -> Vec<PathBuf> {
    let own = own.into_iter().flat_map(|own| [&own.certificate, &own.key]);
    own.chain(peer_ca).cloned().collect()
}

fn server_side(config: &ServerConfig) -> Result<rustls::ServerConfig, TlsError> {
    let pair = KeyPair::read(&config.own)?;
    let roots = Arc::new(authorities(&config.peer_ca)?);
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider()).build()?;
    let mut server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(pair.chain.clone(), pair.key.clone_key())?;
    pair.show_end("grpc");
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    server.alpn_protocols = vec![HTTP_2.to_vec()];
    Ok(server)
}

fn client_side(config: &ClientConfig) -> Result<rustls::ClientConfig, TlsError> {
    let roots = Arc::new(authorities(&config.peer_ca)?);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build()?;
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_webpki_verifier(verifier);
    let mut client = match &config.own {
        None => builder.with_no_client_auth(),
        Some(files) => {
            let pair = KeyPair::read(files)?;
            let client = builder.with_client_auth_cert(pair.chain.clone(), pair.key.clone_key())?;
            pair.show_end("storage-client");
            client
        }
    };
    client.resumption = Resumption::disabled();
    client.alpn_protocols = vec![HTTP_2.to_vec()];
    Ok(client)
}
