//! The deferred-list document over XCAP (requirements §3.14, §4.4): what waits for a user, read and
//! deleted by himself.
//!
//! Who asks is what a trusted proxy asserts; a peer that is none is nobody (403, never 401). Each user
//! has his own tree; everybody else's is as if it were not there.

mod document;
mod identity;
mod reply;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use axum::serve::IncomingStream;
use daemon::admin::Bounded;
use ipnet::IpNet;
use sip::{Aor, Uri};
use storage_client::DeferredError;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use xcap::condition::{Verdict, evaluate};
use xcap::deferred_list::{AUID, DOCUMENT, MEDIA_TYPE, NAMESPACE, id_of};
use xcap::node_selector::{NodeSelector, Target};
use xcap::resource::{BadResource, Resource, Tree};
use xcap::select;
use xcap::xml::{self, Limits};

use crate::edge::Edge;
use crate::{event, metrics};
pub(crate) use document::READERS;
use document::{Read, read};
use reply::Fault;

/// Our own document: as long as the longest list.
const LIMITS: Limits = Limits {
    octets: 64 << 20,
    nodes: 1 << 20,
    depth: 8,
};

/// The peer of a connection.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, Bounded>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Bounded>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// Serves until `stop`, and then what is under way.
pub(crate) async fn serve(edge: Arc<Edge>, listener: TcpListener, stop: CancellationToken) {
    let proxies = edge.config.xcap.trusted_proxies.clone();
    let listener = Bounded::preferring(listener, move |peer| is_trusted(&proxies, peer));
    let router = Router::new().fallback(handle).with_state(edge);
    let service = router.into_make_service_with_connect_info::<Peer>();
    let served = axum::serve(listener, service)
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    if let Err(error) = served {
        event::xcap_failed(&error);
    }
}

async fn handle(
    State(edge): State<Arc<Edge>>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let query = request.uri().query().map(str::to_owned);
    let asked = Asked {
        method: &method,
        path: &path,
        query: query.as_deref(),
        headers: request.headers(),
    };
    let answered = answer(&edge, peer.0, &asked).await;
    let response = answered.unwrap_or_else(|fault| reply::fault(&fault));
    metrics::xcap(&method, response.status());
    response
}

/// A request as far as it matters.
struct Asked<'a> {
    method: &'a Method,
    path: &'a str,
    query: Option<&'a str>,
    headers: &'a HeaderMap,
}

impl Asked<'_> {
    /// The list in all lines of a header; `None` if there is none. What cannot be read is no tag.
    fn list(&self, name: header::HeaderName) -> Option<String> {
        let lines = self.headers.get_all(name).iter();
        let lines: Vec<&str> = lines.map(|line| line.to_str().unwrap_or("?")).collect();
        (!lines.is_empty()).then(|| lines.join(","))
    }

    fn verdict(&self, tag: &str, reads: bool) -> Verdict {
        let if_match = self.list(header::IF_MATCH);
        let if_none_match = self.list(header::IF_NONE_MATCH);
        evaluate(if_match.as_deref(), if_none_match.as_deref(), tag, reads)
    }
}

async fn answer(edge: &Edge, peer: SocketAddr, asked: &Asked<'_>) -> Result<Response, Fault> {
    if !is_trusted(&edge.config.xcap.trusted_proxies, peer.ip().to_canonical()) {
        return Err(Fault::Forbidden);
    }
    let identities = identity::asserted(asked.headers);
    let first = identities.first().ok_or(Fault::Forbidden)?;
    let path = below_root(asked.path, &edge.config.xcap.root).ok_or(Fault::NotFound)?;
    let resource = Resource::parse(path, asked.query).map_err(|error| match error {
        BadResource::NoDocument => Fault::NotFound,
        BadResource::Node => Fault::BadRequest,
    })?;
    let owner = owner(edge, &resource).ok_or(Fault::NotFound)?;
    let reader = identities.iter().find(|known| **known == owner);
    let reader = reader.unwrap_or(first).to_string();
    let is_read = *asked.method == Method::GET || *asked.method == Method::HEAD;
    match (&resource.node, is_read) {
        (node, true) => get(edge, asked, &reader, &owner.to_string(), node.as_ref()).await,
        (Some(node), false)
            if *asked.method == Method::DELETE && node.target == Target::Element =>
        {
            delete(edge, asked, &reader, &owner.to_string(), node).await
        }
        _ => Err(Fault::MethodNotAllowed),
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

/// Whose document it is, if there is one of that kind.
fn owner(edge: &Edge, resource: &Resource) -> Option<Aor> {
    let Tree::User(xui) = &resource.tree else {
        return None;
    };
    if resource.auid != AUID || resource.document != [DOCUMENT] {
        return None;
    }
    let uri: Uri = xui.parse().ok()?;
    Aor::from_uri(&uri).filter(|address| edge.site.serves(address))
}

async fn get(
    edge: &Edge,
    asked: &Asked<'_>,
    reader: &str,
    owner: &str,
    node: Option<&NodeSelector>,
) -> Result<Response, Fault> {
    let Read { version, text } = read(edge, reader, owner).await?;
    let tag = version.to_string();
    let (media_type, body) = match node {
        None => (MEDIA_TYPE, text),
        Some(node) => {
            let document = xml::parse(text.as_bytes(), LIMITS).map_err(|_| Fault::Internal)?;
            let found = select::select(&document, node, NAMESPACE).ok_or(Fault::NotFound)?;
            (found.media_type, found.body)
        }
    };
    match asked.verdict(&tag, true) {
        Verdict::Proceed => Ok(reply::document(&tag, media_type, body)),
        Verdict::NotModified => Ok(reply::not_modified(&tag)),
        Verdict::Failed => Err(Fault::PreconditionFailed),
    }
}

/// What a DELETE is about.
struct Doomed {
    version: u64,
    message_id: String,
}

async fn delete(
    edge: &Edge,
    asked: &Asked<'_>,
    reader: &str,
    owner: &str,
    node: &NodeSelector,
) -> Result<Response, Fault> {
    let list = read(edge, reader, owner).await?;
    let Doomed {
        version,
        message_id,
    } = doomed(&list, node)?;
    if asked.verdict(&version.to_string(), false) != Verdict::Proceed {
        return Err(Fault::PreconditionFailed);
    }
    let is_conditional = asked.headers.contains_key(header::IF_MATCH);
    let seen = is_conditional.then_some(version);
    let version = edge
        .storage
        .delete_deferred(reader, &message_id, seen)
        .await?;
    event::deferred_deleted(owner, &message_id);
    Ok(reply::deleted(&version.to_string()))
}

/// Only single messages of the list can be deleted.
fn doomed(list: &Read, node: &NodeSelector) -> Result<Doomed, Fault> {
    let document = xml::parse(list.text.as_bytes(), LIMITS).map_err(|_| Fault::Internal)?;
    let element = select::element(&document, node, NAMESPACE).ok_or(Fault::NotFound)?;
    let message_id = id_of(element).ok_or(Fault::MethodNotAllowed)?;
    match select::finds_another(&document, node, NAMESPACE) {
        true => Err(Fault::CannotDelete),
        false => Ok(Doomed {
            version: list.version,
            message_id,
        }),
    }
}

impl From<DeferredError> for Fault {
    fn from(error: DeferredError) -> Self {
        match error {
            DeferredError::NotFound => Self::NotFound,
            DeferredError::Stale => Self::PreconditionFailed,
            DeferredError::Unavailable(unavailable) => Self::Unavailable(unavailable.retry_after),
            _ => Self::Internal,
        }
    }
}
