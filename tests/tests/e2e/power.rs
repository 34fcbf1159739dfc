//! Power cuts: after each, every write that no completed sync covers is gone.

use restante_tests::load::{Load, lost, under_load};
use restante_tests::rounds::rounds;
use restante_tests::shim::Shim;
use restante_tests::sip::Transport;
use restante_tests::{Deployment, LoopbackNet, Part};

/// Power cuts in one test, usually.
const ROUNDS: usize = 50;

struct PowerCuts {
    shim: Shim,
    deployment: Deployment,
    load: Load,
}

impl PowerCuts {
    async fn start() -> Self {
        let shim = Shim::new();
        let plan = under_load(shim.under(Deployment::two_processes()));
        let deployment = plan.start().await;
        let host = deployment.net().host(LoopbackNet::CORE);
        let load = Load::start(host, deployment.edge(Transport::Tcp), 4);
        Self {
            shim,
            deployment,
            load,
        }
    }

    /// Cuts the power after so many more messages were accepted; what is lost when the store has come
    /// back, of what was promised until then.
    async fn cut(&mut self, messages: usize) -> Vec<String> {
        self.load.more(messages).await;
        self.deployment.kill(Part::Storage).await;
        let promised = self.load.promised();
        self.shim.cut_power();
        self.shim.mend();
        self.deployment.launch(Part::Storage).await;
        lost(&promised, &self.deployment.operator().list("").await)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_nothing_that_was_acknowledged() {
    let mut cuts = PowerCuts::start().await;
    for round in 0..rounds(ROUNDS) {
        assert_eq!(
            cuts.cut(1 + round * 13 % 60).await,
            [""; 0],
            "round {round}"
        );
    }
}

/// The proof of the proof: the test above sees a loss where there is one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_messages_if_syncs_are_only_pretended() {
    let mut cuts = PowerCuts::start().await;
    cuts.shim.ignore_syncs();
    assert_ne!(cuts.cut(20).await, [""; 0]);
}
