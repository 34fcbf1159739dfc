//! The host with the storage process, which dies and comes back with what its disk has kept.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon::readiness::Readiness;
use net::network::Network as _;
use service::{App, Config, Connections};
use storage::memory::DiskImage;
use storage::model::{Job, JobNumber, JobQuery, Leg, MessageNumber, State};
use storage::{FanOutStore as _, MemoryStore, Store as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::clock::{self, SimulatedClock};
use crate::disk::{Disk, Health};
use crate::ledger::Letter;
use crate::network::Switch;
use crate::observer::Observer;
use crate::past::Past;
use crate::sender::{circular_of, letter_of, user_of};
use crate::world::World;

/// A message on disk.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its number.
    pub number: MessageNumber,
    /// What it is, if its sender is one of ours.
    pub letter: Option<Letter>,
    /// Its state.
    pub state: State,
    /// How long it is to live.
    pub life: Duration,
    /// When its life ends.
    pub end: Duration,
    /// When it was settled; zero if it is not.
    pub settled: Duration,
}

/// Where it is.
pub const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 9, 1));

/// Where edges connect.
pub const DATA: SocketAddr = SocketAddr::new(ADDRESS, 7400);

/// What Message-IDs and the Call-IDs of copies end with.
const HOSTNAME: &str = "store.example.org";

/// More than a history has of anything.
const MANY: usize = 1_000;

/// Connections that wait to be served.
const CONNECTIONS: usize = 16;

/// Cheap to clone.
#[derive(Clone)]
pub struct StoreHost {
    world: World,
    switch: Switch,
    config: Config,
    past: Past,
    state: Arc<Mutex<Process>>,
}

enum Process {
    Runs {
        store: Arc<MemoryStore>,
        disk: Disk,
        stop: CancellationToken,
    },
    Dead(DiskImage),
}

/// Short times, so that a history is short.
fn config() -> Config {
    let mut config = Config::default();
    config.process.hostname = HOSTNAME.to_owned();
    config.push.delay = Duration::from_millis(500);
    config.push.on_deposit = Some(Duration::from_secs(1));
    config.push.lease = Duration::from_secs(8);
    config.fan_out.leg_lease = Duration::from_secs(8);
    config.push.backoff = [2, 5, 10].map(Duration::from_secs).to_vec();
    config
}

impl StoreHost {
    /// A host whose process has a new, empty store, and runs.
    #[must_use]
    pub fn new(world: World, switch: Switch) -> Self {
        let config = config();
        let store = MemoryStore::on_disk(config.store(), SimulatedClock, world.secret());
        let image = store.durable();
        let host = Self {
            world,
            switch,
            config,
            past: Past::default(),
            state: Arc::new(Mutex::new(Process::Dead(image))),
        };
        host.start();
        host
    }

