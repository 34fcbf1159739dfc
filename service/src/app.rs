//! The process: bound, served, drained.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use daemon::control::Control;
use daemon::drain::{Tasks, settle};
use daemon::exit::{Code, Fatal};
use daemon::readiness::{Condition, Readiness};
use storage::model::{Clock, SystemClock};
use storage::{RocksStore, Store};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::access::Guard;
use crate::account::Accounts;
use crate::audit::Audit;
use crate::bind::{Connections, Incoming, Listeners};
use crate::config::{Config, DeliveryScope};
use crate::deferred::Deferred;
use crate::delivery::Deliveries;
use crate::delivery::release::Releases;
use crate::deposit::Deposits;
use crate::door::{Door, Visits};
use crate::event_log::Events;
use crate::event_log::webhook::Webhook;
use crate::fan_out::{Dispatcher, FanOuts};
use crate::group::Groups;
use crate::health::Unready;
use crate::import::Imports;
use crate::job::Jobs;
use crate::key::Keys;
use crate::large::{LargeMessages, Patience, UploadsUnderWay};
use crate::mailbox::Mailboxes;
use crate::operator::Operators;
use crate::process::Processes;
use crate::recall::Recalls;
use crate::registration::Registrations;
use crate::report::Reports;
use crate::scheduler::{DepositWatch, Driver, Policy, Scheduler};
use crate::serve::{self, Listener};
use crate::settings::SettingsServices;
use crate::subscription::{Distributor, Subscriptions};
use crate::suspension::Suspensions;
use crate::sweeper::Alarms;
use crate::upkeep::{Maintenance, Upkeep};
use crate::waiting::WaitingMailboxes;
use crate::watches::Watches;
use crate::{health, sweeper};

/// How long connections without streams of ours may stay open in a drain: those of watchers of
/// health never end by themselves.
const LAST_CONNECTIONS: Duration = Duration::from_secs(3);

/// A storage service that has bound its listeners and opened its store, and serves nothing yet.
pub struct App<S> {
    config: Config,
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    readiness: Readiness,
    store_condition: Condition,
    audit: Audit,
    uploads: UploadsUnderWay,
    listeners: Listeners,
    addresses: Vec<(String, SocketAddr)>,
    door: Door,
    visits: Visits,
    /// What the scheduler goes by.
    policies: watch::Sender<Policy>,
    /// How operators ask this process.
    control: Option<Control>,
}

impl App<RocksStore> {
    /// Binds all listeners, then opens the store in its folder. `readiness` gets the conditions
    /// `store` and `listeners`.
    ///
    /// # Errors
    /// [`Code::Config`] for certificates that cannot be used, [`Code::Unavailable`] if an address cannot be bound, [`Code::Io`] if the store cannot be
    /// opened.
    pub async fn build(config: Config, readiness: &Readiness) -> Result<Self, Fatal> {
        let listeners = Listeners::bind(&config)?;
        let keyed = config.clone();
        let opened = tokio::task::spawn_blocking(move || {
            let opened = RocksStore::open(keyed.store_with_keys()?, SystemClock);
            opened.map_err(|error| Fatal::new(Code::Io, error.to_string()))
        });
        let store = opened
            .await
            .map_err(|error| Fatal::new(Code::Bug, format!("opening the store: {error}")))??;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let audit = match config.audit_file() {
            Some(path) => Audit::open(&path, Arc::clone(&clock), readiness.condition("audit"))?,
            None => Audit::off(),
        };
        Self::assemble(config, Arc::new(store), clock, readiness, listeners, audit)
    }
}

impl<S: Store> App<S> {
    /// Binds all listeners over a store that is open already; keeps no audit log.
    ///
    /// # Errors
    /// [`Code::Config`] for certificates that cannot be used, [`Code::Unavailable`] if an address cannot be bound.
    pub fn with_store(
        config: Config,
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        readiness: &Readiness,
    ) -> Result<Self, Fatal> {
        let listeners = Listeners::bind(&config)?;
        Self::assemble(config, store, clock, readiness, listeners, Audit::off())
    }

    /// Over a store that is open already and connections that are handed in: binds nothing, not even
    /// the operators' Unix socket, and keeps no audit log.
    ///
    /// # Errors
    /// None yet.
    pub fn with_connections(
        config: Config,
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        readiness: &Readiness,
        connections: Connections,
    ) -> Result<Self, Fatal> {
        let listeners = Listeners::handed_in(connections);
        Self::assemble(config, store, clock, readiness, listeners, Audit::off())
    }

