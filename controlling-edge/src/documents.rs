//! Group documents over XCAP (OMA XDM Group, RFC 4825): each user reads and edits the groups that he owns.
//!
//! The document is what the owner wrote, kept by the store with the group that it says; where operators have changed the
//! group since, it is amended before he sees it. Its tag is the version of the group. Everybody else's tree is as if it
//! were not there.

mod check;

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, header};
use axum::response::Response;
use edge::config::Xcap;
use edge::xcap::reply::{self, Fault};
use edge::xcap::{Asked, Documents};
use sip::{Aor, Uri};
use storage_client::fan_out::{Group, GroupAnswer, GroupDocument};
use storage_client::{GroupError, Unavailable};
use tokio::time::timeout;
use xcap::condition::Verdict;
use xcap::conflict::Conflict;
use xcap::edit::{self, NotEdited, Reading};
use xcap::group_document::{self, AUID, LIMITS, MEDIA_TYPE, NAMESPACE};
use xcap::node_selector::{NodeSelector, Target};
use xcap::resource::Tree;
use xcap::{select, xml};

use crate::edge::Edge;
use crate::event;
use check::{canonical, group_of, view};

/// Documents that are worked on at a time: each may take some megabytes.
pub(crate) const WORKERS: usize = 8;
/// How long a request waits for the others.
const TURN: Duration = Duration::from_secs(5);
/// How often a change is made again to a document that somebody else changes meanwhile.
const TRIES: usize = 3;
/// What is done to documents.
const METHODS: &str = "GET, HEAD, PUT, DELETE";
/// Where the identity of a group stands.
const IDENTITY: &str = "group/list-service/@uri";

/// How documents are read.
const READING: Reading<'static> = Reading {
    limits: LIMITS,
    default_namespace: NAMESPACE,
};

/// Where a document is.
struct Place {
    owner: String,
    name: String,
}

/// A document as it is now.
struct Current {
    group: Group,
    text: String,
}

impl Current {
    fn tag(&self) -> String {
        self.group.version.to_string()
    }
}

/// What a document shall be.
struct Wanted {
    text: String,
    is_new: bool,
}

impl Documents for Edge {
    const USAGES: &'static [(&'static str, &'static str)] = &[(AUID, NAMESPACE)];

    fn config(&self) -> &Xcap {
        &self.config.xcap
    }

    async fn answer(&self, asked: Asked, body: Body) -> Result<Response, Fault> {
        let place = place(self, &asked).ok_or(Fault::NotFound)?;
        let body = match asked.method {
            Method::PUT => {
                let media_type = media_type(&asked)?;
                Some(asked.read(body, media_type, LIMITS.octets).await?)
            }
            Method::GET | Method::HEAD | Method::DELETE => None,
            _ => return Err(Fault::MethodNotAllowed(METHODS)),
        };
        let turn = timeout(TURN, self.document_workers.acquire()).await;
        let Ok(Ok(_turn)) = turn else {
            return Err(Fault::Unavailable(TURN));
        };
        match body {
            Some(body) => {
                let body = String::from_utf8(body.into());
                let body = body.map_err(|_| Fault::Conflict(Conflict::NotUtf8))?;
                put(self, &asked, &place, &body).await
            }
            None if asked.is_read() => get(self, &asked, &place).await,
            None => delete(self, &asked, &place).await,
        }
    }
}

/// Only one's own tree has documents.
fn place(edge: &Edge, asked: &Asked) -> Option<Place> {
    let Tree::User(xui) = &asked.resource.tree else {
        return None;
    };
    let [name] = asked.resource.document.as_slice() else {
        return None;
    };
    let uri: Uri = xui.parse().ok()?;
    let owner = Aor::from_uri(&uri)?;
    let is_his = asked.identities.contains(&owner) && edge.site.serves(&owner);
    (is_his && asked.resource.auid == AUID).then(|| Place {
        owner: owner.to_string(),
        name: canonical(name),
    })
}

