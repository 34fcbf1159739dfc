//! How fast reports go to one sender (IMD-08). In memory: a restart forgives.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::model::Address;

const SECOND: Duration = Duration::from_secs(1);
/// Reports that may follow each other closer than the rate says: what a late look has held up.
const TOLERATED: u32 = 1;
/// Senders remembered before those that nothing waits for are forgotten.
const SENDERS: usize = 4_096;

/// When the next report may go to each sender.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReportPace {
    senders: HashMap<Address, Slots>,
    trimmed_at: usize,
}

#[derive(Clone, Copy, Debug)]
struct Slots {
    /// From when on the rate would have the next report go.
    next: Instant,
    /// The last place that was given to one that has to wait.
    given: Instant,
}

impl ReportPace {
    /// Takes a place for a report now, or says how long it has to wait for the place it is given.
    pub(crate) fn take(
        &mut self,
        to: &Address,
        per_second: u32,
        now: Instant,
    ) -> Result<(), Duration> {
        let Some(between) = SECOND.checked_div(per_second) else {
            return Ok(());
        };
        self.trim(now);
        let fresh = Slots {
            next: now,
            given: now,
        };
        let slots = self.senders.entry(to.clone()).or_insert(fresh);
        if slots.next <= now + between * TOLERATED {
            slots.next = slots.next.max(now) + between;
            return Ok(());
        }
        slots.given = slots.given.max(slots.next - between * TOLERATED) + between;
        Err(slots.given.saturating_duration_since(now))
    }

    fn trim(&mut self, now: Instant) {
        if self.senders.len() < SENDERS.max(self.trimmed_at * 2) {
            return;
        }
        let waits = |slots: &Slots| slots.next > now || slots.given > now;
        self.senders.retain(|_, slots| waits(slots));
        self.trimmed_at = self.senders.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Address {
        Address::new("sip:alice@example.org")
    }

    /// When each of `count` reports goes, each looked at again when its place has come, `late` after it.
    fn sent_at(count: usize, late: Duration) -> Vec<Duration> {
        let (mut pace, start) = (ReportPace::default(), Instant::now());
        let mut due = vec![Duration::ZERO; count];
        let mut sent = Vec::new();
        while let Some(at) = due.iter().min().copied() {
            let place = due.iter().position(|due| *due == at).expect("it is there");
            let looked_at = at + late;
            match pace.take(&alice(), 10, start + looked_at) {
                Ok(()) => {
                    due.remove(place);
                    sent.push(looked_at);
                }
                Err(pause) => due[place] = looked_at + pause,
            }
        }
        sent
    }

    #[test]
    fn imd_08_ten_go_in_a_second_however_many_wait() {
        for late in [0, 3, 70] {
            let sent = sent_at(200, Duration::from_millis(late));
            assert_eq!(sent.len(), 200);
            for window in sent.windows(13) {
                assert!(window[12] - window[0] >= SECOND, "{late}: {window:?}");
            }
            let last = sent[199] - sent[0];
            assert!(last <= Duration::from_secs(30), "{late}: {last:?}");
        }
    }

    #[test]
    fn imd_08_senders_do_not_wait_for_one_another() {
        let (mut pace, now) = (ReportPace::default(), Instant::now());
        while pace.take(&alice(), 10, now).is_ok() {}
        assert_eq!(
            pace.take(&Address::new("sip:bob@example.org"), 10, now),
            Ok(())
        );
        assert_eq!(pace.take(&alice(), 0, now), Ok(()), "no bound");
    }

    #[test]
    fn senders_for_whom_nothing_waits_are_forgotten() {
        let (mut pace, start) = (ReportPace::default(), Instant::now());
        for second in 0..10_000 {
            let to = Address::new(format!("sip:{second}@example.org"));
            let now = start + Duration::from_secs(second);
            assert_eq!(pace.take(&to, 10, now), Ok(()));
        }
        assert!(pace.senders.len() <= SENDERS);
    }
}