    fn lock(&self) -> MutexGuard<'_, Process> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the process, unless it runs.
    pub fn start(&self) {
        let mut process = self.lock();
        let Process::Dead(image) = &*process else {
            return;
        };
        let store = Arc::new(MemoryStore::open_on_disk(image.clone(), SimulatedClock));
        let disk = Disk::new(self.world.clone(), Arc::clone(&store));
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(disk.clone().run()));
        self.serve(&store, &stop);
        self.world.note("store: runs");
        *process = Process::Runs { store, disk, stop };
    }

    fn serve(&self, store: &Arc<MemoryStore>, stop: &CancellationToken) {
        let place = self.switch.come_up(ADDRESS);
        let port = place.listen(DATA).expect("a host that has just come up");
        let (sender, data) = mpsc::channel(CONNECTIONS);
        let accepting = async move {
            loop {
                let (connection, _) = port.accept().await;
                if sender.send(connection).await.is_err() {
                    return;
                }
            }
        };
        tokio::spawn(stop.clone().run_until_cancelled_owned(accepting));
        let (_, operator) = mpsc::channel(1);
        let connections = Connections { data, operator };
        let (world, past) = (self.world.clone(), self.past.clone());
        let observer = Observer::new(world, Arc::clone(store), past);
        let app = App::with_connections(
            self.config.clone(),
            Arc::new(observer),
            Arc::new(SimulatedClock),
            &Readiness::new(),
            connections,
        );
        let app = app.expect("nothing is bound");
        let (world, stop) = (self.world.clone(), stop.clone());
        tokio::spawn(async move {
            let outcome = app.run(stop.clone()).await;
            // One that was told to end has not failed.
            if let (Err(fatal), false) = (outcome, stop.is_cancelled()) {
                world.violated(format!("the storage process ended: {fatal:?}"));
            }
        });
    }

    /// Kills the process, if it runs.
    pub fn kill(&self) {
        let mut process = self.lock();
        if let Process::Runs { disk, stop, .. } = &*process {
            let image = disk.die();
            stop.cancel();
            self.switch.go_down(ADDRESS);
            *process = Process::Dead(image);
        }
    }

    /// From now on its disk is like this, until it dies.
    pub fn disk(&self, health: Health) {
        if let Process::Runs { disk, .. } = &*self.lock() {
            disk.be(health);
        }
    }

    /// Whether it does not accept anything until it is restarted.
    #[must_use]
    pub fn is_latched(&self) -> bool {
        match &*self.lock() {
            Process::Runs { store, .. } => store.unready().is_some(),
            Process::Dead(_) => false,
        }
    }

    /// A look at what is safe on the disk now.
    #[must_use]
    pub fn durable(&self) -> MemoryStore {
        let image = match &*self.lock() {
            Process::Runs { disk, .. } => disk.durable(),
            Process::Dead(image) => image.clone(),
        };
        MemoryStore::open_on_disk(image, SimulatedClock)
    }

    /// What is safe of every message to many, and of its copies.
    pub async fn jobs(&self) -> Vec<(Job, Vec<Leg>)> {
        jobs(&self.durable()).await
    }

    /// What is safe of every message: its number, which one it is, and its state.
    pub async fn messages(&self) -> Vec<Found> {
        let store = self.durable();
        let copies = self.copies(&jobs(&store).await);
        let mut query = storage::model::ListQuery {
            page_size: MANY,
            ..Default::default()
        };
        let mut found = Vec::new();
        loop {
            let page = store.list(query.clone()).await.expect("an open store");
            for message in page.messages {
                let call_id = &message.envelope.headers.call_id;
                let letter = letter_of(call_id).or_else(|| copies.get(call_id).copied());
                found.push(Found {
                    number: message.envelope.id.number,
                    letter,
                    state: message.state,
                    life: message
                        .envelope
                        .expires_at
                        .since(message.envelope.received_at),
                    end: clock::since_the_beginning(message.envelope.expires_at),
                    settled: message
                        .settled_at
                        .map(clock::since_the_beginning)
                        .unwrap_or_default(),
                });
            }
            match page.next {
                Some(next) => query.page_token = Some(next),
                None => return found,
            }
        }
    }

    /// The copies of messages to many, by their Call-IDs.
    fn copies(&self, jobs: &[(Job, Vec<Leg>)]) -> BTreeMap<String, Letter> {
        let ledger = self.world.ledger();
        let legs = jobs.iter().flat_map(|(job, legs)| {
            let circular = circular_of(job.sender.as_str());
            legs.iter().map(move |leg| (circular, leg))
        });
        let copies = legs.filter_map(|(circular, leg)| {
            let user = user_of(leg.target.as_str())?;
            let letter = ledger.copy(circular?, user)?;
            let (JobNumber(job), index) = (leg.name.job, leg.name.index);
            Some((format!("cf-{job}-{index}@{HOSTNAME}"), letter))
        });
        copies.collect()
    }
}

async fn jobs(store: &MemoryStore) -> Vec<(Job, Vec<Leg>)> {
    let query = JobQuery {
        limit: MANY,
        ..Default::default()
    };
    let mut found = Vec::new();
    for job in store.list_jobs(query).await.expect("an open store").jobs {
        let legs = store.list_legs(job.number, 0, MANY).await;
        found.push((job, legs.expect("a job that is there")));
    }
    found
}
