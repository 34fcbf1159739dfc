//! The life of the process: bind everything, serve, drain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::control::Control;
use daemon::drain::settle;
use daemon::exit::{Code, Fatal};
use daemon::readiness::{Condition, Readiness};
use edge::config::StoreAccess;
use edge::dialogs::Dialogs;
use edge::mark::Mark;
use edge::next_hop::{self, NextHop};
use edge::reception::Receptions;
use edge::surroundings::Surroundings;
use edge::trust::TrustedPeers;
use edge::user_agent::{Calling, UserAgent};
use edge::{bind, control};
use net::sip::Incoming;
use sip::Transport;
use storage_client::{ClientConfig, Connector, StorageClient};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, RegistrarAuth, RegistrarSwitch};
use crate::edge::{Edge, millis};
use crate::flows::Flows;
use crate::ingress::online::Forwards;
use crate::ingress::sender_rate::SenderRates;
use crate::message_waiting::{self, MessageWaiting};
use crate::registration::digest::Digest;
use crate::registration::direct::Rules;
use crate::registration::kept::{self, Kept};
use crate::settings::Publishing;
use crate::site::Site;
use crate::unsuited::Unsuited;
use crate::{delivery, event, ingress, reports, xcap};

/// Where the listeners are in the configuration.
const SECTION: &str = "sip-edge";

/// How long idle connections of proxies may stay open in a drain.
const LAST_LISTS: Duration = Duration::from_secs(1);

/// A bound edge, not serving yet. Admin HTTP is the caller's, see [`Config`]'s `admin_listen`.
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
    /// [`Code::Config`] for contradictions in the configuration, mistakes in the users file and
    /// certificates that cannot be used, [`Code::Unavailable`] for an address that cannot be bound.
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
        let digest = Digest::load(&config)
            .map_err(|why| Fatal::new(Code::Config, format!("registrar.users: {why}")))?;
        let (sip, incoming) = bind::sip(
            SECTION,
            &config.listening(),
            (&config.sip, &config.tls),
            (&site.signature, &surroundings),
        )
        .await?;
        let msrp = bind::msrp(
            SECTION,
            (config.process.msrp_listen, config.process.msrp_listen_tls),
            &config.msrp,
            &config.listening(),
            (&site.signature, &surroundings),
        )
        .await?;
        let xcap = bind::xcap("xcap.listen", config.xcap.listen).await?;
        warn_of_exposure(&config, readiness);
        let loopback = config.trust.loopback && config.listening().is_loopback_only();
        warn_of_consequences(&config, loopback);
        let user_agent = UserAgent {
            signature: site.signature.clone(),
            mark: Mark::Delivery,
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
            trusted: TrustedPeers::new(config.trust.peers.clone(), loopback),
            digest,
            rules: Rules::new(&config.registrar),
            publishing: Publishing::new(&config),
            forwards: Forwards::new(config.pf.forward_online),
            sender_rates: SenderRates::new(config.limits.sender_rate, config.limits.sender_burst),
            list_readers: Semaphore::new(xcap::READERS),
            kept: Kept::new(config.registrar.kept),
            flows: Flows::default(),
            waiting: MessageWaiting::default(),
            receptions: Arc::new(Receptions::new(config.large.clone(), config.large.stall)),
            unsuited: Unsuited::default(),
            sessionless: Unsuited::default(),
            register_time: millis(config.limits.register_time).into(),
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

    /// Lets what may change without a restart be as another configuration says.
    pub fn reconfigure(&self) -> impl Fn(&Config) + Send + Sync + use<> {
        let edge = Arc::clone(&self.edge);
        move |config| edge.reconfigure(config)
    }

    /// The SIP addresses bound, UDP first; of interest when port 0 was asked for.
    #[must_use]
    pub fn sip_addresses(&self) -> Vec<(Transport, SocketAddr)> {
        self.edge.sip.local_addresses()
    }

    /// The MSRP address bound.
    #[must_use]
    pub fn msrp_address(&self) -> SocketAddr {
        self.edge.msrp.local_address()
    }

    /// The XCAP address bound, if there is one.
    #[must_use]
    pub fn xcap_address(&self) -> Option<SocketAddr> {
        self.xcap.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown`, then drains (requirements §3.12): new work is answered 503 with
    /// Retry-After, pushes end after the message in flight with BYE.
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
        let pushes = TaskTracker::new();
        let serving = tokio::spawn(ingress::serve(
            Arc::clone(&edge),
            incoming,
            requests.clone(),
        ));
        let delivering = tokio::spawn(delivery::serve(Arc::clone(&edge), pushes.clone()));
        let reporting = TaskTracker::new();
        let reports = tokio::spawn(reports::serve(Arc::clone(&edge), reporting.clone()));
        let notifications = TaskTracker::new();
        let notifying = message_waiting::serve(Arc::clone(&edge), notifications.clone());
        let notifying = tokio::spawn(notifying);
        let lists = TaskTracker::new();
        if let Some((listener, _)) = xcap {
            let stop = edge.draining.clone();
            lists.spawn(edge::xcap::serve(Arc::clone(&edge), listener, stop));
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = kept::replay(&edge) => {}
            () = next_hop::probe(edge.next_hop.as_ref(), &edge.sip, &edge.site.signature) => {}
            () = report_storage(&edge, &storage) => {}
            () = control::attend(&edge.storage, control) => {}
        }
        storage.not_ready("draining");
        edge.draining.cancel();
        // Ends with the token; what it spawned is in the tracker.
        let _ = delivering.await;
        // All that is under way has the same time.
        let deadline = Instant::now() + edge.config.limits.drain_time;
        // Whoever is not told in time is taken over by another edge.
        let _ = timeout_at(deadline, notifying).await;
        let _ = timeout_at(deadline, reports).await;
        settle(&pushes, "push sessions", deadline).await;
        settle(&reporting, "reports", deadline).await;
        settle(&requests, "requests", deadline).await;
        // Begun by requests; none begins any more.
        settle(&edge.receptions.tasks, "receptions", deadline).await;
        kept::replay_last(&edge, deadline).await;
        settle(&lists, "list requests", Instant::now() + LAST_LISTS).await;
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

fn next_hop(config: &Config, site: &Site) -> Option<NextHop> {
    let uri = site.next_hop.clone()?;
    Some(NextHop::new(uri, SECTION, config.push.hop_down_after))
}

fn calling(config: &Config) -> Calling {
    Calling {
        connect_timeout: config.msrp.connect_timeout,
        offer_tls: config.msrp.offer_tls,
        ring_timeout: config.push.ring_timeout,
        session_expires: config.push.session_expires,
        require_report: config.push.require_report,
        report_timeout: config.push.report_timeout,
    }
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

/// What an operator may not expect of his configuration.
fn warn_of_consequences(config: &Config, loopback: bool) {
    if config.is_registrar() && config.registrar.auth == Some(RegistrarAuth::None) {
        event::registrar_unauthenticated();
    }
    if config.registrar.enabled == RegistrarSwitch::Auto
        && config.sip.next_hop.is_none()
        && !config.listening().is_loopback_only()
    {
        event::registrar_closed();
    }
    if config.trust.peers.is_empty() && !loopback {
        event::nobody_trusted();
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
