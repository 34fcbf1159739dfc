//! A running edge under test.

use std::net::SocketAddr;

use daemon::readiness::Readiness;
use restante_sip_edge::{App, Config};
use sip::Transport;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::within;

/// An edge on free ports of loopback.
pub(crate) struct Running {
    pub(crate) udp: SocketAddr,
    pub(crate) tcp: SocketAddr,
    pub(crate) tls: Option<SocketAddr>,
    readiness: Readiness,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
}

/// The laptop mode on free ports.
pub(crate) fn laptop(store: SocketAddr) -> Config {
    let mut config = Config::default();
    let any = "127.0.0.1:0".parse().expect("an address");
    config.process.listen_udp = vec![any];
    config.process.listen_tcp = vec![any];
    config.process.msrp_listen = any;
    config.xcap.listen = None;
    config.process.storage = format!("http://{store}");
    config
}

impl Running {
    /// Starts an edge; it need not be ready.
    pub(crate) async fn start(config: Config) -> Self {
        let readiness = Readiness::new();
        let app = App::build(config, &readiness)
            .await
            .expect("it can be built");
        let address = |wanted| {
            let addresses = app.sip_addresses();
            let found = addresses.iter().find(|(transport, _)| *transport == wanted);
            found.map(|(_, address)| *address)
        };
        let [udp, tcp] =
            [Transport::Udp, Transport::Tcp].map(|wanted| address(wanted).expect("it listens"));
        let tls = address(Transport::Tls);
        let shutdown = CancellationToken::new();
        let run = app.run(shutdown.clone());
        let served = tokio::spawn(async move { run.await.expect("it runs") });
        Self {
            udp,
            tcp,
            tls,
            readiness,
            shutdown,
            served,
        }
    }

    /// Starts an edge and waits for its store.
    pub(crate) async fn ready(config: Config) -> Self {
        let running = Self::start(config).await;
        let mut follower = running.readiness.follow();
        let ready = async {
            while !running.readiness.snapshot().is_ready() {
                follower.changed().await.expect("it lives");
            }
        };
        within("readiness", ready).await;
        running
    }

    /// Waits until it says that it is not ready.
    pub(crate) async fn not_ready(&self) {
        let mut follower = self.readiness.follow();
        let not_ready = async {
            while self.readiness.snapshot().is_ready() {
                follower.changed().await.expect("it lives");
            }
        };
        within("the end of the readiness", not_ready).await;
    }

    /// Asks it to end.
    pub(crate) fn shut_down(&self) {
        self.shutdown.cancel();
    }

    /// Waits until it has ended.
    pub(crate) async fn ended(self) {
        within("the end of the edge", self.served)
            .await
            .expect("no panic");
    }
}
