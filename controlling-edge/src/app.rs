//! The life of the process: bound, served, drained.

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use daemon::exit::{Code, Fatal};
use daemon::readiness::{Condition, Readiness};
use net::sip::{Arrival, Incoming, SipConfig, SipEndpoint, SipListener};
use sip::SipDate;
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::options::answer;

/// A controlling edge with its sockets bound.
pub struct App {
    endpoint: SipEndpoint,
    incoming: Incoming,
    listening: Condition,
}

impl App {
    /// Binds everything, serves nothing yet.
    ///
    /// # Errors
    /// [`Code::Unavailable`] with a sentence if an address cannot be bound.
    pub async fn build(config: Config, readiness: &Readiness) -> Result<Self, Fatal> {
        let listening = readiness.condition("sip");
        let listeners = config.listeners();
        let sip = SipConfig {
            listeners: listeners
                .map(|(transport, address)| SipListener { transport, address })
                .collect(),
            advertised_host: config.advertised_host().unwrap_or_default(),
            ..SipConfig::default()
        };
        let bound = SipEndpoint::bind(sip).await;
        let (endpoint, incoming) = bound
            .map_err(|error| Fatal::new(Code::Unavailable, format!("controlling-edge: {error}")))?;
        Ok(Self {
            endpoint,
            incoming,
            listening,
        })
    }

    /// What was bound: the name of each listener and its address.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let bound = self.endpoint.local_addresses();
        bound
            .into_iter()
            .map(|(transport, address)| (format!("sip/{transport}"), address))
            .collect()
    }

    /// Serves until `shutdown`, then answers 503 to what is still queued and closes.
    ///
    /// # Errors
    /// None so far; the shape is that of every process.
    pub async fn run(mut self, shutdown: CancellationToken) -> Result<(), Fatal> {
        self.listening.ready();
        loop {
            let arrival = tokio::select! {
                () = shutdown.cancelled() => break,
                arrival = self.incoming.next() => arrival,
            };
            match arrival {
                Some(arrival) => respond(arrival, false),
                None => break,
            }
        }
        self.listening.not_ready("draining");
        self.refuse_the_queued().await;
        self.endpoint.close().await;
        Ok(())
    }

    async fn refuse_the_queued(&mut self) {
        loop {
            tokio::select! {
                biased;
                Some(arrival) = self.incoming.next() => respond(arrival, true),
                () = std::future::ready(()) => return,
            }
        }
    }
}

fn respond(arrival: Arrival, is_draining: bool) {
    if let Arrival::Request(transaction) = arrival {
        transaction.respond(answer(transaction.request(), is_draining, now()));
    }
}

fn now() -> SipDate {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    SipDate::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
