//! Documents over HTTP (RFC 4825), as both edges serve them: who asks, for what, under which conditions.
//!
//! Who asks is what a trusted proxy asserts; a peer that is none is nobody (403, never 401). What a document is, and
//! who may have it, is the business of [`Documents`].

mod identity;
pub mod reply;

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use axum::serve::IncomingStream;
use bytes::Bytes;
use daemon::admin::Bounded;
use ipnet::IpNet;
use metrics::counter;
use sip::Aor;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use xcap::capabilities;
use xcap::condition::{Verdict, evaluate};
use xcap::resource::{BadResource, Resource, Tree};

use crate::config::Xcap;
use crate::event;
use reply::Fault;

/// What an edge serves.
pub trait Documents: Send + Sync + 'static {
    /// The application usages, each with the namespace of its documents.
    const USAGES: &'static [(&'static str, &'static str)];

    /// Whom it believes, and where its documents are.
    fn config(&self) -> &Xcap;

    /// Answers a request of somebody whom a trusted proxy asserts; its body is still to be read.
    fn answer(
        &self,
        asked: Asked,
        body: Body,
    ) -> impl Future<Output = Result<Response, Fault>> + Send;
}

/// A request without its body.
#[derive(Debug)]
pub struct Asked {
    /// Its method.
    pub method: Method,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Who asks; at least one identity.
    pub identities: Vec<Aor>,
    /// What it is about.
    pub resource: Resource,
}

impl Asked {
    /// Whether nothing shall change.
    #[must_use]
    pub fn is_read(&self) -> bool {
        self.method == Method::GET || self.method == Method::HEAD
    }

    /// Whether it holds for one state of a document only.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.headers.contains_key(header::IF_MATCH)
            || self.headers.contains_key(header::IF_NONE_MATCH)
    }

    /// What its conditions come to for something with this tag.
    #[must_use]
    pub fn verdict(&self, tag: &str) -> Verdict {
        let if_match = self.list(header::IF_MATCH);
        let if_none_match = self.list(header::IF_NONE_MATCH);
        let (if_match, if_none_match) = (if_match.as_deref(), if_none_match.as_deref());
        evaluate(if_match, if_none_match, tag, self.is_read())
    }

    /// What its conditions come to where nothing is yet: it has no tag that could match.
    #[must_use]
    pub fn verdict_on_nothing(&self) -> Verdict {
        match self.headers.contains_key(header::IF_MATCH) {
            true => Verdict::Failed,
            false => Verdict::Proceed,
        }
    }

    /// Whether it has a condition of this name that is `*`: it is about there being something, not about its state.
    #[must_use]
    pub fn is_any(&self, name: header::HeaderName) -> bool {
        self.list(name).is_some_and(|list| list.trim() == "*")
    }

    /// The list in all lines of a header; `None` if there is none. What cannot be read is no tag.
    fn list(&self, name: header::HeaderName) -> Option<String> {
        let lines = self.headers.get_all(name).iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
        (!lines.is_empty()).then(|| lines.join(","))
    }

    /// Reads the body, which must be of this media type and no longer than `octets_max`.
    ///
    /// # Errors
    /// [`Fault::UnsupportedMediaType`] and [`Fault::TooLarge`]; what is announced as too long is not read.
    pub async fn read(
        &self,
        body: Body,
        media_type: &str,
        octets_max: usize,
    ) -> Result<Bytes, Fault> {
        let field = |name| self.headers.get(name).and_then(|value| value.to_str().ok());
        let found = field(header::CONTENT_TYPE).and_then(|value| value.split(';').next());
        if !found.is_some_and(|found| found.trim().eq_ignore_ascii_case(media_type)) {
            return Err(Fault::UnsupportedMediaType);
        }
        let length = field(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
        if length.is_some_and(|length| length > octets_max as u64) {
            return Err(Fault::TooLarge);
        }
        to_bytes(body, octets_max)
            .await
            .map_err(|_| Fault::TooLarge)
    }
}

/// The peer of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Serves until `stop`, and then what is under way.
pub async fn serve<D: Documents>(
    documents: Arc<D>,
    listener: TcpListener,
    stop: CancellationToken,
) {
    let proxies = documents.config().trusted_proxies.clone();
    let listener = Bounded::preferring(listener, move |peer| is_trusted(&proxies, peer));
    let router = Router::new().fallback(handle::<D>).with_state(documents);
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        event::xcap_failed(&error);
    }
}

async fn handle<D: Documents>(
    State(documents): State<Arc<D>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let answered = answer(&*documents, peer.0, request).await;
    let response = answered.unwrap_or_else(|fault| reply::fault(&fault));
    count(&method, response.status());
    response
}

async fn answer<D: Documents>(
    documents: &D,
    peer: SocketAddr,
    request: Request,
) -> Result<Response, Fault> {
    let config = documents.config();
    if !is_trusted(&config.trusted_proxies, peer.ip().to_canonical()) {
        return Err(Fault::Forbidden);
    }
    let identities = identity::asserted(request.headers());
    if identities.is_empty() {
        return Err(Fault::Forbidden);
    }
    let path = below_root(request.uri().path(), &config.root).ok_or(Fault::NotFound)?;
    let resource = Resource::parse(path, request.uri().query());
    let resource = resource.map_err(|error| match error {
        BadResource::NoDocument => Fault::NotFound,
        BadResource::Node => Fault::BadRequest,
    })?;
    let (head, body) = request.into_parts();
    let asked = Asked {
        method: head.method,
        headers: head.headers,
        identities,
        resource,
    };
    if asked.resource.auid == capabilities::AUID {
        return capabilities_of::<D>(&asked);
    }
    documents.answer(asked, body).await
}

/// What is served here does not change while the process runs.
fn capabilities_of<D: Documents>(asked: &Asked) -> Result<Response, Fault> {
    let Resource {
        tree,
        document,
        node,
        ..
    } = &asked.resource;
    if *tree != Tree::Global || document.as_slice() != [capabilities::DOCUMENT] || node.is_some() {
        return Err(Fault::NotFound);
    }
    if !asked.is_read() {
        return Err(Fault::MethodNotAllowed("GET, HEAD"));
    }
    let tag = env!("CARGO_PKG_VERSION");
    match asked.verdict(tag) {
        Verdict::Proceed => {
            let text = capabilities::write(D::USAGES);
            Ok(reply::document(tag, capabilities::MEDIA_TYPE, text))
        }
        Verdict::NotModified => Ok(reply::not_modified(tag)),
        Verdict::Failed => Err(Fault::PreconditionFailed),
    }
}

fn is_trusted(proxies: &[IpNet], peer: IpAddr) -> bool {
    proxies.iter().any(|network| network.contains(&peer))
}

/// What follows the XCAP root.
fn below_root<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let below = path.strip_prefix(root.trim_end_matches('/'))?;
    below.starts_with('/').then_some(below)
}

fn count(method: &Method, status: StatusCode) {
    let method = match method.as_str() {
        "GET" | "HEAD" => "read",
        "PUT" => "write",
        "DELETE" => "delete",
        _ => "other",
    };
    let status = status.as_str().to_owned();
    counter!("restante_xcap_requests_total", "method" => method, "status" => status).increment(1);
}
