//! Kamailio with the configuration that we deliver.

use std::net::SocketAddr;
use std::path::Path;

use restante_tests::patience::{START, within};
use restante_tests::sip::Transport;
use restante_tests::{Deployment, LoopbackNet};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::{PAUSE, Parent, logging};

/// Where users come to.
const USERS: u16 = 5060;

/// Where edges come to.
const EDGES: u16 = 5062;

/// Whether users have to prove who they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Passwords {
    Asked,
    /// `im-client` has none.
    NotAsked,
}

pub(super) struct Kamailio(Parent);

impl Kamailio {
    /// Where users of this deployment come to.
    pub(super) fn users(net: LoopbackNet) -> SocketAddr {
        (net.host(LoopbackNet::CORE), USERS).into()
    }

    /// Where its edges come to.
    pub(super) fn edges(net: LoopbackNet) -> SocketAddr {
        (net.host(LoopbackNet::CORE), EDGES).into()
    }

    /// Starts it before the edges of a deployment.
    pub(super) async fn start(deployment: &Deployment, passwords: Passwords) -> Self {
        Self::start_with(deployment, passwords, &[]).await
    }

    /// The same with further participating edges.
    pub(super) async fn start_with(
        deployment: &Deployment,
        passwords: Passwords,
        others: &[SocketAddr],
    ) -> Self {
        let core = deployment.net().host(LoopbackNet::CORE);
        let edge = deployment.edge(Transport::Tcp);
        let controlling = deployment.address("controlling-edge.listen_tcp");
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/kamailio");
        let folder = deployment.scratch().join("kamailio");
        std::fs::create_dir(&folder).expect("a folder");
        let list = folder.join("dispatcher.list");
        for file in ["kamailio.cfg", "dispatcher.list"] {
            let config = std::fs::read_to_string(given.join(file)).expect("the configuration");
            let config = config
                .replace("192.0.2.11", &core.to_string())
                .replace("192.0.2.21:5060", &edge.to_string())
                .replace("192.0.2.22:5070", &controlling.to_string())
                // No test waits 5 s for what it sees in 1 s.
                .replace("ds_ping_interval\", 5", "ds_ping_interval\", 1")
                .replace("/etc/kamailio/dispatcher.list", &list.display().to_string());
            assert!(!config.contains("192.0.2."), "{config}");
            std::fs::write(folder.join(file), config).expect("the configuration");
        }
        let others = others
            .iter()
            .map(|other| format!("1 sip:{other};transport=tcp\n"));
        let edges = std::fs::read_to_string(&list).expect("the edges");
        std::fs::write(&list, edges + &others.collect::<String>()).expect("the edges");
        let path = folder.join("kamailio.cfg");
        let define = match passwords {
            Passwords::Asked => "-A NEAR_PHONES",
            Passwords::NotAsked => "-A WITHOUT_PASSWORDS",
        };
        let options = "-f \"$1\" -w \"$2\" -Y \"$2\" -P \"$2/pid\" -m 64 -M 8 -DD -E";
        let command = format!("kamailio {define} {options}");
        let process = logging("kamailio", &command, &[&path, &folder]);
        let started = Self(Parent(Some(process)));
        within(START, "Kamailio", async {
            // It listens by UDP before it does by TCP, and here last.
            while TcpStream::connect((core, EDGES)).await.is_err() {
                sleep(PAUSE).await;
            }
        })
        .await;
        started
    }

    pub(super) async fn stop(self) {
        self.0.stop().await;
    }
}
