//! Counts per peer: how often we connect for one, how often one guesses.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Keys remembered at most; the table is swept of old ones when it is full.
const MAX_KEYS: usize = 4096;

/// Moments per key, as many as may lie within one period.
#[derive(Debug)]
struct Recent<K> {
    limit: usize,
    period: Duration,
    moments: HashMap<K, VecDeque<Instant>>,
}

impl<K: Eq + Hash> Recent<K> {
    fn new(limit: usize, period: Duration) -> Recent<K> {
        Recent {
            limit: limit.max(1),
            period,
            moments: HashMap::new(),
        }
    }

    /// Enters an event and says when it may happen: at once, or one period after the event so many
    /// before it. None if the table is full of others.
    fn reserve(&mut self, key: K, now: Instant) -> Option<Instant> {
        self.make_room(&key, now)?;
        let moments = self.moments.entry(key).or_default();
        let full = moments.len() >= self.limit;
        let earlier = if full { moments.pop_front() } else { None };
        let due = earlier.map_or(now, |earlier| now.max(earlier + self.period));
        moments.push_back(due);
        Some(due)
    }

    fn make_room(&mut self, key: &K, now: Instant) -> Option<()> {
        if self.moments.len() >= MAX_KEYS && !self.moments.contains_key(key) {
            let period = self.period;
            let is_old = |moment: &Instant| now.saturating_duration_since(*moment) > period;
            self.moments
                .retain(|_, moments| !moments.back().is_none_or(is_old));
        }
        (self.moments.len() < MAX_KEYS || self.moments.contains_key(key)).then_some(())
    }
}

/// Spaces our connection attempts out, per signalling peer (MSR-04).
#[derive(Debug)]
pub(super) struct ConnectPacer(Mutex<Recent<String>>);

impl ConnectPacer {
    pub(super) fn new(per_second: usize) -> ConnectPacer {
        ConnectPacer(Mutex::new(Recent::new(per_second, Duration::from_secs(1))))
    }

    /// When the next attempt for this peer may start; none if too many peers are being called.
    pub(super) fn reserve(&self, signalling_peer: &str, now: Instant) -> Option<Instant> {
        locked(&self.0).reserve(signalling_peer.to_owned(), now)
    }
}

/// Counts wrong To-Paths per address (MSR-02).
#[derive(Debug)]
pub(super) struct WrongPaths(Mutex<Recent<IpAddr>>);

impl WrongPaths {
    pub(super) fn new(per_minute: usize) -> WrongPaths {
        WrongPaths(Mutex::new(Recent::new(per_minute, Duration::from_secs(60))))
    }

    /// Counts one; says whether that is one too many.
    pub(super) fn count(&self, address: IpAddr, now: Instant) -> bool {
        locked(&self.0)
            .reserve(address, now)
            .is_none_or(|due| due > now)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_gets_its_attempts_of_each_second_and_no_more() {
        let pacer = ConnectPacer::new(20);
        let start = Instant::now();
        let due: Vec<_> = (0..100)
            .map(|_| pacer.reserve("peer", start).unwrap())
            .collect();
        for (early, late) in due.iter().zip(due.iter().skip(20)) {
            assert!(*late - *early >= Duration::from_secs(1));
        }
        assert_eq!(due[19], start);
        assert_eq!(pacer.reserve("other", start), Some(start));
    }

    #[test]
    fn the_twenty_first_wrong_path_of_a_minute_is_one_too_many() {
        let wrong = WrongPaths::new(20);
        let (address, start) = (IpAddr::from([192, 0, 2, 1]), Instant::now());
        assert!((0..20).all(|_| !wrong.count(address, start)));
        assert!(wrong.count(address, start));
        assert!(!wrong.count(IpAddr::from([192, 0, 2, 2]), start));
    }
}
