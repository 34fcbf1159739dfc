//! Which edges take legs, and which legs each has: a machine, without store and clock.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use storage::model::{JobNumber, LegToken, Owner};

/// The attached edges.
#[derive(Debug, Default)]
pub(super) struct Edges {
    by_name: BTreeMap<String, Edge>,
}

#[derive(Debug)]
struct Edge {
    owner: Owner,
    capacity: usize,
    held: HashSet<LegToken>,
}

impl Edge {
    fn room(&self) -> usize {
        self.capacity.saturating_sub(self.held.len())
    }
}

impl Edges {
    /// False if an edge of that name is attached.
    pub(super) fn attach(&mut self, owner: &Owner, capacity: usize) -> bool {
        if self.by_name.contains_key(&owner.edge) {
            return false;
        }
        let edge = Edge {
            owner: owner.clone(),
            capacity,
            held: HashSet::new(),
        };
        self.by_name.insert(owner.edge.clone(), edge);
        true
    }

    pub(super) fn detach(&mut self, edge: &str) {
        self.by_name.remove(edge);
    }

    pub(super) fn resize(&mut self, edge: &str, capacity: usize) {
        if let Some(edge) = self.by_name.get_mut(edge) {
            edge.capacity = capacity;
        }
    }

    /// These legs are with the edge.
    pub(super) fn hold(&mut self, edge: &str, legs: impl IntoIterator<Item = LegToken>) {
        if let Some(edge) = self.by_name.get_mut(edge) {
            edge.held.extend(legs);
        }
    }

    /// These legs are not with the edge any more.
    pub(super) fn drop_legs(&mut self, edge: &str, legs: &[LegToken]) {
        if let Some(edge) = self.by_name.get_mut(edge) {
            for leg in legs {
                edge.held.remove(leg);
            }
        }
    }

    /// The edge with the most room, and how much that is.
    pub(super) fn roomiest(&self) -> Option<(Owner, usize)> {
        let edges = self.by_name.values();
        let roomiest = edges.max_by_key(|edge| edge.room())?;
        let room = roomiest.room();
        (room > 0).then(|| (roomiest.owner.clone(), room))
    }

    /// The legs of a job that are in flight, by edge.
    pub(super) fn legs_of(&self, job: JobNumber) -> Vec<(String, Vec<LegToken>)> {
        let edges = self.by_name.iter().map(|(name, edge)| {
            let legs = edge.held.iter().filter(|token| token.leg.job == job);
            (name.clone(), legs.copied().collect::<Vec<_>>())
        });
        edges.filter(|(_, legs)| !legs.is_empty()).collect()
    }

    pub(super) fn count(&self) -> usize {
        self.by_name.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.by_name.values().map(|edge| edge.held.len()).sum()
    }
}

/// How many legs may be handed out: so many per second, over all edges.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: f64,
    left: f64,
    at: Instant,
}

/// Legs handed out at once after a rest are those of so long.
const BURST: Duration = Duration::from_millis(100);

impl Pace {
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second: f64::from(per_second),
            left: 1.0,
            at: now,
        }
    }

    /// Up to `wanted` legs now; if none, when to ask again.
    pub(super) fn allow(&mut self, wanted: usize, now: Instant) -> Result<usize, Instant> {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let most = (self.per_second * BURST.as_secs_f64()).max(1.0);
        self.left = (self.left + passed * self.per_second).min(most);
        self.at = now;
        let allowed = (1..=wanted).take_while(|count| as_f64(*count) <= self.left);
        match allowed.last() {
            Some(allowed) => Ok(allowed),
            None => Err(now + Duration::from_secs_f64((1.0 - self.left) / self.per_second)),
        }
    }

    /// So many were handed out.
    pub(super) fn spend(&mut self, legs: usize) {
        self.left -= as_f64(legs);
    }
}

fn as_f64(legs: usize) -> f64 {
    f64::from(u32::try_from(legs).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use storage::model::{Generation, LegName};

    use super::*;

    fn owner(edge: &str) -> Owner {
        Owner {
            edge: edge.to_owned(),
            incarnation: 1,
        }
    }

    fn token(job: u64, index: u32) -> LegToken {
        LegToken {
            leg: LegName {
                job: JobNumber(job),
                index,
            },
            generation: Generation(1),
        }
    }

    #[test]
    fn legs_go_where_most_room_is() {
        let mut edges = Edges::default();
        assert_eq!(edges.roomiest(), None);
        assert!(edges.attach(&owner("a"), 2));
        assert!(!edges.attach(&owner("a"), 2), "the older one wins");
        assert!(edges.attach(&owner("b"), 3));
        assert_eq!(edges.roomiest(), Some((owner("b"), 3)));
        edges.hold("b", [token(1, 0), token(1, 1)]);
        assert_eq!(edges.roomiest(), Some((owner("a"), 2)));
        edges.resize("a", 0);
        assert_eq!(edges.roomiest(), Some((owner("b"), 1)));
        edges.hold("b", [token(2, 0)]);
        assert_eq!(edges.roomiest(), None);
        assert_eq!(edges.in_flight(), 3);
        let held = edges.legs_of(JobNumber(2));
        assert_eq!(held, [("b".to_owned(), vec![token(2, 0)])]);
        edges.drop_legs("b", &[token(1, 0), token(9, 9)]);
        assert_eq!(edges.roomiest(), Some((owner("b"), 1)));
        edges.detach("b");
        assert_eq!((edges.count(), edges.in_flight()), (1, 0));
    }

    #[test]
    fn the_pace_holds_over_any_second() {
        let start = Instant::now();
        let mut pace = Pace::new(50, start);
        let mut sent = 0;
        for millis in 0..=10_000 {
            let now = start + Duration::from_millis(millis);
            if let Ok(allowed) = pace.allow(64, now) {
                pace.spend(allowed);
                sent += allowed;
            }
        }
        assert!((500..=501).contains(&sent), "{sent}");
        let end = start + Duration::from_secs(10);
        let again = pace.allow(64, end).expect_err("nothing is left");
        assert!(again > end && again <= end + Duration::from_millis(21));
        assert!(pace.allow(64, again + Duration::from_millis(1)).is_ok());
    }
}
