//! Gathers a message in memory, for sessions that take small ones.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

/// Touching runs are joined when there are more than this; a [`Reassembly`](super::Reassembly)
/// leaves about half as many that do not touch.
const MAX_RUNS: usize = 2 * super::MAX_GAPS;

/// The octets of one message, in any order. Memory follows the octets that came, not their
/// positions.
#[derive(Debug, Default)]
pub struct Collector {
    /// Runs by offset, disjoint.
    runs: BTreeMap<u64, BytesMut>,
}

impl Collector {
    /// Puts octets where they belong, over those that came before them (DEF-12). The caller has
    /// checked the position against its limit.
    pub fn put(&mut self, offset: u64, octets: &[u8]) {
        let (mut offset, mut octets) = (offset, octets);
        while !octets.is_empty() {
            let taken = match self.run_over(offset) {
                Some((start, run)) => overwrite(run, start, offset, octets),
                None => self.append(offset, octets),
            };
            offset += taken as u64;
            octets = octets.get(taken..).unwrap_or_default();
        }
        if self.runs.len() > MAX_RUNS {
            self.join();
        }
    }

    /// The whole message of `total` octets, which must all have been put.
    pub fn finish(mut self, total: u64) -> Bytes {
        self.join();
        let mut body = self.runs.remove(&0).unwrap_or_default();
        body.truncate(usize::try_from(total).unwrap_or(usize::MAX));
        body.freeze()
    }

    /// The run that holds the octet at `offset`.
    fn run_over(&mut self, offset: u64) -> Option<(u64, &mut BytesMut)> {
        let (start, run) = self.runs.range_mut(..=offset).next_back()?;
        (offset < start + run.len() as u64).then_some((*start, run))
    }

    /// Appends to the run that ends at `offset`, or begins one, up to the next run.
    fn append(&mut self, offset: u64, octets: &[u8]) -> usize {
        let next = self
            .runs
            .range(offset..)
            .next()
            .map_or(u64::MAX, |(start, _)| *start);
        let room = usize::try_from(next - offset).unwrap_or(usize::MAX);
        let fitting = octets.get(..room.min(octets.len())).unwrap_or_default();
        match self.runs.range_mut(..offset).next_back() {
            Some((start, run)) if start + run.len() as u64 == offset => {
                run.extend_from_slice(fitting);
            }
            _ => {
                self.runs.insert(offset, BytesMut::from(fitting));
            }
        }
        fitting.len()
    }

    /// Makes one run of those that touch.
    fn join(&mut self) {
        let mut joined: BTreeMap<u64, BytesMut> = BTreeMap::new();
        for (start, run) in std::mem::take(&mut self.runs) {
            match joined.last_entry() {
                Some(mut last) if last.key() + last.get().len() as u64 == start => {
                    last.get_mut().extend_from_slice(&run);
                }
                _ => {
                    joined.insert(start, run);
                }
            }
        }
        self.runs = joined;
    }
}

fn overwrite(run: &mut BytesMut, start: u64, offset: u64, octets: &[u8]) -> usize {
    let skip = usize::try_from(offset - start).unwrap_or(usize::MAX);
    let held = run.get_mut(skip..).unwrap_or_default();
    let taken = held.len().min(octets.len());
    for (to, from) in held.iter_mut().zip(octets) {
        *to = *from;
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_stay_few_however_small_the_pieces_are() {
        let mut collector = Collector::default();
        for at in (0..10_000_u64).rev() {
            collector.put(at, b"x");
            assert!(collector.runs.len() <= MAX_RUNS);
        }
        assert_eq!(collector.finish(10_000).len(), 10_000);
    }
}
