//! The user's own list of what waits for him, over XCAP (requirements §4.4, RFC 4825): reading it and deleting from it.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use xcap::deferred_list::{self, AUID, DOCUMENT, Listed};
use xcap::percent;
use xcap::xml::NotRead;

/// How long a question may take as a whole.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest document that is read: more than a server's 10,000 messages need.
const OCTETS_MAX: usize = 32 << 20;

/// Why the list was not read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// There is no connection, or no TLS on it.
    #[error("cannot reach the server of the list: {0}")]
    Connect(#[from] io::Error),
    /// The authorities cannot be read.
    #[error("cannot read the certificates in {0}")]
    Authorities(PathBuf),
    /// The connection broke, or what came is no HTTP.
    #[error("no answer from the server of the list: {0}")]
    Broken(#[from] hyper::Error),
    /// No whole answer in time, or a longer one than is read.
    #[error("the server of the list gives no whole answer")]
    NoAnswer,
    /// An answer that is no success.
    #[error("the server of the list answered {0}")]
    Refused(StatusCode),
    /// The document is not what it should be.
    #[error("the list cannot be read: {0}")]
    Unreadable(#[from] NotRead),
}

/// Where documents are: `http://HOST[:PORT][/PATH]`, or the same with `https`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XcapRoot {
    secure: bool,
    host: String,
    port: u16,
    /// Without a slash at its end.
    path: String,
}

/// The text is no XCAP root of this client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an XCAP root is written https://HOST:PORT/PATH or http://HOST:PORT/PATH")]
pub struct NoRoot;

impl FromStr for XcapRoot {
    type Err = NoRoot;

    fn from_str(text: &str) -> Result<Self, NoRoot> {
        let uri: hyper::Uri = text.parse().map_err(|_| NoRoot)?;
        let (secure, usual_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(NoRoot),
        };
        match (uri.host(), uri.query()) {
            (Some(host), None) => Ok(Self {
                secure,
                host: host.to_owned(),
                port: uri.port_u16().unwrap_or(usual_port),
                path: uri.path().trim_end_matches('/').to_owned(),
            }),
            _ => Err(NoRoot),
        }
    }
}

/// What waits, and the tag of the list.
#[derive(Clone, Debug)]
pub struct DeferredList {
    /// In the order of the mailbox.
    pub messages: Vec<Listed>,
    /// `ETag`: by it a deletion can say which list its user has seen.
    pub tag: String,
}

/// The list of one user on one server.
#[derive(Clone, Debug)]
pub struct ListClient {
    /// Where documents are.
    pub root: XcapRoot,
    /// Address of this machine to connect from.
    pub local: IpAddr,
    /// The user, as his address is written.
    pub user: String,
    /// PEM file of the authorities that a server's certificate must lead to (`https` only).
    pub authorities: PathBuf,
    /// Assert the user's identity, as a proxy does that the server trusts, instead of naming it.
    pub asserted: bool,
}

impl ListClient {
    /// Reads the list.
    ///
    /// # Errors
    /// [`ListError`].
    pub async fn read(&self) -> Result<DeferredList, ListError> {
        let (tag, document) = self.ask(Method::GET, &self.document(), None).await?;
        let messages = deferred_list::read(&document)?;
        Ok(DeferredList { messages, tag })
    }

    /// Deletes a message from the list that has this tag.
    ///
    /// # Errors
    /// [`ListError`]; refused with 412 if the list is another by now, with 404 if it has no such message.
    pub async fn delete(&self, message_id: &str, tag: &str) -> Result<(), ListError> {
        let selector = percent::encode(&format!("history[@id=\"{message_id}\"]"));
        let node = format!("{}/~~/history-list/{selector}", self.document());
        self.ask(Method::DELETE, &node, Some(tag)).await?;
        Ok(())
    }

    fn document(&self) -> String {
        let user = percent::encode(&self.user);
        format!("{}/{AUID}/users/{user}/{DOCUMENT}", self.root.path)
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        tag: Option<&str>,
    ) -> Result<Request<Empty<Bytes>>, ListError> {
        // TS 24.109: a client names its user, a proxy asserts him.
        let identity = match self.asserted {
            true => "X-3GPP-Asserted-Identity",
            false => "X-3GPP-Intended-Identity",
        };
        let XcapRoot { host, port, .. } = &self.root;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("Host", format!("{host}:{port}"))
            .header("User-Agent", crate::RELEASE)
            .header(identity, format!("\"{}\"", self.user));
        if let Some(tag) = tag {
            request = request.header("If-Match", tag);
        }
        let request = request.body(Empty::new());
        // What was typed cannot be said in HTTP.
        request.map_err(|error| io::Error::other(error).into())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        tag: Option<&str>,
    ) -> Result<(String, Bytes), ListError> {
        let request = self.request(method, path, tag)?;
        let answer = tokio::time::timeout(PATIENCE, self.exchange(request)).await;
        answer.map_err(|_| ListError::NoAnswer)?
    }

    /// One request on a connection of its own.
    async fn exchange(&self, request: Request<Empty<Bytes>>) -> Result<(String, Bytes), ListError> {
        let stream = self.connect().await?;
        match self.root.secure {
            true => Self::talk(self.secured(stream).await?, request).await,
            false => Self::talk(stream, request).await,
        }
    }

    async fn talk(
        stream: impl AsyncRead + AsyncWrite + Unpin,
        request: Request<Empty<Bytes>>,
    ) -> Result<(String, Bytes), ListError> {
        let stream = TokioIo::new(stream);
        let (mut sender, connection) = http1::handshake(stream).await?;
        let work = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            if !status.is_success() {
                return Err(ListError::Refused(status));
            }
            let tag = response.headers().get("ETag");
            let tag = tag.and_then(|tag| tag.to_str().ok()).unwrap_or_default();
            let tag = tag.to_owned();
            let body = Limited::new(response.into_body(), OCTETS_MAX);
            let body = body.collect().await.map_err(|_| ListError::NoAnswer)?;
            Ok((tag, body.to_bytes()))
        };
        tokio::pin!(work);
        tokio::select! {
            answer = &mut work => answer,
            // What the connection has read is still to be told.
            _ = connection => work.await,
        }
    }

    /// TLS with the server of that name.
    async fn secured(
        &self,
        stream: TcpStream,
    ) -> Result<impl AsyncRead + AsyncWrite + Unpin, ListError> {
        let roots = authorities(&self.authorities)?;
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.host().to_owned());
        let name = name.map_err(|_| io::Error::other("no name of a server"))?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(connector.connect(name, stream).await?)
    }

    /// Without the brackets of an IPv6 address.
    fn host(&self) -> &str {
        self.root.host.trim_matches(['[', ']'])
    }

    async fn connect(&self) -> Result<TcpStream, io::Error> {
        let host = self.host();
        let same_family = |address: &SocketAddr| address.is_ipv4() == self.local.is_ipv4();
        let mut addresses = lookup_host((host, self.root.port)).await?;
        let address = addresses.find(same_family);
        let address = address.ok_or_else(|| io::Error::other("no address of its family"))?;
        let socket = match self.local {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind(SocketAddr::new(self.local, 0))?;
        socket.connect(address).await
    }
}

