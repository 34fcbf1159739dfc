//! Bad luck: hosts die, the network parts, the disk is slow or fails, people vanish.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::Client;
use crate::clock;
use crate::disk::Health;
use crate::edge_host::EdgeHost;
use crate::network::{Switch, Weather};
use crate::store_host::{self, StoreHost};
use crate::world::World;

/// How long a clock is wrong at most, and how far it runs ahead.
const WRONG_FOR: Duration = Duration::from_secs(10);

/// Whom it may hit.
#[derive(Clone)]
pub struct Victims {
    /// Chance.
    pub world: World,
    /// The network.
    pub switch: Switch,
    /// The store.
    pub store: StoreHost,
    /// The edges.
    pub edges: Vec<EdgeHost>,
    /// The clients.
    pub clients: Vec<Client>,
}

impl Victims {
    /// Strikes now and then, until it is dropped. What it breaks it mends in the end, unless it is dropped before: see
    /// [`Victims::mend`].
    pub async fn strike(self) {
        let mut strokes = JoinSet::new();
        loop {
            sleep(self.world.millis(200, 7_000)).await;
            strokes.spawn(self.clone().strike_once());
        }
    }

    async fn strike_once(self) {
        match self.world.pick(11) {
            0 | 1 => self.kill_store().await,
            2 => self.kill_edge().await,
            3 | 4 => self.part_store().await,
            5 => self.part_client().await,
            6 => self.break_links(),
            7 => self.trouble_disk().await,
            8 => self.bad_weather().await,
            9 => self.set_clock_wrong().await,
            _ => self.vanish().await,
        }
    }

    fn edge(&self) -> &EdgeHost {
        &self.edges[self.world.pick(self.edges.len())]
    }

    fn client(&self) -> &Client {
        &self.clients[self.world.pick(self.clients.len())]
    }

    async fn kill_store(&self) {
        self.store.kill();
        sleep(self.world.millis(50, 5_000)).await;
        self.store.start();
    }

    async fn kill_edge(&self) {
        let edge = self.edge();
        edge.kill();
        sleep(self.world.millis(50, 12_000)).await;
        edge.start().await;
    }

    /// An edge does not reach the store, often for longer than a lease.
    async fn part_store(&self) {
        let edge = self.edge().address();
        self.world
            .note(format!("network: {edge} and the store are parted"));
        self.switch.part(edge, store_host::ADDRESS);
        sleep(self.world.millis(500, 25_000)).await;
        self.world
            .note(format!("network: {edge} and the store are joined"));
        self.switch.join(edge, store_host::ADDRESS);
    }

    async fn part_client(&self) {
        let (edge, client) = (self.edge().address(), self.client().ip());
        self.world
            .note(format!("network: {edge} and {client} are parted"));
        self.switch.part(edge, client);
        sleep(self.world.millis(500, 20_000)).await;
        self.switch.join(edge, client);
    }

    fn break_links(&self) {
        let edge = self.edge().address();
        self.world
            .note(format!("network: the connections of {edge} break"));
        self.switch.cut(|one, other| one == edge || other == edge);
    }

    async fn trouble_disk(&self) {
        if self.world.chance(60) {
            self.world.note("disk: is slow");
            self.store.disk(Health::Slow);
            sleep(self.world.millis(500, 8_000)).await;
            self.world.note("disk: is sound");
            self.store.disk(Health::Sound);
            return;
        }
        self.store.disk(Health::Failing);
        sleep(self.world.millis(1_000, 8_000)).await;
        // The operator restarts what is latched.
        self.kill_store().await;
    }

    async fn bad_weather(&self) {
        let weather = Weather {
            lost: u32::try_from(self.world.pick(50)).unwrap_or_default(),
            repeated: u32::try_from(self.world.pick(30)).unwrap_or_default(),
            late: u32::try_from(self.world.pick(30)).unwrap_or_default(),
        };
        self.world.note(format!("network: {weather:?}"));
        self.switch.set_weather(weather);
        sleep(self.world.millis(1_000, 15_000)).await;
        self.switch.set_weather(Weather::default());
    }

    /// The wall clock of all hosts is set back, by up to two hours, or runs ahead a little.
    async fn set_clock_wrong(&self) {
        let by = match self.world.chance(70) {
            true => (-1, self.world.millis(1_000, 7_200_000)),
            false => (1, self.world.between(Duration::ZERO, WRONG_FOR)),
        };
        let off = by.0 * i64::try_from(by.1.as_millis()).unwrap_or_default();
        self.world.note(format!("clock: is off by {off} ms"));
        clock::be_off(off);
        sleep(self.world.between(Duration::ZERO, WRONG_FOR)).await;
        self.world.note("clock: is right");
        clock::be_off(0);
    }

    async fn vanish(&self) {
        let client = self.client();
        client.vanish();
        sleep(self.world.millis(100, 20_000)).await;
        client.come_back();
    }

    /// Everything is well again: every process runs, everybody is reached, everybody is there and willing.
    pub async fn mend(&self) {
        self.world.note("all is mended");
        self.switch.heal();
        clock::be_off(0);
        if self.store.is_latched() {
            self.store.kill();
        }
        self.store.disk(Health::Sound);
        self.store.start();
        for edge in &self.edges {
            edge.start().await;
        }
        for client in &self.clients {
            client.be_willing();
            client.come_back();
        }
        // What was on its way and what is being drained.
        sleep(Duration::from_secs(1)).await;
    }
}
