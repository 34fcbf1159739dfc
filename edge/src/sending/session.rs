//! A session that stands: SENDs under way in it, while the peer's requests are answered and the dialog is kept
//! alive (PSH-09).

use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use msrp::OutboundMessage;
use net::msrp::{BodySource, SendTicket};
use tokio::time::{Instant, sleep_until};

use super::establish::Established;
use super::terms::Terms;
use crate::call::Served;
use crate::config::RequireReport;
use crate::user_agent::UserAgent;

/// What a client that said BYE may still acknowledge.
const AFTER_BYE: Duration = Duration::from_secs(1);

/// A session while it sends; a `T` is what becomes of a SEND.
pub struct Session<'a, T> {
    ua: &'a UserAgent,
    established: Established,
    in_flight: FuturesUnordered<BoxFuture<'a, T>>,
    /// Whether the client ended the dialog, and until when it may still acknowledge.
    ended_by_peer: Option<Instant>,
}

/// What has happened in a session.
#[derive(Debug)]
pub enum Step<T> {
    /// A SEND has ended.
    Sent(T),
    /// Nothing that matters to who sends.
    Continues,
    /// The client said BYE: nothing more may be sent, and what is under way may be acknowledged for a moment.
    EndedByPeer,
    /// The session timer has run out.
    Expired,
}

impl<'a, T> Session<'a, T> {
    /// In which nothing was sent yet.
    #[must_use]
    pub fn new(ua: &'a UserAgent, established: Established) -> Self {
        Self {
            ua,
            established,
            in_flight: FuturesUnordered::new(),
            ended_by_peer: None,
        }
    }

    /// What may be sent.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.established.terms
    }

    /// SENDs under way.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether only success REPORTs prove that a message has come (requirements §2.4.3).
    #[must_use]
    pub fn needs_reports(&self) -> bool {
        match self.ua.calling.require_report {
            RequireReport::Auto => self.terms().needs_reports,
            RequireReport::Always => true,
            RequireReport::Never => false,
        }
    }

    /// Begins a SEND; [`follow`](Self::follow) its ticket.
    pub async fn send(
        &mut self,
        message: OutboundMessage,
        source: impl BodySource + 'static,
    ) -> SendTicket {
        self.established.session.send(message, source).await
    }

    /// Waits for what becomes of a SEND, in [`step`](Self::step).
    pub fn follow(&mut self, sent: impl Future<Output = T> + Send + 'a) {
        self.in_flight.push(Box::pin(sent));
    }

    /// Waits for the next thing to happen while something is under way. Loses nothing when dropped halfway.
    pub async fn step(&mut self) -> Step<T> {
        let Established { call, requests, .. } = &mut self.established;
        tokio::select! {
            Some(sent) = self.in_flight.next() => Step::Sent(sent),
            transaction = requests.next() => match call.serve(self.ua, &transaction) {
                Served::Continues => Step::Continues,
                Served::Ended => {
                    self.ended_by_peer = Some(Instant::now() + AFTER_BYE);
                    Step::EndedByPeer
                }
            },
            upkeep = call.upkeep() => match call.keep_alive(self.ua, upkeep) {
                Served::Continues => Step::Continues,
                Served::Ended => Step::Expired,
            },
            () = until(self.ended_by_peer) => {
                self.in_flight.clear();
                Step::Continues
            }
        }
    }

    /// Ends dialog and session.
    pub async fn close(mut self) {
        if self.ended_by_peer.is_none() {
            let Established { call, requests, .. } = &mut self.established;
            call.bye(self.ua).await;
            call.serve_waiting(self.ua, requests);
        }
        self.established.session.close().await;
    }
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
