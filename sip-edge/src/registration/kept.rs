//! Registrations that were answered while the store was out of reach, in their order, until it is
//! back (requirements §2.4.1). Bounded; what finds no place is counted and comes again with the next
//! REGISTER.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage_client::RegisterError;
use storage_client::registration::Registration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout_at};

use super::commit;
use crate::edge::Edge;
use crate::{event, metrics};

/// Pause after a replay that failed although the store seemed to be there.
const PAUSE: Duration = Duration::from_secs(1);

/// The waiting registrations.
#[derive(Debug)]
pub(crate) struct Kept {
    capacity: usize,
    state: Mutex<State>,
    added: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Registration>,
    /// How many of each address wait, the one being replayed included.
    by_address: HashMap<String, usize>,
}

impl Kept {
    /// Room for so many.
    pub(crate) fn new(capacity: u32) -> Self {
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        Self {
            capacity,
            state: Mutex::default(),
            added: Notify::new(),
        }
    }

    /// Whether a registration of this address waits.
    pub(crate) fn has(&self, address: &str) -> bool {
        self.lock().by_address.contains_key(address)
    }

    /// Lets a registration wait; drops it if there is no room.
    pub(crate) fn keep(&self, registration: Registration) {
        let mut state = self.lock();
        if state.queue.len() >= self.capacity {
            event::registration_dropped(&registration.address, "full");
            metrics::registration_dropped("full");
            return;
        }
        *state
            .by_address
            .entry(registration.address.clone())
            .or_default() += 1;
        event::registration_kept(&registration.address, state.queue.len() + 1);
        state.queue.push_back(registration);
        metrics::registrations_kept(state.queue.len());
        drop(state);
        self.added.notify_one();
    }

    /// The oldest one, which stays until it is [`settled`](Self::settled).
    fn oldest(&self) -> Option<Registration> {
        self.lock().queue.front().cloned()
    }

    /// The oldest one has its answer.
    fn settled(&self) {
        let mut state = self.lock();
        let Some(registration) = state.queue.pop_front() else {
            return;
        };
        if let Some(count) = state.by_address.get_mut(&registration.address) {
            *count -= 1;
            if *count == 0 {
                state.by_address.remove(&registration.address);
            }
        }
        metrics::registrations_kept(state.queue.len());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Replays what waits whenever the store is there; never ends.
pub(crate) async fn replay(edge: &Edge) {
    loop {
        replay_waiting(edge).await;
        edge.kept.added.notified().await;
    }
}

/// The last try of an edge that drains. What waits at the deadline is given up: it comes again with the next
/// REGISTER.
pub(crate) async fn replay_last(edge: &Edge, deadline: Instant) {
    let _ = timeout_at(deadline, replay_waiting(edge)).await;
    while let Some(registration) = edge.kept.oldest() {
        drop_oldest(edge, &registration, "draining");
    }
}

/// Replays until nothing waits.
async fn replay_waiting(edge: &Edge) {
    let mut connected = edge.storage.connected();
    while let Some(registration) = edge.kept.oldest() {
        if connected.wait_for(|connected| *connected).await.is_err() {
            return;
        }
        match commit(edge, &registration).await {
            Ok(_) => edge.kept.settled(),
            Err(RegisterError::Unavailable(_)) => sleep(PAUSE).await,
            Err(_) => drop_oldest(edge, &registration, "refused"),
        }
    }
}

fn drop_oldest(edge: &Edge, registration: &Registration, reason: &'static str) {
    event::registration_dropped(&registration.address, reason);
    metrics::registration_dropped(reason);
    edge.kept.settled();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registration(address: &str, cseq: u32) -> Registration {
        Registration {
            address: address.to_owned(),
            aliases: Vec::new(),
            call_id: "r1".to_owned(),
            cseq,
            changes: Vec::new(),
        }
    }

    #[test]
    fn registrations_leave_in_their_order_and_their_address_with_the_last() {
        let kept = Kept::new(10);
        for (address, cseq) in [("bob", 1), ("carol", 2), ("bob", 3)] {
            kept.keep(registration(address, cseq));
        }
        for (cseq, bob_waits) in [(1, true), (2, true), (3, false)] {
            assert_eq!(
                kept.oldest().map(|registration| registration.cseq),
                Some(cseq)
            );
            kept.settled();
            assert_eq!(kept.has("bob"), bob_waits, "{cseq}");
        }
        assert_eq!(kept.oldest(), None);
        assert!(!kept.has("carol"));
    }

    #[test]
    fn one_more_than_fits_is_dropped() {
        let kept = Kept::new(1);
        kept.keep(registration("bob", 1));
        kept.keep(registration("carol", 1));
        assert!(kept.has("bob") && !kept.has("carol"));
    }
}
