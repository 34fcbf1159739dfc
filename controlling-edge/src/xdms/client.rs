//! One question to the XDMS: a GET on a connection of its own, below the configured root, without following anything.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ETAG, HOST, HeaderMap, IF_NONE_MATCH};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use xcap::group_document::{LIMITS, MEDIA_TYPE};
use xcap::percent;

/// Where documents are: `https://HOST[:PORT][/PATH]`, or the same with `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Root {
    secure: bool,
    host: String,
    port: u16,
    /// Without a slash at its end.
    path: String,
}

/// The text is no root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoRoot;

impl FromStr for Root {
    type Err = NoRoot;

    fn from_str(text: &str) -> Result<Self, NoRoot> {
        let uri: hyper::Uri = text.parse().map_err(|_| NoRoot)?;
        let (secure, usual_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(NoRoot),
        };
        let authority = uri.authority().ok_or(NoRoot)?;
        if uri.query().is_some() || authority.as_str().contains('@') {
            return Err(NoRoot);
        }
        Ok(Self {
            secure,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(usual_port),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl Root {
    /// Whether nobody can listen or answer in its place: over TLS, or on this machine.
    pub(crate) fn is_safe(&self) -> bool {
        let address: Option<std::net::IpAddr> = self.host.parse().ok();
        self.secure || address.is_some_and(|address| address.to_canonical().is_loopback())
    }

    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The document, and its tag if it has one.
    Document { text: Bytes, tag: Option<String> },
    /// It still has the tag that was named.
    Unchanged,
    /// There is none.
    Unknown,
}

/// Asks one server.
pub(super) struct Client {
    root: Root,
    tls: Option<TlsConnector>,
    /// Who asks.
    identity: String,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// The authorities in `ca` vouch for a server that is asked over TLS.
    pub(super) fn new(root: Root, ca: &Path, identity: String) -> Result<Self, String> {
        let tls = root.secure.then(|| authorities(ca)).transpose()?;
        let tls = tls.map(|roots| {
            let config = ClientConfig::builder().with_root_certificates(roots);
            TlsConnector::from(Arc::new(config.with_no_client_auth()))
        });
        Ok(Self {
            root,
            tls,
            identity,
        })
    }

    /// The document of a group, unless it has this tag still.
    pub(super) async fn fetch(&self, uri: &str, tag: Option<&str>) -> Result<Answer, String> {
        let path = format!("{}/{}", self.root.path, percent::encode(uri));
        let request = Request::get(path)
            .header(HOST, self.root.authority())
            .header(ACCEPT, MEDIA_TYPE)
            .header("X-3GPP-Asserted-Identity", format!("\"{}\"", self.identity));
        let request = match tag {
            Some(tag) => request.header(IF_NONE_MATCH, tag),
            None => request,
        };
        let request = request.body(Empty::new());
        let request = request.map_err(|error| error.to_string())?;
        let host = (self.root.host.as_str(), self.root.port);
        let stream = TcpStream::connect(host).await;
        let stream = stream.map_err(|error| error.to_string())?;
        match &self.tls {
            None => exchange(stream, request).await,
            Some(tls) => {
                let name = ServerName::try_from(self.root.host.clone());
                let name = name.map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await;
                exchange(stream.map_err(|error| error.to_string())?, request).await
            }
        }
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Empty<Bytes>>,
) -> Result<Answer, String> {
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let work = async move {
        let response = sender.send_request(request).await;
        answer(response.map_err(|error| error.to_string())?).await
    };
    tokio::pin!(work);
    tokio::select! {
        answer = &mut work => answer,
        // What the connection has read is still to be told.
        _ = connection => work.await,
    }
}

/// A redirection leads elsewhere, and is followed as little as any other answer that has no group.
async fn answer(response: Response<hyper::body::Incoming>) -> Result<Answer, String> {
    match response.status() {
        StatusCode::OK => {
            let tag = tag(response.headers());
            let body = Limited::new(response.into_body(), LIMITS.octets)
                .collect()
                .await;
            let body = body.map_err(|error| error.to_string())?;
            Ok(Answer::Document {
                text: body.to_bytes(),
                tag,
            })
        }
        StatusCode::NOT_MODIFIED => Ok(Answer::Unchanged),
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(Answer::Unknown),
        status => Err(format!("it answers {status}")),
    }
}

fn tag(headers: &HeaderMap) -> Option<String> {
    let tag = headers.get(ETAG)?.to_str().ok()?;
    Some(tag.to_owned())
}

fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| error.to_string())?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    match roots.is_empty() {
        true => Err("no certificate in it".to_owned()),
        false => Ok(roots),
    }
}
