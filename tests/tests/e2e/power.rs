//! Power cuts: after each, every write that no completed sync covers is gone.

use restante_tests::load::{Load, Promised, lost};
use restante_tests::shim::Shim;
use restante_tests::sip::Transport;
use restante_tests::{Deployment, LoopbackNet, Part};

/// Power cuts in one test.
const ROUNDS: usize = 8;

struct PowerCuts {
    shim: Shim,
    deployment: Deployment,
    promised: Promised,
}

impl PowerCuts {
    async fn start() -> Self {
        let shim = Shim::new();
        let plan = shim
            .under(Deployment::two_processes())
            .set("trust.peers", "127.0.0.0/8+udp");
        Self {
            deployment: plan.start().await,
            shim,
            promised: Promised::new(),
        }
    }

    /// Cuts the power after so many messages were accepted.
    async fn round(&mut self, messages: usize) {
        self.deployment.ready(Part::SipEdge).await;
        let host = self.deployment.net().host(LoopbackNet::CORE);
        let mut load = Load::start(host, self.deployment.edge(Transport::Tcp), 4);
        load.accepted(messages).await;
        self.deployment.kill(Part::Storage).await;
        self.promised.extend(load.ended().await);
        self.shim.cut_power();
    }

    /// What is missing after the store has come back.
    async fn lost(&mut self) -> Vec<String> {
        self.deployment.launch(Part::Storage).await;
        lost(&self.promised, &self.deployment.operator().list("").await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let mut cuts = PowerCuts::start().await;
    for round in 0..ROUNDS {
        cuts.round(1 + round * 13 % 60).await;
        assert_eq!(cuts.lost().await, [""; 0], "round {round}");
    }
}

/// The proof of the proof: the test above sees a loss where there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_messages_if_syncs_are_only_pretended() {
    let mut cuts = PowerCuts::start().await;
    cuts.shim.ignore_syncs();
    cuts.round(20).await;
    cuts.shim.mend();
    assert!(
        !cuts.lost().await.is_empty(),
        "nothing of {} messages was lost",
        cuts.promised.len()
    );
}
