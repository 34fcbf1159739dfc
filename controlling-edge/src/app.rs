//! The life of the process: bind everything, serve, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::control::Control;
use daemon::drain::settle;
use daemon::exit::{Code, Fatal};
use daemon::readiness::{Condition, Readiness};
use edge::config::{RequireReport, StoreAccess};
use edge::dialogs::Dialogs;
use edge::mark::Mark;
use edge::next_hop::{self, NextHop};
use edge::reception::Receptions;
use edge::surroundings::Surroundings;
use edge::trust::TrustedPeers;
use edge::user_agent::{Calling, UserAgent};
use edge::{bind, control};
use net::sip::Incoming;
use storage_client::{ClientConfig, Connector, StorageClient};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::edge::Edge;
use crate::site::Site;
use crate::xdms::Xdms;
use crate::{documents, event, ingress, legs};

/// Where the listeners are in the configuration.
const SECTION: &str = "controlling-edge";
/// How long idle connections of proxies may stay open in a drain.
const LAST_DOCUMENTS: Duration = Duration::from_secs(1);

/// How long the store is waited for at most to write what came of the last copies.
const LAST_OUTCOMES: Duration = Duration::from_secs(5);

/// How long a sender is waited for at most to end his session, before we do (CFL-12).
const FAREWELL: Duration = Duration::from_secs(30);

/// The session interval that we offer (requirements §3.1).
const SESSION_EXPIRES: Duration = Duration::from_secs(1_800);

/// A bound edge, not serving yet.
#[derive(Debug)]
pub struct App {
    edge: Arc<Edge>,
    incoming: Incoming,
    storage: Condition,
    /// How operators ask this process.
    control: Option<Control>,
    /// The listener of XCAP, and its address.
    xcap: Option<(TcpListener, SocketAddr)>,
}

impl App {
    /// Binds every listener and begins to connect to the store. Runs within a tokio runtime.
    /// `readiness` gets the condition `storage`.
    ///
    /// # Errors
    /// [`Code::Config`] for contradictions in the configuration and certificates that cannot be used,
    /// [`Code::Unavailable`] for an address that cannot be bound.
    pub async fn build(config: Config, readiness: &Readiness) -> Result<Self, Fatal> {
        Self::build_in(Surroundings::default(), config, readiness).await
    }