    fn assemble(
        config: Config,
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        readiness: &Readiness,
        listeners: Listeners,
        audit: Audit,
    ) -> Result<Self, Fatal> {
        let address = |name: &str, incoming: &Incoming| {
            let address = incoming.address();
            let address = address.map_err(|error| Fatal::new(Code::Bug, error.to_string()));
            address.map(|address| address.map(|address| (name.to_owned(), address)))
        };
        let addresses = [
            address("data", &listeners.data)?,
            address("operator", &listeners.operator)?,
        ];
        let addresses = addresses.into_iter().flatten().collect();
        warn_of_exposure(&config, readiness);
        let (door, visits) = Door::new(audit.clone());
        Ok(Self {
            door,
            visits,
            policies: watch::Sender::new(config.policy()),
            control: None,
            store_condition: readiness.condition("store"),
            readiness: readiness.clone(),
            config,
            store,
            clock,
            audit,
            uploads: UploadsUnderWay::default(),
            listeners,
            addresses,
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
    pub fn reconfigure(&self) -> impl Fn(&Config) + Send + Sync + use<S> {
        let (store, policies) = (Arc::clone(&self.store), self.policies.clone());
        move |config| {
            store.set_bounds(config.store().bounds());
            policies.send_replace(config.policy());
        }
    }

    /// What is bound where: `data` and `operator`.
    #[must_use]
    pub fn addresses(&self) -> Vec<(String, SocketAddr)> {
        self.addresses.clone()
    }

    /// Where edges find the service.
    #[must_use]
    pub fn data_address(&self) -> Option<SocketAddr> {
        self.address("data")
    }

    /// Where operators find it.
    #[must_use]
    pub fn operator_address(&self) -> Option<SocketAddr> {
        self.address("operator")
    }

    /// Where the console of this process comes in, which is closed until the console opens it.
    #[must_use]
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    fn address(&self, name: &str) -> Option<SocketAddr> {
        let found = self.addresses.iter().find(|(known, _)| known == name);
        found.map(|(_, address)| *address)
    }

    /// Serves until the shutdown, then answers what is under way, ends the streams and closes the
    /// store (requirements §3.12).
    ///
    /// # Errors
    /// What made it end by itself.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), Fatal> {
        let grace = self.config.process.drain_time;
        let store = Arc::clone(&self.store);
        // Ends the parts in their turn, whether we were told to end or something failed.
        let stop = CancellationToken::new();
        let streams = TaskTracker::new();
        let suspensions = Suspensions::load(&*store, Arc::clone(&self.clock)).await;
        let suspensions = suspensions.map_err(|error| Fatal::new(Code::Io, error.to_string()))?;
        let mut tasks = self.spawn(&suspensions, &streams, &stop)?;
        let outcome = tasks.supervise(&shutdown).await;
        stop.cancel();
        settle(&streams, "streams", Instant::now() + grace).await;
        let drained = tasks.drain(grace.min(LAST_CONNECTIONS)).await;
        store.close().await;
        outcome.and(drained.failure.map_or(Ok(()), Err))
    }

    fn spawn(
        self,
        suspensions: &Suspensions,
        streams: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<Tasks, Fatal> {
        let distributor = Distributor::new(&*self.store);
        let (driver, scheduler) = Driver::new(
            self.policies.subscribe(),
            Arc::clone(&self.store),
            Arc::clone(&self.clock),
            distributor.clone(),
            suspensions.clone(),
        );
        let watch = DepositWatch::start(Arc::clone(&self.store), scheduler.clone());
        let fan_out = &self.config.fan_out;
        let dispatcher = Dispatcher::new(fan_out.leg_rate, fan_out.leg_lease);
        let fan_outs = FanOuts {
            store: Arc::clone(&self.store),
            dispatcher: dispatcher.clone(),
            streams: streams.clone(),
            shutdown: stop.clone(),
        };
        let (unready, told) = watch::channel(self.store.unready());
        let told = (&distributor, told);
        let processes = Processes::new(self.control.clone(), streams.clone(), stop.clone());
        let data = self.data(
            (&scheduler, suspensions),
            &watch,
            told,
            (fan_outs, &processes),
            (streams, stop),
        )?;
        let jobs = Jobs {
            store: Arc::clone(&self.store),
            dispatcher: dispatcher.clone(),
        };
        let alarms = Alarms::default();
        let offered = watch.clone();
        let steered = (scheduler, watch, alarms.clone());
        let store = Arc::clone(&self.store);
        let tracked = (streams.clone(), stop.clone());
        let upkeep = Upkeep::new(store, Arc::clone(&self.clock), &self.config, tracked);
        let upkeep = Arc::new(upkeep);
        let rest = (jobs, Arc::clone(&upkeep), processes);
        let operator = self.operator(steered, suspensions, rest, (streams, stop))?;
        let mut tasks = Tasks::new();
        let mut spawn = |name, task: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            tasks.spawn(name, async move {
                task.await;
                Ok(())
            });
        };
        spawn("upkeep", Box::pin(upkeep.run()));
        spawn("scheduler", Box::pin(driver.run(stop.clone())));
        let dispatching = dispatcher.run(Arc::clone(&self.store), stop.clone());
        spawn("fan-out", Box::pin(dispatching));
        let distributing = distributor.run(Arc::clone(&self.store), stop.clone());
        spawn("waiting indication", Box::pin(distributing));
        if let Some(webhook) = Webhook::new(&self.config.events)? {
            let posting = webhook.run(Arc::clone(&self.store), stop.clone());
            spawn("webhook", Box::pin(posting));
        }
        let told = (alarms, offered);
        let sweeps = sweeper::run(Arc::clone(&self.store), self.clock, told, stop.clone());
        spawn("sweeper", Box::pin(sweeps));
        let measuring = health::measure_store(Arc::clone(&self.store), stop.clone());
        spawn("store gauges", Box::pin(measuring));
        let store = health::watch_store(self.store, self.store_condition, unready, stop.clone());
        spawn("store condition", Box::pin(store));
        for listener in [&data, &operator] {
            let health = listener.follow(self.readiness.clone(), stop.clone());
            spawn("health", Box::pin(health));
        }
        let guard = Guard::new(self.audit, streams.clone());
        serve_all(&mut tasks, self.listeners, (&data, &operator), &guard, stop);
        let inside = operator.inside(self.visits, guard, stop.clone());
        tasks.spawn("console", inside);
        Ok(tasks)
    }

    fn data(
        &self,
        (scheduler, suspensions): (&Scheduler, &Suspensions),
        watch: &DepositWatch,
        (distributor, unready): (&Distributor, Unready),
        (fan_outs, processes): (FanOuts<S>, &Processes),
        (streams, stop): (&TaskTracker, &CancellationToken),
    ) -> Result<Listener, Fatal> {
        let releases = Arc::new(Releases::new(Arc::clone(&self.store), scheduler.clone()));
        let deposits = Deposits::new(
            Arc::clone(&self.store),
            watch.clone(),
            (Arc::clone(&releases), unready),
            usize::try_from(self.config.process.window).unwrap_or(usize::MAX),
            streams.clone(),
            stop.clone(),
        );
        let deliveries = Deliveries::new(
            Arc::clone(&self.store),
            (scheduler.clone(), suspensions.clone()),
            releases,
            (
                self.config.push.lease,
                self.config.delivery.scope == DeliveryScope::All,
            ),
            streams.clone(),
            stop.clone(),
        );
        let registrations = Registrations::new(
            Arc::clone(&self.store),
            scheduler.clone(),
            watch.unreachable(),
            distributor.clone(),
        );
        let patience = Patience {
            lease: self.config.limits.upload_lease,
            // What is left of the drain is for the last commits.
            drain: self.config.process.drain_time * 9 / 10,
        };
        let large = LargeMessages::new(
            Arc::clone(&self.store),
            watch.clone(),
            (fan_outs.dispatcher.clone(), self.uploads.clone()),
            patience,
            streams.clone(),
            stop.clone(),
        );
        let subscriptions = Subscriptions::new(
            Arc::clone(&self.store),
            distributor.clone(),
            streams.clone(),
            stop.clone(),
        );
        let store = Arc::clone(&self.store);
        let reports = Reports::new(store, &self.config.reports, stop.clone());
        let settings = self.settings(scheduler);
        let deferred = Deferred {
            store: Arc::clone(&self.store),
            clock: Arc::clone(&self.clock),
            lease: self.config.push.lease,
            recalls: Recalls::new(Arc::clone(&self.store), scheduler.clone()),
            suspensions: suspensions.clone(),
            provisioning: self.config.common.provisioning,
        };
        self.reflecting(serve::data(
            deposits,
            large,
            deliveries,
            registrations,
            subscriptions,
            (settings, deferred, fan_outs, reports, processes.clone()),
        ))
    }

    fn operator(
        &self,
        (scheduler, watch, alarms): (Scheduler, DepositWatch, Alarms),
        suspensions: &Suspensions,
        (jobs, upkeep, processes): (Jobs<S>, Arc<Upkeep<S>>, Processes),
        (streams, stop): (&TaskTracker, &CancellationToken),
    ) -> Result<Listener, Fatal> {
        let settings = self.settings(&scheduler);
        let accounts = Accounts::new(
            Arc::clone(&self.store),
            watch.clone(),
            suspensions.clone(),
            scheduler.clone(),
        );
        let clock = Arc::clone(&self.clock);
        let imports = Imports::new(Arc::clone(&self.store), watch.clone(), clock);
        let operators = Operators {
            store: Arc::clone(&self.store),
            recalls: Recalls::new(Arc::clone(&self.store), scheduler.clone()),
            scheduler,
            watch,
            readiness: self.readiness.clone(),
            alarms,
            suspensions: suspensions.clone(),
            uploads: self.uploads.clone(),
            each_device: self.config.delivery.scope == DeliveryScope::All,
            clock: Arc::clone(&self.clock),
            started_at: self.clock.now(),
        };
        let mailboxes = Mailboxes::new(Arc::clone(&self.store), Arc::clone(&self.clock));
        let waiting = WaitingMailboxes {
            store: Arc::clone(&self.store),
            watches: Watches::new(streams.clone(), stop.clone()),
        };
        let groups = Groups {
            store: Arc::clone(&self.store),
        };
        let events = Events {
            store: Arc::clone(&self.store),
            watches: Watches::new(streams.clone(), stop.clone()),
        };
        let keys = Keys::new(Arc::clone(&self.store), self.config.clone());
        let rest = (waiting, groups, jobs, events);
        self.reflecting(serve::operator(
            mailboxes,
            operators,
            (accounts, keys, Maintenance(upkeep), imports),
            settings,
            rest,
            (self.door.clone(), processes),
        ))
    }

    fn reflecting(&self, listener: Listener) -> Result<Listener, Fatal> {
        match self.config.reflects() {
            true => listener.reflecting(),
            false => Ok(listener),
        }
    }

    fn settings(&self, scheduler: &Scheduler) -> SettingsServices<S> {
        SettingsServices {
            store: Arc::clone(&self.store),
            scheduler: scheduler.clone(),
        }
    }
}

/// Serves at all listeners, and reads certificates again when they change.
fn serve_all(
    tasks: &mut Tasks,
    listeners: Listeners,
    (data, operator): (&Listener, &Listener),
    guard: &Guard,
    stop: &CancellationToken,
) {
    let stop_of_certificates = stop.clone();
    let Listeners {
        data: data_listener,
        operator: operator_listener,
        security,
        operator_socket,
    } = listeners;
    if let Some(security) = security {
        tasks.spawn("certificates", async move {
            stop_of_certificates
                .run_until_cancelled(security.tls.watch())
                .await;
            Ok(())
        });
    }
    tasks.spawn(
        "data listener",
        data.serve(data_listener, guard.clone(), stop.clone()),
    );
    tasks.spawn(
        "operator listener",
        operator.serve(operator_listener, guard.clone(), stop.clone()),
    );
    if let Some(socket) = operator_socket {
        let served = operator.unix(socket, guard.clone(), stop.clone());
        tasks.spawn("operator socket", served);
    }
}

/// In the log and in readiness (design: external contracts).
fn warn_of_exposure(config: &Config, readiness: &Readiness) {
    let condition = readiness.condition("listeners");
    if config.warnings.is_empty() {
        return condition.ready();
    }
    let warning = config.warnings.join("; ");
    tracing::warn!(event = "grpc.exposed", %warning, "gRPC is reachable without TLS");
    condition.warning(warning);
}
