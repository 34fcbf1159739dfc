//! When writers may go on: syncs pass, hang or fail as a test says, or as far as a simulated disk has come.

use tokio::sync::watch;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gate {
    Open,
    Held,
    Failing,
    /// So many changes are on disk.
    Synced(u64),
}

pub(super) struct SyncGate(watch::Sender<Gate>);

impl SyncGate {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Gate::Open))
    }

    /// Nothing passes before its change is on disk.
    pub(super) fn of_disk() -> Self {
        Self(watch::Sender::new(Gate::Synced(0)))
    }

    pub(super) fn hold(&self) {
        self.0.send_replace(Gate::Held);
    }

    pub(super) fn release(&self) {
        self.0.send_replace(Gate::Open);
    }

    pub(super) fn synced(&self, changes: u64) {
        self.0.send_if_modified(|gate| {
            let goes_on = matches!(gate, Gate::Synced(earlier) if *earlier < changes);
            if goes_on {
                *gate = Gate::Synced(changes);
            }
            goes_on
        });
    }

    pub(super) fn fail(&self) {
        self.0.send_replace(Gate::Failing);
    }

    /// Returns when the sync does that covers so many changes; the error says why it failed.
    pub(super) async fn pass(&self, changes: u64) -> Result<(), String> {
        let mut gate = self.0.subscribe();
        let is_over = |gate: &Gate| match *gate {
            Gate::Open | Gate::Failing => true,
            Gate::Held => false,
            Gate::Synced(synced) => synced >= changes,
        };
        match gate.wait_for(is_over).await.map(|gate| *gate) {
            Ok(Gate::Open | Gate::Synced(_)) => Ok(()),
            Ok(Gate::Held | Gate::Failing) | Err(_) => Err("simulated sync failure".to_owned()),
        }
    }
}
