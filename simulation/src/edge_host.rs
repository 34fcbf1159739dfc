//! The host of one edge, which dies and comes back with nothing.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use daemon::readiness::Readiness;
use edge::surroundings::Surroundings;
use sip_edge::{App, Config};
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
    /// Ends the process that runs.
    process: Arc<Mutex<Option<CancellationToken>>>,
}

impl EdgeHost {
    /// The host of edge number `place`; nothing runs there yet.
    #[must_use]
    pub fn new(world: World, switch: Switch, place: u8) -> Self {
        Self {
            world,
            switch,
            name: format!("edge-{place}"),
            address: Ipv4Addr::new(127, 0, 1, place + 1).into(),
            process: Arc::default(),
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

    fn config(&self) -> Config {
        let mut config = Config::default();
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
        let app = App::build_in(surroundings, self.config(), &Readiness::new()).await;
        let app = app.unwrap_or_else(|fatal| panic!("{} cannot be built: {fatal:?}", self.name));
        let stop = CancellationToken::new();
        *self.lock() = Some(stop.clone());
        self.world.note(format!("{}: runs", self.name));
        // It ends when it is told to, and what it says then nobody hears.
        tokio::spawn(app.run(stop));
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