/// Of what is put.
fn media_type(asked: &Asked) -> Result<&'static str, Fault> {
    match asked.resource.node.as_ref().map(|node| &node.target) {
        None => Ok(MEDIA_TYPE),
        Some(Target::Element) => Ok("application/xcap-el+xml"),
        Some(Target::Attribute(_)) => Ok("application/xcap-att+xml"),
        Some(Target::Namespaces) => Err(Fault::MethodNotAllowed("GET, HEAD")),
    }
}

/// The document with what operators have changed.
async fn current(edge: &Edge, place: &Place) -> Result<Option<Current>, Fault> {
    let found = edge.storage.group_document(&place.owner, &place.name).await;
    let found = found.map_err(unavailable)?;
    Ok(found.map(|found| {
        let now = view(&found.group);
        let written = found.document.as_deref();
        let amended =
            written.and_then(|octets| group_document::amend(octets, &now, canonical).ok());
        Current {
            text: amended.unwrap_or_else(|| group_document::write(&now)),
            group: found.group,
        }
    }))
}

async fn get(edge: &Edge, asked: &Asked, place: &Place) -> Result<Response, Fault> {
    let current = current(edge, place).await?.ok_or(Fault::NotFound)?;
    let tag = current.tag();
    let (media_type, body) = match &asked.resource.node {
        None => (MEDIA_TYPE, current.text),
        Some(node) => {
            let document = xml::parse(current.text.as_bytes(), LIMITS);
            let document = document.map_err(|_| Fault::Internal)?;
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

async fn put(edge: &Edge, asked: &Asked, place: &Place, body: &str) -> Result<Response, Fault> {
    for _ in 0..TRIES {
        let current = current(edge, place).await?;
        let wanted = match &asked.resource.node {
            None => whole(asked, current.as_ref(), body)?,
            Some(node) => with_node(asked, node, current.as_ref(), body)?,
        };
        match keep(edge, place, current, wanted.text).await {
            Ok(tag) => {
                event::document_put(&place.owner, &tag);
                return Ok(reply::changed(&tag, wanted.is_new));
            }
            // Somebody else has changed it meanwhile: he did not see that.
            Err(Fault::PreconditionFailed) if !asked.is_conditional() => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Unavailable(TURN))
}

fn whole(asked: &Asked, current: Option<&Current>, body: &str) -> Result<Wanted, Fault> {
    let verdict = match current {
        Some(current) => asked.verdict(&current.tag()),
        None => asked.verdict_on_nothing(),
    };
    match verdict {
        Verdict::Proceed => Ok(Wanted {
            text: body.to_owned(),
            is_new: current.is_none(),
        }),
        _ => Err(Fault::PreconditionFailed),
    }
}

fn with_node(
    asked: &Asked,
    node: &NodeSelector,
    current: Option<&Current>,
    body: &str,
) -> Result<Wanted, Fault> {
    let current = current.ok_or(Fault::Conflict(Conflict::NoParent))?;
    check_node_conditions(asked, node, current)?;
    let edited = edit::put(&current.text, node, body, READING).map_err(not_edited)?;
    Ok(Wanted {
        text: edited.text,
        is_new: edited.is_new,
    })
}

/// Tags are those of the document; `*` asks whether the node is there (RFC 4825 §7.11).
fn check_node_conditions(
    asked: &Asked,
    node: &NodeSelector,
    current: &Current,
) -> Result<(), Fault> {
    let is_there = || edit::exists(&current.text, node, READING);
    if asked.is_any(header::IF_NONE_MATCH) {
        return match is_there() {
            true => Err(Fault::PreconditionFailed),
            false => Ok(()),
        };
    }
    if asked.is_any(header::IF_MATCH) && !is_there() {
        return Err(Fault::PreconditionFailed);
    }
    match asked.verdict(&current.tag()) {
        Verdict::Proceed => Ok(()),
        _ => Err(Fault::PreconditionFailed),
    }
}

async fn delete(edge: &Edge, asked: &Asked, place: &Place) -> Result<Response, Fault> {
    for _ in 0..TRIES {
        let current = current(edge, place).await?.ok_or(Fault::NotFound)?;
        let tried = match &asked.resource.node {
            None => remove(edge, asked, place, current).await,
            Some(node) => {
                check_node_conditions(asked, node, &current)?;
                let text = edit::delete(&current.text, node, READING).map_err(not_edited)?;
                let kept = keep(edge, place, Some(current), text).await;
                kept.map(|tag| reply::changed(&tag, false))
            }
        };
        match tried {
            Err(Fault::PreconditionFailed) if !asked.is_conditional() => {}
            tried => return tried,
        }
    }
    Err(Fault::Unavailable(TURN))
}

async fn remove(
    edge: &Edge,
    asked: &Asked,
    place: &Place,
    current: Current,
) -> Result<Response, Fault> {
    if asked.verdict(&current.tag()) != Verdict::Proceed {
        return Err(Fault::PreconditionFailed);
    }
    let Group { uri, version, .. } = current.group;
    let removed = edge
        .storage
        .remove_group(&uri, &place.owner, Some(version))
        .await;
    removed.map_err(not_changed)?;
    event::document_removed(&place.owner);
    Ok(reply::gone())
}

/// Makes the group what the document says; the new tag.
async fn keep(
    edge: &Edge,
    place: &Place,
    current: Option<Current>,
    text: String,
) -> Result<String, Fault> {
    let wanted = group_of(&text, &place.owner, &edge.site)?;
    let known = match current {
        Some(current) if current.group.uri != wanted.uri => {
            let sentence = "the identity of a group cannot be changed";
            return Err(Fault::Conflict(Conflict::Constraint(sentence.to_owned())));
        }
        Some(current) => Some(current.group),
        None => unbound(edge, place, &wanted.uri).await?,
    };
    if known.is_none() {
        check::may_be_made(&wanted.uri, &edge.site)?;
    }
    let version = known.as_ref().map_or(0, |known| known.version);
    let group = Group {
        disclose_members: known.is_some_and(|known| known.disclose_members),
        ..wanted
    };
    let document = GroupDocument {
        name: place.name.clone(),
        octets: text.into(),
    };
    let put = edge
        .storage
        .put_group(group, Some(document), Some(version))
        .await;
    put.map(|group| group.version.to_string())
        .map_err(not_changed)
}

/// A group that operators have made for this owner, and that has no document yet. A group of somebody else, or of another
/// document, stands in the way.
async fn unbound(edge: &Edge, place: &Place, uri: &str) -> Result<Option<Group>, Fault> {
    let found = edge.storage.look_up_group(uri, 0).await;
    match found.map_err(unavailable)? {
        GroupAnswer::Unknown => Ok(None),
        GroupAnswer::Found(group)
            if group.owner.as_ref() == Some(&place.owner) && group.document.is_none() =>
        {
            Ok(Some(group))
        }
        GroupAnswer::Found(_) | GroupAnswer::Unchanged => Err(is_taken()),
    }
}

fn is_taken() -> Fault {
    Fault::Conflict(Conflict::Uniqueness { field: IDENTITY })
}

fn unavailable(unavailable: Unavailable) -> Fault {
    Fault::Unavailable(unavailable.retry_after)
}

fn not_edited(not_edited: NotEdited) -> Fault {
    match not_edited {
        NotEdited::NotFound => Fault::NotFound,
        NotEdited::Namespaces => Fault::MethodNotAllowed("GET, HEAD"),
        not_edited => Conflict::of_edit(not_edited).map_or(Fault::Internal, Fault::Conflict),
    }
}

fn not_changed(error: GroupError) -> Fault {
    match error {
        GroupError::Stale | GroupError::Unknown => Fault::PreconditionFailed,
        GroupError::NotOwner | GroupError::OtherDocument => is_taken(),
        GroupError::Invalid(why) => Fault::Conflict(Conflict::Constraint(why)),
        GroupError::Unavailable(error) => unavailable(error),
        _ => Fault::Internal,
    }
}
