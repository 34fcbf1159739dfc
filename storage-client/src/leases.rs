//! The claims this edge holds, and until when it may trust each (requirements §3.13).

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use crate::send_gate::SendGate;

/// What is known of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// It may be trusted until then, if it is not renewed.
    Until(Instant),
    /// A newer one has superseded it.
    Superseded,
    /// There is nobody left to deliver to; it is renewed all the same, for what is in flight.
    Stopped,
}

#[derive(Debug)]
struct Held {
    trust: watch::Sender<Trust>,
    gate: Arc<SendGate>,
}

impl Held {
    /// A claim that is stopped stays so.
    fn know(&self, news: Trust) {
        self.trust.send_if_modified(|trust| {
            let is_news = *trust != Trust::Stopped;
            if is_news {
                *trust = news;
            }
            is_news
        });
    }
}

/// All held claims of one attachment, of mailboxes or of legs.
#[derive(Debug)]
pub(crate) struct Leases<C: Copy + Eq + Hash> {
    held: Arc<Mutex<HashMap<C, Held>>>,
    dropped: Arc<Notify>,
}

impl<C: Copy + Eq + Hash> Clone for Leases<C> {
    fn clone(&self) -> Self {
        Self {
            held: Arc::clone(&self.held),
            dropped: Arc::clone(&self.dropped),
        }
    }
}

impl<C: Copy + Eq + Hash> Default for Leases<C> {
    fn default() -> Self {
        Self {
            held: Arc::default(),
            dropped: Arc::default(),
        }
    }
}

impl<C: Copy + Eq + Hash> Leases<C> {
    /// Starts to hold a claim that was alive at `now`.
    pub(crate) fn hold(&self, claim: C, now: Instant, lease: Duration) -> Lease<C> {
        let trust = watch::Sender::new(Trust::Until(fence(now, lease)));
        let receiver = trust.subscribe();
        let gate = Arc::<SendGate>::default();
        let held = Held {
            trust,
            gate: Arc::clone(&gate),
        };
        self.lock().insert(claim, held);
        Lease {
            claim,
            gate,
            trust: receiver,
            leases: self.clone(),
        }
    }

    pub(crate) fn claims(&self) -> Vec<C> {
        self.lock().keys().copied().collect()
    }

    /// Waits until no claim is held.
    pub(crate) async fn released(&self) {
        loop {
            let dropped = self.dropped.notified();
            if self.lock().is_empty() {
                return;
            }
            dropped.await;
        }
    }

    /// The storage service has renewed `asked`, as it was asked at `asked_at`, but for `lost`.
    pub(crate) fn renewed(&self, asked: &[C], lost: &[C], asked_at: Instant, lease: Duration) {
        let held = self.lock();
        for claim in asked {
            if let Some(held) = held.get(claim) {
                held.know(match lost.contains(claim) {
                    true => Trust::Superseded,
                    false => Trust::Until(fence(asked_at, lease)),
                });
            }
        }
    }

    /// Nothing more shall be begun under a claim, if it is held.
    pub(crate) fn stop(&self, claim: C) {
        if let Some(held) = self.lock().get(&claim) {
            held.know(Trust::Stopped);
        }
    }

    /// Keeps a message from being sent under a claim; false if its sending has begun, `None` if the claim is not
    /// held.
    pub(crate) fn withdraw(&self, claim: C, sequence: u64) -> Option<bool> {
        let gate = self.lock().get(&claim).map(|held| Arc::clone(&held.gate));
        gate.map(|gate| gate.withdraw(sequence))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<C, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two thirds of the lease after it was known to be alive.
fn fence(alive_at: Instant, lease: Duration) -> Instant {
    alive_at + lease * 2 / 3
}

/// One held claim; renewed until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease<C: Copy + Eq + Hash> {
    pub(crate) claim: C,
    pub(crate) gate: Arc<SendGate>,
    trust: watch::Receiver<Trust>,
    leases: Leases<C>,
}

impl<C: Copy + Eq + Hash> Lease<C> {
    /// Waits until nothing more is to be begun under the claim.
    pub(crate) async fn lost(&self) {
        let mut trust = self.trust.clone();
        loop {
            let Trust::Until(until) = *trust.borrow_and_update() else {
                return;
            };
            tokio::select! {
                () = sleep_until(until) => return,
                // The sender lives as long as this lease.
                _ = trust.changed() => {}
            }
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        match *self.trust.borrow() {
            Trust::Until(until) => until <= Instant::now(),
            Trust::Superseded | Trust::Stopped => true,
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.trust.borrow() == Trust::Stopped
    }
}

impl<C: Copy + Eq + Hash> Drop for Lease<C> {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.claim);
        self.leases.dropped.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::Claim;

    const LEASE: Duration = Duration::from_secs(60);
    const CLAIM: Claim = Claim {
        mailbox: 1,
        generation: 1,
    };

    #[tokio::test(start_paused = true)]
    async fn a_claim_is_lost_after_two_thirds_of_its_lease_without_renewal() {
        let start = Instant::now();
        let lease = Leases::default().hold(CLAIM, start, LEASE);
        assert!(!lease.is_lost());
        lease.lost().await;
        assert_eq!(start.elapsed(), Duration::from_secs(40));
        assert!(lease.is_lost());
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_from_when_it_was_asked_for() {
        let start = Instant::now();
        let leases = Leases::default();
        let lease = leases.hold(CLAIM, start, LEASE);
        leases.renewed(&[CLAIM], &[], start + Duration::from_secs(15), LEASE);
        lease.lost().await;
        assert_eq!(start.elapsed(), Duration::from_secs(55));
    }

    #[tokio::test(start_paused = true)]
    async fn a_superseded_claim_is_lost_at_once() {
        let start = Instant::now();
        let leases = Leases::default();
        let lease = leases.hold(CLAIM, start, LEASE);
        leases.renewed(&[CLAIM], &[CLAIM], start, LEASE);
        lease.lost().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_claim_is_lost_at_once_and_stays_so() {
        let start = Instant::now();
        let leases = Leases::default();
        let lease = leases.hold(CLAIM, start, LEASE);
        leases.stop(CLAIM);
        leases.renewed(&[CLAIM], &[], start, LEASE);
        lease.lost().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(lease.is_lost() && lease.is_stopped());
        assert_eq!(
            leases.claims(),
            vec![CLAIM],
            "it is renewed until its release"
        );
    }

    #[tokio::test]
    async fn a_message_is_withdrawn_under_a_claim_that_is_held() {
        let leases = Leases::default();
        assert_eq!(leases.withdraw(CLAIM, 7), None, "nobody holds it");
        let lease = leases.hold(CLAIM, Instant::now(), LEASE);
        assert_eq!(leases.withdraw(CLAIM, 7), Some(true));
        assert!(!lease.gate.begin(7));
        assert!(lease.gate.begin(8));
        assert_eq!(leases.withdraw(CLAIM, 8), Some(false));
    }

    #[tokio::test]
    async fn a_dropped_job_is_no_longer_renewed() {
        let leases = Leases::default();
        let lease = leases.hold(CLAIM, Instant::now(), LEASE);
        assert_eq!(leases.claims(), vec![CLAIM]);
        drop(lease);
        assert!(leases.claims().is_empty());
        leases.released().await;
    }
}
