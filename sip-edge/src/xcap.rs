//! The deferred-list document over XCAP (requirements §3.14, §4.4): what waits for a user, read and
//! deleted by himself. Each user has his own tree; everybody else's is as if it were not there.

mod document;

use axum::body::Body;
use axum::http::{Method, header};
use axum::response::Response;
use edge::config::Xcap;
use edge::xcap::reply::{self, Fault};
use edge::xcap::{Asked, Documents};
use sip::{Aor, Uri};
use storage_client::DeferredError;
use xcap::condition::Verdict;
use xcap::conflict::Conflict;
use xcap::deferred_list::{AUID, DOCUMENT, MEDIA_TYPE, NAMESPACE, id_of};
use xcap::node_selector::{NodeSelector, Target};
use xcap::resource::{Resource, Tree};
use xcap::select;
use xcap::xml::{self, Limits};

use crate::edge::Edge;
use crate::event;
pub(crate) use document::READERS;
use document::{Read, read};

/// Our own document: as long as the longest list.
const LIMITS: Limits = Limits {
    octets: 64 << 20,
    nodes: 1 << 20,
    depth: 8,
};
/// Documents are not written, and only single messages deleted.
const METHODS: &str = "GET, HEAD, DELETE";

impl Documents for Edge {
    const USAGES: &'static [(&'static str, &'static str)] = &[(AUID, NAMESPACE)];

    fn config(&self) -> &Xcap {
        &self.config.xcap
    }

    async fn answer(&self, asked: Asked, _: Body) -> Result<Response, Fault> {
        let owner = owner(self, &asked.resource).ok_or(Fault::NotFound)?;
        let identities = &asked.identities;
        let reader = identities.iter().find(|known| **known == owner);
        let reader = reader.or(identities.first()).ok_or(Fault::Forbidden)?;
        let (reader, owner) = (reader.to_string(), owner.to_string());
        match &asked.resource.node {
            node if asked.is_read() => get(self, &asked, &reader, &owner, node.as_ref()).await,
            Some(node) if asked.method == Method::DELETE && node.target == Target::Element => {
                delete(self, &asked, &reader, &owner, node).await
            }
            _ => Err(Fault::MethodNotAllowed(METHODS)),
        }
    }
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
    asked: &Asked,
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
    match asked.verdict(&tag) {
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
    asked: &Asked,
    reader: &str,
    owner: &str,
    node: &NodeSelector,
) -> Result<Response, Fault> {
    let list = read(edge, reader, owner).await?;
    let Doomed {
        version,
        message_id,
    } = doomed(&list, node)?;
    if asked.verdict(&version.to_string()) != Verdict::Proceed {
        return Err(Fault::PreconditionFailed);
    }
    let is_conditional = asked.headers.contains_key(header::IF_MATCH);
    let seen = is_conditional.then_some(version);
    let deleted = edge
        .storage
        .delete_deferred(reader, &message_id, seen)
        .await;
    let version = deleted.map_err(fault)?;
    event::deferred_deleted(owner, &message_id);
    Ok(reply::changed(&version.to_string(), false))
}

/// Only single messages of the list can be deleted.
fn doomed(list: &Read, node: &NodeSelector) -> Result<Doomed, Fault> {
    let document = xml::parse(list.text.as_bytes(), LIMITS).map_err(|_| Fault::Internal)?;
    let element = select::element(&document, node, NAMESPACE).ok_or(Fault::NotFound)?;
    let message_id = id_of(element).ok_or(Fault::MethodNotAllowed(METHODS))?;
    match select::finds_another(&document, node, NAMESPACE) {
        true => Err(Fault::Conflict(Conflict::CannotDelete)),
        false => Ok(Doomed {
            version: list.version,
            message_id,
        }),
    }
}

fn fault(error: DeferredError) -> Fault {
    match error {
        DeferredError::NotFound => Fault::NotFound,
        DeferredError::Stale => Fault::PreconditionFailed,
        DeferredError::Unavailable(unavailable) => Fault::Unavailable(unavailable.retry_after),
        _ => Fault::Internal,
    }
}
