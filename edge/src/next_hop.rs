//! The core as a hop: whether it takes requests now, and the probes that find out (requirements
//! §3.5). One that is down, or has asked for time, costs no mailbox a try.
//!
//! Requests that begin something ask [`NextHop::pause`] before they are sent and tell how they ended;
//! those within our dialogs follow their dialog.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use net::hop::{Admission, HopHealth, HopPolicy, Outcome};
use net::sip::{SendError, SipEndpoint, Target, TransactionFailure};
use sip::{CSeq, Method, Name, Request, RequestBuilder, Response, SipUri};
use storage_client::delivery::{DeliveryOutcome, DeliveryResult};
use tokio::sync::{Notify, watch};
use tokio::time::sleep_until;

use crate::event;
use crate::signature::Signature;

/// Hops an OPTIONS of ours may take.
const MAX_FORWARDS: u8 = 70;

/// The shortest pause told to the store, which shall not come back at once.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The next hop and its health.
#[derive(Debug)]
pub struct NextHop {
    uri: SipUri,
    /// Whose it is, for metrics.
    role: &'static str,
    health: Mutex<HopHealth<()>>,
    /// The health has changed, and with it the time of the next probe.
    changed: Notify,
    /// Until when nothing may go there, as it was last known.
    paused: watch::Sender<Option<Instant>>,
}

impl NextHop {
    /// The hop of an edge of this role, which takes requests; timeouts of `down_after` targets in a row pause it.
    pub fn new(uri: SipUri, role: &'static str, down_after: u32) -> Self {
        let policy = HopPolicy {
            down_after: usize::try_from(down_after).unwrap_or(usize::MAX),
            ..HopPolicy::default()
        };
        show_open(role, true);
        Self {
            uri,
            role,
            health: Mutex::new(HopHealth::new(policy)),
            changed: Notify::new(),
            paused: watch::Sender::new(None),
        }
    }

    /// Its URI.
    pub fn uri(&self) -> &SipUri {
        &self.uri
    }

    /// How long no request may go there, at least; `None` if one may now.
    pub fn pause(&self) -> Option<Duration> {
        let now = steady();
        match self.lock().admission(now, &()) {
            Admission::Open => None,
            Admission::Busy { until } | Admission::Down { until } => {
                Some(until.saturating_duration_since(now).max(SHORTEST_PAUSE))
            }
        }
    }

    /// Until when no request may go there, whenever that changes but by the passing of time.
    pub fn paused(&self) -> watch::Receiver<Option<Instant>> {
        self.paused.subscribe()
    }

    fn publish(&self) {
        let paused = match self.lock().admission(steady(), &()) {
            Admission::Open => None,
            Admission::Busy { until } | Admission::Down { until } => Some(until),
        };
        self.paused.send_if_modified(|known| {
            let is_news = *known != paused;
            *known = paused;
            is_news
        });
    }

    /// The outcome of a delivery that may not begin, or go on, now.
    ///
    /// # Errors
    /// That outcome, while the hop is paused.
    pub fn admit(&self) -> Result<(), DeliveryOutcome> {
        match self.pause() {
            None => Ok(()),
            Some(pause) => Err(DeliveryOutcome {
                result: DeliveryResult::HopDown,
                reason: "next hop paused".to_owned(),
                retry_after: Some(pause),
            }),
        }
    }

    /// A response to a request that went there.
    pub fn answered(&self, response: &Response) {
        self.report(Outcome::of_response(response));
    }

    /// A request for `target` that went there has ended without a final response.
    pub fn failed(&self, failure: TransactionFailure, target: &str) {
        self.report(Outcome::of_failure(failure, target));
    }

    /// A request could not be sent there. What speaks of us and not of the hop changes nothing.
    pub fn not_sent(&self, error: &SendError) {
        match error {
            SendError::Unresolved(_) | SendError::NoTransport(_) | SendError::Connect { .. } => {
                self.report(Outcome::Unreachable);
            }
            _ => {}
        }
    }

    fn report(&self, outcome: Outcome<'_>) {
        let was_open = self.pause().is_none();
        self.lock().report(steady(), &(), outcome);
        let pause = self.pause();
        match pause {
            Some(pause) if was_open => event::next_hop_paused(pause),
            None if !was_open => event::next_hop_open(),
            _ => {}
        }
        show_open(self.role, pause.is_none());
        self.publish();
        self.changed.notify_one();
    }