fn authorities(file: &Path) -> Result<RootCertStore, ListError> {
    let unreadable = || ListError::Authorities(file.to_owned());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|_| unreadable())? {
        roots
            .add(certificate.map_err(|_| unreadable())?)
            .map_err(|_| unreadable())?;
    }
    match roots.is_empty() {
        true => Err(unreadable()),
        false => Ok(roots),
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server with a certificate of its own for `localhost`, and the file to know it by.
    async fn secure_server() -> (u16, tempfile::NamedTempFile) {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let own = own.expect("a certificate");
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), own.cert.pem()).expect("room");
        let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(config.expect("a pair")));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("open");
                // Who does not believe the certificate goes away.
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let mut head = [0; 4_096];
                let length = stream.read(&mut head).await.expect("a request");
                assert!(head[..length].starts_with(b"GET /org.openmobilealliance"));
                let list = deferred_list::write(&[]);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nETag: \"7\"\r\nContent-Length: {}\r\n\r\n{list}",
                    list.len()
                );
                stream.write_all(answer.as_bytes()).await.expect("open");
                stream.shutdown().await.expect("open");
            }
        });
        (port, file)
    }

    #[tokio::test]
    async fn a_list_is_read_over_tls_from_a_server_that_proves_its_name() {
        let (port, authorities) = secure_server().await;
        let (_, others) = secure_server().await;
        let client = |host: &str, authorities: &Path| ListClient {
            root: format!("https://{host}:{port}/").parse().expect("a root"),
            local: IpAddr::from([127, 0, 0, 1]),
            user: "sip:bob@example.org".to_owned(),
            authorities: authorities.to_owned(),
            asserted: false,
        };
        let list = client("localhost", authorities.path()).read().await;
        assert_eq!(list.expect("a list").tag, "\"7\"");
        for unproven in [
            client("localhost", others.path()),
            client("127.0.0.1", authorities.path()),
        ] {
            let refused = unproven.read().await.expect_err("not that server");
            assert!(matches!(refused, ListError::Connect(_)), "{refused:?}");
        }
        let none = client("localhost", Path::new("/nowhere")).read().await;
        assert!(matches!(none, Err(ListError::Authorities(_))));
    }

    #[test]
    fn a_root_is_an_http_uri() {
        let root: XcapRoot = "http://xcap.example.org/services/".parse().expect("a root");
        assert_eq!(
            (root.host.as_str(), root.port, root.path.as_str()),
            ("xcap.example.org", 80, "/services")
        );
        let root: XcapRoot = "https://[::1]/".parse().expect("a root");
        assert_eq!(
            (root.secure, root.port, root.path.as_str()),
            (true, 443, "")
        );
        for wrong in [
            "",
            "/",
            "xcap.example.org",
            "sip:bob@example.org",
            "ftp://h/",
            "http://h/?a",
        ] {
            assert_eq!(wrong.parse::<XcapRoot>(), Err(NoRoot), "{wrong}");
        }
    }

    #[test]
    fn a_deletion_names_one_message_and_the_list_that_was_seen() {
        let client = ListClient {
            root: "http://h:8080/".parse().expect("a root"),
            local: IpAddr::from([127, 0, 0, 1]),
            user: "sip:bob@example.org".to_owned(),
            authorities: PathBuf::new(),
            asserted: false,
        };
        let request = client.request(Method::DELETE, &client.document(), Some("\"7\""));
        let request = request.expect("a request");
        let expected =
            "/org.openmobilealliance.deferred-list/users/sip:bob@example.org/deferred-list";
        assert_eq!(request.uri().path(), expected);
        assert_eq!(request.headers()["If-Match"], "\"7\"");
        assert_eq!(
            request.headers()["X-3GPP-Intended-Identity"],
            "\"sip:bob@example.org\""
        );
    }
}
