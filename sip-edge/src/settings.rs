//! PUBLISH of service settings (SET rows, RFC 3903, RFC 4354): read here, composed in the store.

mod read;
mod turns;

use std::time::Duration;

use net::sip::ServerTransaction;
use sip::{Aor, Name, Request, Response, StatusCode};
use storage_client::PublishError;
use xcap::poc_settings::{Names, XmlName};

use crate::config::Config;
use crate::edge::Edge;
use crate::site::Site;
use crate::{event, metrics};
use edge::refuse::Refusal;
use edge::response::answer;
use edge::{identity, now};

pub(crate) use read::PACKAGE;
pub(crate) use turns::Turn;
use turns::Turns;

/// What this edge needs to serve PUBLISH.
#[derive(Debug)]
pub(crate) struct Publishing {
    names: Names,
    default_lifetime: Duration,
    shortest: Duration,
    longest: Duration,
    turns: Turns,
}

impl Publishing {
    /// As configured.
    pub(crate) fn new(config: &Config) -> Self {
        let settings = &config.settings;
        let configured = settings.xml_names.iter();
        let configured: Vec<XmlName> = configured.map(|name| name.0.clone()).collect();
        Self {
            names: Names::with(&configured),
            default_lifetime: settings.default_expires,
            shortest: settings.min_expires,
            longest: settings.max_expires,
            turns: Turns::default(),
        }
    }

    /// To be called in the order of arrival: whose turn it is among the PUBLISHes for one
    /// Request-URI (RFC 3903 §6).
    pub(crate) fn queue(&self, transaction: &ServerTransaction) -> Turn {
        self.turns.queue(transaction.request().raw_uri())
    }
}

/// Answers a PUBLISH of a trusted peer.
///
/// # Errors
/// The refusals of ERR-09a to ERR-15, and what the store says.
pub(crate) async fn publish(
    edge: &Edge,
    transaction: &ServerTransaction,
) -> Result<Response, Refusal> {
    let request = transaction.request();
    let publisher = identity::originator(request.headers(), &edge.site)?;
    // Also where messages may be anonymous (SET-03).
    let publisher = publisher.ok_or(Refusal::NoAssertedIdentity)?;
    let served_user = own_address(request, &edge.site)?;
    let publish = read::publish(
        request,
        &served_user.to_string(),
        &publisher.address.to_string(),
        &edge.publishing,
    )?;
    if edge.draining.is_cancelled() {
        return Err(Refusal::Overloaded);
    }
    let kind = read::kind(&publish.change);
    let published = edge.storage.publish(publish).await.map_err(refusal)?;
    metrics::published(kind);
    event::settings_published(&served_user.to_string(), kind);
    Ok(answer(request, StatusCode::OK, &edge.site.signature, now())
        .header(Name::SipEtag, published.entity_tag)
        .header(Name::Expires, published.lifetime.as_secs())
        .build())
}

/// Whose settings: the Request-URI, also in the originating session case, in which the core hands over
/// what its user sends to himself (SET-02).
fn own_address(request: &Request, site: &Site) -> Result<Aor, Refusal> {
    let uri = request.uri().ok();
    uri.and_then(|uri| Aor::from_uri(&uri))
        .filter(|address| address.domain().is_none() || address.user().is_some())
        .filter(|address| site.serves(address))
        .ok_or(Refusal::UserUnknown)
}

fn refusal(error: PublishError) -> Refusal {
    match error {
        PublishError::UnknownUser => Refusal::UserUnknown,
        PublishError::NotOwner => Refusal::NotOwner,
        PublishError::UnknownTag => Refusal::UnknownTag,
        PublishError::Unavailable(unavailable) => {
            Refusal::Unavailable(Some(unavailable.retry_after))
        }
        _ => Refusal::Unavailable(None),
    }
}
