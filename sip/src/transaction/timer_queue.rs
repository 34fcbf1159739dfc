//! The timers that run, in the order in which they fire.
//!
//! A timer that always takes the same time fires in the order it was started in: a queue per letter is enough, and
//! starting and firing cost nothing that grows. Only the timers that back off need a heap. Timers are never stopped:
//! an entry whose transaction has moved on is ignored by its machine, or pruned here once it is the oldest.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Instant;

use super::timer::Timer;

/// A timer of transaction `K` and when it fires.
type Entry<K> = (Instant, Timer, K);

#[derive(Debug)]
pub(super) struct TimerQueue<K> {
    /// Indexed by letter.
    constant: [VecDeque<(Instant, K)>; Timer::COUNT],
    backing_off: BinaryHeap<Reverse<Entry<K>>>,
}

impl<K: Copy + Ord> TimerQueue<K> {
    pub(super) fn new() -> Self {
        Self {
            constant: std::array::from_fn(|_| VecDeque::new()),
            backing_off: BinaryHeap::new(),
        }
    }

    pub(super) fn start(&mut self, timer: Timer, at: Instant, key: K) {
        if timer.backs_off() {
            self.backing_off.push(Reverse((at, timer, key)));
        } else if let Some(queue) = self.constant.get_mut(timer as usize) {
            queue.push_back((at, key));
        }
    }

    /// When the next timer fires, if any runs.
    pub(super) fn next(&self) -> Option<Instant> {
        let oldest = self
            .constant
            .iter()
            .filter_map(|queue| queue.front().map(|(at, _)| *at))
            .min();
        let shortest = self.backing_off.peek().map(|Reverse((at, ..))| *at);
        oldest.into_iter().chain(shortest).min()
    }

    /// Takes one timer that has fired by `now`.
    pub(super) fn fired(&mut self, now: Instant) -> Option<(Timer, K)> {
        if self
            .backing_off
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= now)
        {
            return self
                .backing_off
                .pop()
                .map(|Reverse((_, timer, key))| (timer, key));
        }
        ALL.into_iter().find_map(|timer| {
            let queue = self.constant.get_mut(timer as usize)?;
            let (_, key) = queue.pop_front_if(|(at, _)| *at <= now)?;
            Some((timer, key))
        })
    }

    /// Takes the oldest running `timer`, however long it still has to run.
    pub(super) fn oldest(&mut self, timer: Timer) -> Option<K> {
        self.constant
            .get_mut(timer as usize)?
            .pop_front()
            .map(|(_, key)| key)
    }

    /// Forgets the timers of ended transactions as far as nothing living is older.
    pub(super) fn prune(&mut self, mut alive: impl FnMut(K) -> bool) {
        for queue in &mut self.constant {
            while queue.pop_front_if(|(_, key)| !alive(*key)).is_some() {}
        }
    }

    /// Entries held, those of ended transactions included.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.constant.iter().map(VecDeque::len).sum::<usize>() + self.backing_off.len()
    }
}

/// The letters that have a queue.
const ALL: [Timer; 12] = [
    Timer::B,
    Timer::C,
    Timer::D,
    Timer::F,
    Timer::H,
    Timer::I,
    Timer::J,
    Timer::K,
    Timer::L,
    Timer::M,
    Timer::Trying,
    Timer::Cancelled,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn fired(queue: &mut TimerQueue<u32>, now: Instant) -> Vec<(Timer, u32)> {
        std::iter::from_fn(|| queue.fired(now)).collect()
    }

    #[test]
    fn only_what_is_due_fires() {
        let start = Instant::now();
        let mut queue = TimerQueue::new();
        queue.start(Timer::J, start + Duration::from_secs(32), 1);
        queue.start(Timer::A, start + Duration::from_secs(2), 2);
        queue.start(Timer::A, start + Duration::from_secs(1), 3);
        assert_eq!(queue.next(), Some(start + Duration::from_secs(1)));
        assert_eq!(fired(&mut queue, start), []);
        let due = fired(&mut queue, start + Duration::from_secs(2));
        assert_eq!(due, [(Timer::A, 3), (Timer::A, 2)]);
        assert_eq!(
            fired(&mut queue, start + Duration::from_secs(32)),
            [(Timer::J, 1)]
        );
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn every_letter_comes_back() {
        let start = Instant::now();
        for timer in ALL
            .into_iter()
            .chain([Timer::A, Timer::E, Timer::G, Timer::Answer])
        {
            let mut queue = TimerQueue::new();
            queue.start(timer, start, 7);
            assert_eq!(fired(&mut queue, start), [(timer, 7)]);
        }
    }

    #[test]
    fn prune_stops_at_the_oldest_living() {
        let start = Instant::now();
        let mut queue = TimerQueue::new();
        for key in 0..4 {
            queue.start(Timer::F, start, key);
        }
        queue.prune(|key| key >= 2);
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.oldest(Timer::F), Some(2));
    }
}
