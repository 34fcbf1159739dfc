//! The simulated disk: syncs pass, hang or fail as a test says.

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Held,
    Failing,
}

pub(super) struct SyncGate(watch::Sender<Gate>);

impl SyncGate {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Gate::Open))
    }

    pub(super) fn hold(&self) {
        self.0.send_replace(Gate::Held);
    }

    pub(super) fn release(&self) {
        self.0.send_replace(Gate::Open);
    }

    pub(super) fn fail(&self) {
        self.0.send_replace(Gate::Failing);
    }

    /// Returns when the sync does; the error says why it failed.
    pub(super) async fn pass(&self) -> Result<(), String> {
        let mut gate = self.0.subscribe();
        let reached = gate.wait_for(|gate| *gate != Gate::Held).await;
        match reached.map(|gate| *gate) {
            Ok(Gate::Open) => Ok(()),
            Ok(Gate::Held | Gate::Failing) | Err(_) => Err("simulated sync failure".to_owned()),
        }
    }
}
