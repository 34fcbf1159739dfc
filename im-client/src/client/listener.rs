//! Takes what arrives and gives it to the session it belongs to.

use std::sync::Arc;

use net::sip::{Arrival, Incoming, ServerTransaction};
use sip::{Method, Name, ResponseBuilder, StatusCode};
use tokio::sync::mpsc;

use super::session::PushSession;
use super::{Event, Shared};
use crate::{ALLOW, PagerArrival, RELEASE};

pub(super) struct Listener {
    shared: Arc<Shared>,
    incoming: Incoming,
    events: mpsc::Sender<Event>,
}

impl Listener {
    pub(super) fn new(
        shared: Arc<Shared>,
        incoming: Incoming,
        events: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            shared,
            incoming,
            events,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(arrival) = self.incoming.next().await {
            match arrival {
                // The transaction layer has stopped repeating the 2xx; there is nothing else to do.
                Arrival::Ack { .. } => {}
                Arrival::Request(transaction) => self.take(transaction).await,
            }
        }
    }

    async fn take(&mut self, transaction: ServerTransaction) {
        let headers = transaction.request().headers();
        let call_id = headers.call_id().unwrap_or_default().into_owned();
        let in_dialog = headers
            .to()
            .ok()
            .flatten()
            .is_some_and(|to| to.tag().is_some());
        match transaction.request().method() {
            _ if transaction.merged() => respond(&transaction, StatusCode::LOOP_DETECTED),
            _ if in_dialog => match self.shared.sessions.find(&call_id) {
                Some(session) => {
                    // A session that is ending answers nothing any more: the dropped transaction does.
                    let _ = session.send(transaction).await;
                }
                None => respond(&transaction, StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST),
            },
            Method::Invite | Method::Message if self.shared.options.reject.is_some() => {
                let status = self.shared.options.reject;
                respond(
                    &transaction,
                    status.unwrap_or(StatusCode::TEMPORARILY_UNAVAILABLE),
                );
            }
            Method::Message => {
                let arrival = PagerArrival::read(transaction.request());
                // Whoever dropped the events does not want messages: the dropped transaction says so.
                if self.events.send(Event::Pager(arrival)).await.is_ok() {
                    respond(&transaction, StatusCode::OK);
                }
            }
            Method::Invite => {
                let requests = self.shared.sessions.enter(&call_id);
                let push = PushSession::new(Arc::clone(&self.shared), self.events.clone());
                tokio::spawn(push.run(transaction, requests));
            }
            Method::Options => respond(&transaction, StatusCode::OK),
            _ => respond(&transaction, StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

/// Answers with nothing but what every answer of this client carries.
pub(super) fn respond(transaction: &ServerTransaction, status: StatusCode) {
    transaction.respond(profile(ResponseBuilder::reply_to(transaction.request(), status)).build());
}

/// `Allow` and the release of this client (LMT-03).
pub(super) fn profile(response: ResponseBuilder) -> ResponseBuilder {
    response
        .header(Name::Allow, ALLOW)
        .header(Name::Server, RELEASE)
}
