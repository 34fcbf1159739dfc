//! From an INVITE to its 200: everything that may fail comes before the claim, so that a claim is
//! always given back.

use std::time::Duration;

use edge::call::{Call, Described};
use edge::dialogs::DialogEntry;
use edge::identity;
use edge::reception::answer;
use edge::reception::offer::{Lists, Offer, session_description};
use edge::reception::setup::{Answered, Route, open, session_timer};
use edge::refuse::Refusal;
use edge::sending::rules;
use edge::sending::terms::Terms;
use msrp::sdp::{Direction, answer_media};
use net::msrp::PendingSession;
use net::sip::ServerTransaction;
use sip::session_timer::Agreement;
use sip::{ResponseBuilder, StatusCode};
use storage_client::{ClaimedMessage, DeferredError};
use tokio::sync::OwnedSemaphorePermit;

use crate::delivery::session::CONTAINER;
use crate::edge::Edge;

/// How long an ACK may be on its way: 64·T1.
pub(super) const ACK_PATIENCE: Duration = Duration::from_secs(32);

/// A session whose INVITE has been answered 200.
pub(super) struct Agreed {
    pub(super) call: Call,
    pub(super) requests: DialogEntry,
    pub(super) pending: PendingSession,
    pub(super) route: Route,
    pub(super) terms: Terms,
    pub(super) fetch: ClaimedMessage,
    pub(super) message_id: String,
    /// Its place among the sessions of this edge.
    pub(super) place: OwnedSemaphorePermit,
}

/// A session that wants nothing but its claim.
pub(super) struct Prepared {
    reader: String,
    answered: Answered,
    described: Described,
    timer: Agreement,
    pending: PendingSession,
    route: Route,
    terms: Terms,
    place: OwnedSemaphorePermit,
}

/// Takes an INVITE of a reader up to the claim.
pub(super) async fn prepare(
    edge: &Edge,
    transaction: &ServerTransaction,
) -> Result<Prepared, Refusal> {
    let (request, source) = (transaction.request(), transaction.source());
    let reader = identity::originator(request.headers(), &edge.site)?;
    let reader = reader.ok_or(Refusal::NoAssertedIdentity)?;
    let description = session_description(request, Lists::Refused)?;
    let timer = session_timer(request)?;
    let mut offer = Offer::read_receiving(&description)?;
    // Whoever could send too is answered that we only do (requirements §3.14).
    offer.media.direction = Direction::RecvOnly;
    let place = edge.receptions.place(edge)?;
    transaction.respond(ResponseBuilder::reply_to(request, StatusCode::TRYING).build());
    let (pending, connect_to) = open(edge, &offer).await?;
    let (_, agreement) = answer_media(&offer.media, pending.local_path().clone());
    let terms =
        Terms::offered(&offer.media, &agreement, CONTAINER).map_err(Refusal::NotAcceptable)?;
    let answering = answer::Terms {
        accept_types: edge.receptions.accept_types(),
        max_octets: edge.receptions.config.max_octets.get(),
        repeated: Vec::new(),
    };
    let host = edge.msrp.advertised_host();
    let described = answer::described(&offer, &pending, &answering, host);
    let answered = Answered::new(edge, (request, source), described.text(), &timer, None)?;
    let route = Route::new(&offer, connect_to, Some(&reader), source);
    Ok(Prepared {
        reader: reader.address.to_string(),
        answered,
        described,
        timer,
        pending: pending.with_rules(rules(edge)),
        route,
        terms,
        place,
    })
}

impl Prepared {
    /// Claims the mailbox. To be waited for to its end: a claim that nobody knows of keeps the mailbox
    /// from being delivered until its lease is over.
    pub(super) async fn claim(
        &self,
        edge: &Edge,
        message_id: &str,
    ) -> Result<ClaimedMessage, Refusal> {
        let fetched = edge.storage.fetch_deferred(&self.reader, message_id).await;
        fetched.map_err(|error| match error {
            DeferredError::NotFound => Refusal::UserUnknown,
            DeferredError::Unavailable(unavailable) => {
                Refusal::Unavailable(Some(unavailable.retry_after))
            }
            _ => Refusal::MailboxBusy,
        })
    }

    /// Answers 200.
    pub(super) fn agree(
        self,
        edge: &Edge,
        transaction: &ServerTransaction,
        fetch: ClaimedMessage,
        message_id: &str,
    ) -> Agreed {
        let answered = self.answered;
        let requests = edge.dialogs.enter_as_uas(answered.dialog.id());
        transaction.respond(answered.response);
        let call = Call::answered(
            answered.dialog,
            (transaction.request(), transaction.source()),
            answered.contact,
            self.described,
            &self.timer,
        );
        Agreed {
            call,
            requests,
            pending: self.pending,
            route: self.route,
            terms: self.terms,
            fetch,
            message_id: message_id.to_owned(),
            place: self.place,
        }
    }
}
