//! Ctrl-C: a series ends in order, after the item that is under way.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Whether the operator has had enough.
#[derive(Clone, Debug)]
pub(crate) struct Interruption(watch::Receiver<u32>);

impl Interruption {
    /// Listens from now on.
    pub(crate) fn listen() -> Self {
        let (times, told) = watch::channel(0);
        // Caught before anything else happens. Where signals cannot be caught, they end the process as ever.
        if let Ok(mut signals) = signal(SignalKind::interrupt()) {
            tokio::spawn(async move {
                while signals.recv().await.is_some() {
                    times.send_modify(|times| *times += 1);
                }
            });
        }
        Self(told)
    }

    /// Whether it is here. For work that waits for something now and then: signals come in while it waits.
    pub(crate) fn is_here(&self) -> bool {
        *self.0.borrow() > 0
    }

    /// Comes back when it is here, at once if it has been.
    pub(crate) async fn here(&self) {
        self.told(1).await;
    }

    /// Comes back when the operator has asked twice: he does not want to wait for what is under way.
    pub(crate) async fn insisted(&self) {
        self.told(2).await;
    }

    async fn told(&self, often: u32) {
        let mut times = self.0.clone();
        if times.wait_for(|times| *times >= often).await.is_err() {
            // Nobody listens.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_and_the_second_are_told_apart() {
        let (times, told) = watch::channel(0);
        let interruption = Interruption(told);
        assert!(!interruption.is_here());
        times.send_modify(|times| *times += 1);
        interruption.here().await;
        assert!(interruption.is_here());
        tokio::select! {
            biased;
            () = interruption.insisted() => panic!("once is not twice"),
            () = tokio::task::yield_now() => {}
        }
        times.send_modify(|times| *times += 1);
        interruption.insisted().await;
    }
}