    /// Waits until a probe is due.
    async fn probe_due(&self) {
        loop {
            let (is_due, next) = {
                let mut health = self.lock();
                let probe = health.poll_probe(steady());
                (probe.is_some(), health.next_timeout())
            };
            self.publish();
            if is_due {
                return;
            }
            show_open(self.role, self.pause().is_none());
            tokio::select! {
                () = self.changed.notified() => {}
                () = until(next) => {}
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HopHealth<()>> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether requests may go to the next hop now.
fn show_open(role: &'static str, is_open: bool) {
    metrics::gauge!("restante_next_hop_open", "role" => role).set(u8::from(is_open));
}

/// The clock that [`until`] waits by.
fn steady() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// Probes the next hop, if there is one, whenever that is due; never ends.
pub async fn probe(hop: Option<&NextHop>, endpoint: &SipEndpoint, signature: &Signature) {
    let Some(hop) = hop else {
        return std::future::pending().await;
    };
    loop {
        hop.probe_due().await;
        match ask(hop, endpoint, signature).await {
            Some(response) => hop.answered(&response),
            None => hop.report(Outcome::Unreachable),
        }
    }
}

/// Asks the hop by OPTIONS; any response says that it is there.
async fn ask(hop: &NextHop, endpoint: &SipEndpoint, signature: &Signature) -> Option<Response> {
    let branch = sip::token::branch(&mut rand::rng());
    let target = Target::Uri(hop.uri.clone().into());
    let options = options(&hop.uri, signature);
    let mut transaction = endpoint.request(options, &target, branch).await.ok()?;
    transaction.next().await?.ok()
}

fn options(uri: &SipUri, signature: &Signature) -> Request {
    let mut rng = rand::rng();
    let cseq = CSeq {
        number: 1,
        method: Method::Options,
    };
    let from = signature.store_identity();
    let call_id = sip::token::random_base62(&mut rng, 22);
    RequestBuilder::new(Method::Options, uri)
        .header(Name::MaxForwards, MAX_FORWARDS)
        .header(
            Name::From,
            format_args!("{from};tag={}", sip::token::tag(&mut rng)),
        )
        .header(Name::To, format_args!("<{uri}>"))
        .header(
            Name::CallId,
            format_args!("probe-{call_id}@{}", signature.host()),
        )
        .header(Name::CSeq, cseq)
        .header(Name::UserAgent, signature.product())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::df1;

    fn hop() -> NextHop {
        NextHop::new(df1().next_hop.expect("a core"), "sip-edge", 2)
    }

    #[test]
    fn timeouts_of_different_users_in_a_row_pause_it_until_it_answers() {
        let hop = hop();
        for _ in 0..3 {
            hop.failed(TransactionFailure::Timeout, "sip:bob@example.org");
            assert_eq!(hop.pause(), None);
        }
        hop.failed(TransactionFailure::Timeout, "sip:carol@example.org");
        let outcome = hop.admit().expect_err("it is paused");
        assert_eq!(outcome.result, DeliveryResult::HopDown);
        assert!(outcome.retry_after >= Some(SHORTEST_PAUSE));
        let paused = hop.paused();
        assert!(*paused.borrow() > Some(Instant::now()));
        hop.report(Outcome::Answered);
        assert_eq!((hop.admit(), *paused.borrow()), (Ok(()), None));
    }

    #[test]
    fn what_keeps_us_from_sending_is_not_the_hops_fault() {
        let hop = hop();
        for error in [
            SendError::TooLarge,
            SendError::Overloaded,
            SendError::Closed,
        ] {
            hop.not_sent(&error);
        }
        assert_eq!(hop.pause(), None);
        hop.not_sent(&SendError::NoTransport(sip::Transport::Tls));
        assert!(hop.pause().is_some());
    }

    #[test]
    fn a_probe_is_a_well_formed_options() {
        let site = df1();
        let uri = site.next_hop.clone().expect("a core");
        let request = options(&uri, &site.signature);
        assert_eq!(request.raw_uri(), uri.to_string());
        let vias = request
            .edit()
            .prepend(Name::Via, "SIP/2.0/TCP h;branch=z9hG4bK1");
        assert_eq!(vias.build().check(), Ok(()));
    }
}