    /// The same in surroundings that are not the operating system.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn build_in(
        surroundings: Surroundings,
        config: Config,
        readiness: &Readiness,
    ) -> Result<Self, Fatal> {
        let site = Site::new(&config).ok_or_else(|| contradictions(&config))?;
        let (sip, incoming) = bind::sip(
            SECTION,
            &config.listening(),
            (&config.sip, &config.tls),
            (&site.signature, &surroundings),
        )
        .await?;
        let xdms = config
            .xdms_root()
            .map(|root| {
                Xdms::new(
                    root,
                    &config.xdms,
                    site.signature.store_identity().to_string(),
                )
            })
            .transpose()?;
        // Groups are edited where they are.
        let groups_listen = config.xcap.groups_listen.filter(|_| xdms.is_none());
        let xcap = bind::xcap("xcap.groups_listen", groups_listen).await?;
        warn_of_exposure(&config, readiness);
        let msrp = bind::msrp(
            SECTION,
            (config.process.msrp_listen, config.process.msrp_listen_tls),
            &config.msrp,
            &config.listening(),
            (&site.signature, &surroundings),
        )
        .await?;
        let loopback = config.trust.loopback && config.listening().is_loopback_only();
        if config.trust.peers.is_empty() && !loopback {
            edge::event::nobody_trusted();
        }
        let user_agent = UserAgent {
            signature: site.signature.clone(),
            mark: Mark::Leg,
            storage: StorageClient::connect(client_config(&config, surroundings.connector)?),
            next_hop: next_hop(&config, &site),
            dialogs: Dialogs::default(),
            calling: calling(&config),
            draining: CancellationToken::new(),
            sip,
            msrp,
        };
        let edge = Edge {
            user_agent: Arc::new(user_agent),
            xdms,
            document_workers: Semaphore::new(documents::WORKERS),
            receptions: Arc::new(Receptions::new(
                config.large.clone(),
                FAREWELL.min(config.large.stall),
            )),
            trusted: TrustedPeers::new(config.trust.peers.clone(), loopback),
            config,
            site,
        };
        Ok(Self {
            edge: Arc::new(edge),
            incoming,
            storage: readiness.condition("storage"),
            control: None,
            xcap,
        })
    }

    /// Lets operators ask this process.
    #[must_use]
    pub fn controlled_by(self, control: Control) -> Self {
        Self {
            control: Some(control),
            ..self
        }
    }

    /// What was bound: the name of each listener and its address.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        let bound = self.edge.sip.local_addresses();
        let sip = bound
            .into_iter()
            .map(|(transport, address)| (format!("sip/{transport}"), address));
        let xcap = self.xcap.iter();
        let xcap = xcap.map(|(_, address)| ("xcap".to_owned(), *address));
        let msrp = ("msrp".to_owned(), self.edge.msrp.local_address());
        sip.chain([msrp]).chain(xcap).collect()
    }

    /// Serves until `shutdown`, then drains (requirements §3.12): new work is answered 503 with Retry-After, legs
    /// on their way get the time to be answered; those that are not go to another edge.
    ///
    /// # Errors
    /// None yet; whatever fails while serving is answered to whom it concerns.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Fatal> {
        let Self {
            edge,
            incoming,
            storage,
            control,
            xcap,
        } = self;
        let requests = TaskTracker::new();
        let serving = tokio::spawn(ingress::serve(
            Arc::clone(&edge),
            incoming,
            requests.clone(),
        ));
        let legs = TaskTracker::new();
        let sending = tokio::spawn(legs::serve(Arc::clone(&edge), legs.clone()));
        let documents = TaskTracker::new();
        if let Some((listener, _)) = xcap {
            let stop = edge.draining.clone();
            documents.spawn(edge::xcap::serve(Arc::clone(&edge), listener, stop));
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = next_hop::probe(edge.next_hop.as_ref(), &edge.sip, &edge.site.signature) => {}
            () = report_storage(&edge, &storage) => {}
            () = control::attend(&edge.storage, control) => {}
        }
        storage.not_ready("draining");
        edge.draining.cancel();
        // All that is under way has the same time.
        let deadline = Instant::now() + edge.config.limits.drain_time;
        // Ends with the token; what it spawned is in the tracker.
        let sent = sending.await;
        settle(&legs, "legs", deadline).await;
        if let Ok(sent) = sent
            && timeout(LAST_OUTCOMES, sent.settled()).await.is_err()
        {
            event::outcomes_lost();
        }
        settle(&requests, "requests", deadline).await;
        settle(&documents, "documents", Instant::now() + LAST_DOCUMENTS).await;
        // Begun by requests; none begins any more.
        settle(&edge.receptions.tasks, "receptions", deadline).await;
        edge.msrp.close().await;
        edge.sip.close().await;
        // The endpoint is closed, so there is no next arrival.
        let _ = serving.await;
        Ok(())
    }
}

/// In the log and in readiness (design: external contracts).
fn warn_of_exposure(config: &Config, readiness: &Readiness) {
    let condition = readiness.condition("listeners");
    if config.warnings.is_empty() {
        return condition.ready();
    }
    let warning = config.warnings.join("; ");
    edge::event::xcap_exposed(&warning);
    condition.warning(warning);
}

fn calling(config: &Config) -> Calling {
    Calling {
        connect_timeout: config.msrp.connect_timeout,
        offer_tls: config.msrp.offer_tls,
        ring_timeout: config.cf.ring_timeout,
        session_expires: SESSION_EXPIRES,
        require_report: RequireReport::Auto,
        report_timeout: config.cf.report_timeout,
    }
}

fn next_hop(config: &Config, site: &Site) -> Option<NextHop> {
    let uri = site.next_hop.clone()?;
    Some(NextHop::new(uri, SECTION, config.cf.hop_down_after))
}

/// Follows what is known of the store; ends with the client.
async fn report_storage(edge: &Edge, storage: &Condition) {
    let mut unready = edge.storage.unready();
    loop {
        let reason = unready.borrow_and_update().clone();
        match reason {
            None => storage.ready(),
            Some(reason) => storage.not_ready(reason),
        }
        if unready.changed().await.is_err() {
            return;
        }
    }
}

fn contradictions(config: &Config) -> Fatal {
    let found = config.contradictions();
    let sentences: Vec<_> = found
        .iter()
        .map(|(key, sentence)| format!("{key}: {sentence}"))
        .collect();
    Fatal::new(Code::Config, sentences.join("\n"))
}

fn client_config(config: &Config, connector: Option<Connector>) -> Result<ClientConfig, Fatal> {
    let access = StoreAccess {
        address: &config.process.storage,
        edge: &config.process.name,
        role: SECTION,
        deposit_time: config.limits.deposit_time,
    };
    config.storage_client.client_config(access, connector)
}
