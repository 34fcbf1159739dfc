//! Requests to an HTTP server that the configuration names: each on a connection of its own, below the configured root,
//! without following anything.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap};
use hyper::http::request;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What requests are below: `https://HOST[:PORT][/PATH]`, or the same with `http`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    secure: bool,
    host: String,
    port: u16,
    /// As it was written.
    path: String,
}

/// The text is no root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoot;

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
            path: uri.path().to_owned(),
        })
    }
}

impl Root {
    /// Whether nobody can listen or answer in its place: over TLS, or on this machine.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        let address: Option<std::net::IpAddr> = self.host.parse().ok();
        self.secure || address.is_some_and(|address| address.to_canonical().is_loopback())
    }

    /// Whether it is reached over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The host: a name, or an address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, that of the scheme if none is written.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The path, without a slash at its end; empty for none.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.trim_end_matches('/')
    }

    /// The path as it was written, for requests to the root itself.
    #[must_use]
    pub fn written_path(&self) -> &str {
        &self.path
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
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body; of a 200 only.
    pub body: Bytes,
}

/// Asks one server.
pub struct HttpClient {
    root: Root,
    tls: Option<TlsConnector>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl HttpClient {
    /// The authorities in the PEM file `ca` vouch for a server that is asked over TLS.
    ///
    /// # Errors
    /// Why they cannot be read.
    pub fn new(root: Root, ca: &Path) -> Result<Self, String> {
        let tls = root.secure.then(|| authorities(ca)).transpose()?;
        let tls = tls.map(|roots| {
            let config = ClientConfig::builder().with_root_certificates(roots);
            TlsConnector::from(Arc::new(config.with_no_client_auth()))
        });
        Ok(Self { root, tls })
    }

    /// Where its requests are.
    #[must_use]
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The head of a GET of what is at `path`, which begins with that of the root.
    pub fn get(&self, path: &str) -> request::Builder {
        self.addressed(Request::get(target(path)))
    }

    /// As [`HttpClient::get`] of a POST.
    pub fn post(&self, path: &str) -> request::Builder {
        self.addressed(Request::post(target(path)))
    }

    fn addressed(&self, request: request::Builder) -> request::Builder {
        request.header(HOST, self.root.authority())
    }

    /// Sends a request with its body and returns the answer. A body of more octets than `most` is an error.
    ///
    /// # Errors
    /// What went wrong, for the log.
    pub async fn send(
        &self,
        request: request::Builder,
        body: impl Into<Bytes>,
        most: usize,
    ) -> Result<Answer, String> {
        let request = request.body(Full::new(body.into()));
        let request = request.map_err(|error| error.to_string())?;
        let host = (self.root.host.as_str(), self.root.port);
        let stream = TcpStream::connect(host).await;
        let stream = stream.map_err(|error| error.to_string())?;
        match &self.tls {
            None => exchange(stream, request, most).await,
            Some(tls) => {
                let name = ServerName::try_from(self.root.host.clone());
                let name = name.map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await;
                exchange(stream.map_err(|error| error.to_string())?, request, most).await
            }
        }
    }
}

/// The path of a request is never empty.
fn target(path: &str) -> &str {
    match path {
        "" => "/",
        path => path,
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Request<Full<Bytes>>,
    most: usize,
) -> Result<Answer, String> {
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let work = async move {
        let response = sender.send_request(request).await;
        answer(response.map_err(|error| error.to_string())?, most).await
    };
    tokio::pin!(work);
    tokio::select! {
        answer = &mut work => answer,
        // What the connection has read is still to be told.
        _ = connection => work.await,
    }
}

async fn answer(response: Response<hyper::body::Incoming>, most: usize) -> Result<Answer, String> {
    let (head, body) = response.into_parts();
    let body = match head.status {
        StatusCode::OK => {
            let body = Limited::new(body, most).collect().await;
            body.map_err(|error| error.to_string())?.to_bytes()
        }
        _ => Bytes::new(),
    };
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body,
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_kept_as_written_and_others_follow_it_without_a_second_slash() {
        for (text, written, root) in [
            ("https://h", "/", ""),
            ("https://h/", "/", ""),
            ("https://h/hook", "/hook", "/hook"),
            ("https://h/hook/", "/hook/", "/hook"),
        ] {
            let parsed: Root = text.parse().expect("a root");
            assert_eq!((parsed.written_path(), parsed.path()), (written, root));
        }
    }
}
