//! The host of one edge, participating or controlling, which dies and comes back with nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daemon::readiness::Readiness;
use edge::surroundings::Surroundings;
use storage_client::{Connector, Octets};
use tokio_util::sync::CancellationToken;

use crate::network::Switch;
use crate::store_host;
use crate::world::World;

/// Cheap to clone.
#[derive(Clone)]
pub struct EdgeHost {
    world: World,
    switch: Switch,
    name: String,
    address: IpAddr,
    role: Role,
    /// Ends the process that runs.
    process: Arc<Mutex<Option<CancellationToken>>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// For the users.
    Participating,
    /// For messages to many; their copies go to this edge.
    Controlling { next_hop: SocketAddr },
}

impl EdgeHost {
    /// The host of participating edge number `place`; nothing runs there yet.
    #[must_use]
    pub fn new(world: World, switch: Switch, place: u8) -> Self {
        Self {
            world,
            switch,
            name: format!("edge-{place}"),
            address: Ipv4Addr::new(127, 0, 1, place + 1).into(),
            role: Role::Participating,
            process: Arc::default(),
        }
    }

    /// The host of controlling edge number `place`, whose copies go to that edge.
    #[must_use]
    pub fn controlling(world: World, switch: Switch, place: u8, next_hop: &Self) -> Self {
        let next_hop = next_hop.sip();
        Self {
            name: format!("focus-{place}"),
            address: Ipv4Addr::new(127, 0, 4, place + 1).into(),
            role: Role::Controlling { next_hop },
            ..Self::new(world, switch, place)
        }
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Where it takes SIP.
    #[must_use]
    pub fn sip(&self) -> SocketAddr {
        SocketAddr::new(self.address, 5060)
    }

    fn lock(&self) -> MutexGuard<'_, Option<CancellationToken>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn participating(&self) -> sip_edge::Config {
        let mut config = sip_edge::Config::default();
        config.process.name.clone_from(&self.name);
        config.process.listen_udp = vec![self.sip()];
        config.process.listen_tcp = Vec::new();
        config.process.msrp_listen = SocketAddr::new(self.address, 2855);
        config.process.storage = format!("http://{}", store_host::DATA);
        config.xcap.listen = None;
        // Clients are on loopback, as all hosts are.
        config.msrp.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
        config
    }

    fn focus(&self, next_hop: SocketAddr) -> controlling_edge::Config {
        let mut config = controlling_edge::Config::default();
        config.process.name.clone_from(&self.name);
        config.process.listen_udp = vec![self.sip()];
        config.process.listen_tcp = Vec::new();
        config.process.msrp_listen = SocketAddr::new(self.address, 2855);
        config.process.storage = format!("http://{}", store_host::DATA);
        config.xcap.groups_listen = None;
        config.sip.next_hop = Some(format!("sip:{next_hop}"));
        config
    }

    /// Starts its process, unless it runs.
    pub async fn start(&self) {
        if self.lock().is_some() {
            return;
        }
        let place = self.switch.come_up(self.address);
        let network = place.clone();
        let surroundings = Surroundings {
            network: Some(Arc::new(network)),
            connector: Some(Connector::new(move || {
                let place = place.clone();
                Box::pin(async move {
                    let stream = place.connect_to(store_host::DATA).await?;
                    Ok(Box::new(stream) as Box<dyn Octets>)
                })
            })),
        };
        let stop = CancellationToken::new();
        *self.lock() = Some(stop.clone());
        self.world.note(format!("{}: runs", self.name));
        // It ends when it is told to, and what it says then nobody hears.
        let readiness = Readiness::new();
        match self.role {
            Role::Participating => {
                let config = self.participating();
                let app = sip_edge::App::build_in(surroundings, config, &readiness).await;
                tokio::spawn(app.expect("its listeners are free").run(stop));
            }
            Role::Controlling { next_hop } => {
                let config = self.focus(next_hop);
                let app = controlling_edge::App::build_in(surroundings, config, &readiness).await;
                tokio::spawn(app.expect("its listeners are free").run(stop));
            }
        }
    }

    /// Kills its process, if it runs: what is left of it drains unheard.
    pub fn kill(&self) {
        if let Some(stop) = self.lock().take() {
            self.world.note(format!("{}: dies", self.name));
            self.switch.go_down(self.address);
            stop.cancel();
        }
    }
}
