//! The bounded way to the committer: three lanes, so that neither a storm of registrations nor a
//! sweep holds up deposits (P9).

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::config::QueueLimits;

/// Operations of one group.
pub(super) const GROUP_OPERATIONS: usize = 128;
/// Octets of one group, unless the first operation of a lane takes it further.
const GROUP_OCTETS: usize = 1 << 20;
/// Operations of each lane that a group takes first; what is left of it goes to the first lanes.
const SHARES: [usize; 3] = [96, 24, 8];

/// Who goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Deposits and acknowledgements.
    Deposits,
    /// Claims, registrations, orders.
    Requests,
    /// Sweeps.
    Bulk,
}

/// Something that a group can take.
pub(super) trait Weighed {
    /// Octets it will add to a group.
    fn octets(&self) -> usize;
}

/// Why something was not queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotQueued {
    Full,
    Closed,
}

pub(super) struct Queues<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    limits: [usize; 3],
}

struct State<T> {
    lanes: [VecDeque<T>; 3],
    closed: bool,
}

impl<T: Weighed> Queues<T> {
    pub(super) fn new(limits: &QueueLimits) -> Self {
        Self {
            state: Mutex::new(State {
                lanes: [VecDeque::new(), VecDeque::new(), VecDeque::new()],
                closed: false,
            }),
            wake: Condvar::new(),
            limits: [limits.deposits, limits.requests, limits.bulk],
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues something, or says at once that there is no place. Never waits.
    pub(super) fn push(&self, lane: Lane, job: T) -> Result<(), NotQueued> {
        let mut state = self.lock();
        if state.closed {
            return Err(NotQueued::Closed);
        }
        let queue = &mut state.lanes[lane as usize];
        if queue.len() >= self.limits[lane as usize] {
            return Err(NotQueued::Full);
        }
        queue.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// Queues as many of these as there is place for, in their order; hands the others back.
    pub(super) fn push_all(&self, lane: Lane, jobs: Vec<T>) -> Result<(), (NotQueued, Vec<T>)> {
        let mut jobs = jobs.into_iter();
        let mut state = self.lock();
        if state.closed {
            return Err((NotQueued::Closed, jobs.collect()));
        }
        let queue = &mut state.lanes[lane as usize];
        let room = self.limits[lane as usize].saturating_sub(queue.len());
        queue.extend(jobs.by_ref().take(room));
        drop(state);
        self.wake.notify_one();
        match jobs.len() {
            0 => Ok(()),
            _ => Err((NotQueued::Full, jobs.collect())),
        }
    }

    /// Refuses what comes from now on; what is queued is still taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_one();
    }

    /// Waits for something and takes a group of it. `None` after the close, once all is taken.
    pub(super) fn take_group(&self) -> Option<Vec<T>> {
        let mut state = self.lock();
        loop {
            let group = state.take_group();
            if !group.is_empty() {
                return Some(group);
            }
            if state.closed {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T: Weighed> State<T> {
    fn take_group(&mut self) -> Vec<T> {
        let mut group = Vec::new();
        let mut octets = 0;
        for (lane, share) in SHARES.into_iter().enumerate() {
            self.take((lane, share), true, &mut group, &mut octets);
        }
        for lane in [Lane::Deposits, Lane::Requests] {
            let rest = (lane as usize, GROUP_OPERATIONS);
            self.take(rest, false, &mut group, &mut octets);
        }
        group
    }

    /// `is_share`: the first of the lane is taken whatever it weighs.
    fn take(
        &mut self,
        (lane, share): (usize, usize),
        is_share: bool,
        group: &mut Vec<T>,
        octets: &mut usize,
    ) {
        for taken in 0..share.min(GROUP_OPERATIONS.saturating_sub(group.len())) {
            let Some(next) = self.lanes[lane].front() else {
                return;
            };
            let more = next.octets();
            // The first of a lane has its turn whatever it weighs: large deposits one after the other would
            // fill each group, and nothing else would ever be carried out.
            let has_turn = taken == 0 && is_share;
            if !has_turn && *octets + more > GROUP_OCTETS {
                return;
            }
            *octets += more;
            group.extend(self.lanes[lane].pop_front());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weighed for (&'static str, usize) {
        fn octets(&self) -> usize {
            self.1
        }
    }

    fn queues(deposits: usize) -> Queues<(&'static str, usize)> {
        Queues::new(&QueueLimits {
            deposits,
            requests: 500,
            bulk: 500,
        })
    }

    fn count(group: &[(&str, usize)], name: &str) -> usize {
        group.iter().filter(|(lane, _)| *lane == name).count()
    }

    #[test]
    fn a_full_lane_refuses_and_a_closed_queue_too() {
        let queues = queues(1);
        assert_eq!(queues.push(Lane::Deposits, ("a", 1)), Ok(()));
        assert_eq!(queues.push(Lane::Deposits, ("b", 1)), Err(NotQueued::Full));
        queues.close();
        assert_eq!(queues.push(Lane::Bulk, ("c", 1)), Err(NotQueued::Closed));
        assert_eq!(queues.take_group(), Some(vec![("a", 1)]));
        assert_eq!(queues.take_group(), None);
    }

    #[test]
    fn many_are_queued_in_their_order_as_far_as_there_is_place() {
        let queues = queues(2);
        let refused = queues.push_all(Lane::Deposits, vec![("a", 1), ("b", 1), ("c", 1)]);
        assert_eq!(refused, Err((NotQueued::Full, vec![("c", 1)])));
        assert_eq!(queues.take_group(), Some(vec![("a", 1), ("b", 1)]));
        assert_eq!(queues.push_all(Lane::Deposits, vec![("d", 1)]), Ok(()));
        queues.close();
        let refused = queues.push_all(Lane::Deposits, vec![("e", 1)]);
        assert_eq!(refused, Err((NotQueued::Closed, vec![("e", 1)])));
    }

    #[test]
    fn every_lane_has_its_share_of_a_group() {
        let queues = queues(500);
        for _ in 0..200 {
            for (lane, name) in [
                (Lane::Deposits, "deposit"),
                (Lane::Requests, "request"),
                (Lane::Bulk, "bulk"),
            ] {
                queues.push(lane, (name, 1)).expect("there is place");
            }
        }
        let group = queues.take_group().expect("it is not closed");
        assert_eq!(count(&group, "deposit"), 96);
        assert_eq!(count(&group, "request"), 24);
        assert_eq!(count(&group, "bulk"), 8);
    }

    #[test]
    fn what_other_lanes_leave_goes_to_deposits() {
        let queues = queues(500);
        for _ in 0..200 {
            queues
                .push(Lane::Deposits, ("deposit", 1))
                .expect("there is place");
        }
        let group = queues.take_group().expect("it is not closed");
        assert_eq!(group.len(), GROUP_OPERATIONS);
    }

    #[test]
    fn large_deposits_keep_no_other_lane_waiting() {
        let queues = queues(10);
        for _ in 0..3 {
            queues
                .push(Lane::Deposits, ("deposit", 2 << 20))
                .expect("there is place");
        }
        for lane in [Lane::Requests, Lane::Bulk] {
            queues.push(lane, ("other", 1)).expect("there is place");
        }
        let group = queues.take_group().expect("it is not closed");
        assert_eq!((count(&group, "deposit"), count(&group, "other")), (1, 2));
    }

    #[test]
    fn octets_bound_a_group_but_a_large_one_goes_alone() {
        let queues = queues(10);
        for octets in [2 << 20, 700_000, 700_000] {
            queues
                .push(Lane::Deposits, ("deposit", octets))
                .expect("there is place");
        }
        let sizes = || {
            let group = queues.take_group().expect("it is not closed");
            group
                .into_iter()
                .map(|(_, octets)| octets)
                .collect::<Vec<_>>()
        };
        assert_eq!(sizes(), [2 << 20]);
        assert_eq!(sizes(), [700_000]);
        assert_eq!(sizes(), [700_000]);
    }
}
