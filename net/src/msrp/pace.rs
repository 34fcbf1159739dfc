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

    /// When an event of this key may happen: at once, or one period after the event so many before it.
    /// None if the table is full of others.
    fn next(&mut self, key: &K, now: Instant) -> Option<Instant> {
        self.make_room(key, now)?;
        let held = self.moments.get(key);
        let earlier = held.filter(|moments| moments.len() >= self.limit);
        let earlier = earlier.and_then(VecDeque::front);
        Some(earlier.map_or(now, |earlier| now.max(*earlier + self.period)))
    }

    /// An event happens at that moment.
    fn enter(&mut self, key: K, at: Instant) {
        let moments = self.moments.entry(key).or_default();
        if moments.len() >= self.limit {
            moments.pop_front();
        }
        moments.push_back(at);
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

/// Whose attempts are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    /// Those for one signalling peer.
    For(String),
    /// Those to one address, whoever wants them.
    To(IpAddr),
}

/// Spaces our connection attempts out (MSR-04): for one signalling peer, and to one address, which many
/// peers, or one under many names, may want us to connect to.
#[derive(Debug)]
pub(super) struct ConnectPacer(Mutex<Recent<Counted>>);

impl ConnectPacer {
    pub(super) fn new(per_second: usize) -> ConnectPacer {
        ConnectPacer(Mutex::new(Recent::new(per_second, Duration::from_secs(1))))
    }

    /// When the next attempt for this peer to this address may start; none if that is later than
    /// `latest`, or if too many are being called. What is not attempted does not count.
    pub(super) fn reserve(
        &self,
        signalling_peer: &str,
        address: IpAddr,
        (now, latest): (Instant, Instant),
    ) -> Option<Instant> {
        let counted = [
            Counted::For(signalling_peer.to_owned()),
            Counted::To(address.to_canonical()),
        ];
        let mut recent = locked(&self.0);
        let mut due = now;
        for key in &counted {
            due = due.max(recent.next(key, now)?);
        }
        if due > latest {
            return None;
        }
        for key in counted {
            recent.enter(key, due);
        }
        Some(due)
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
        let mut recent = locked(&self.0);
        let Some(due) = recent.next(&address, now) else {
            return true;
        };
        recent.enter(address, due);
        due > now
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn assert_paced(due: &[Instant], start: Instant) {
        for (early, late) in due.iter().zip(due.iter().skip(20)) {
            assert!(*late - *early >= Duration::from_secs(1));
        }
        assert_eq!(due[19], start);
    }

    #[test]
    fn a_peer_gets_its_attempts_of_each_second_wherever_they_lead() {
        let pacer = ConnectPacer::new(20);
        let start = Instant::now();
        let when = (start, start + Duration::from_secs(10));
        let due: Vec<_> = (0..100)
            .map(|host| pacer.reserve("peer", address(host), when).unwrap())
            .collect();
        assert_paced(&due, start);
        assert_eq!(pacer.reserve("other", address(200), when), Some(start));
    }

    #[test]
    fn an_address_gets_its_attempts_of_each_second_whoever_wants_them() {
        let pacer = ConnectPacer::new(20);
        let start = Instant::now();
        let when = (start, start + Duration::from_secs(10));
        let due: Vec<_> = (0..100)
            .map(|peer| {
                let peer = format!("peer-{peer}");
                pacer.reserve(&peer, address(1), when).unwrap()
            })
            .collect();
        assert_paced(&due, start);
        let mapped = "::ffff:192.0.2.1".parse().unwrap();
        assert!(pacer.reserve("other", mapped, when).unwrap() > start);
        assert_eq!(pacer.reserve("other", address(2), when), Some(start));
    }

    #[test]
    fn what_cannot_wait_so_long_is_not_attempted_and_takes_no_place() {
        let pacer = ConnectPacer::new(1);
        let start = Instant::now();
        let when = (start, start + Duration::from_millis(1_500));
        let second = start + Duration::from_secs(1);
        assert_eq!(pacer.reserve("peer", address(1), when), Some(start));
        assert_eq!(pacer.reserve("peer", address(1), when), Some(second));
        for _ in 0..100 {
            assert_eq!(pacer.reserve("peer", address(1), when), None);
        }
        let later = (second, second + Duration::from_secs(1));
        assert_eq!(pacer.reserve("peer", address(1), later), Some(later.1));
    }

    #[test]
    fn the_twenty_first_wrong_path_of_a_minute_is_one_too_many() {
        let wrong = WrongPaths::new(20);
        let (address, start) = (address(1), Instant::now());
        assert!((0..20).all(|_| !wrong.count(address, start)));
        assert!(wrong.count(address, start));
        assert!(!wrong.count(IpAddr::from([192, 0, 2, 2]), start));
    }
}
