//! Which edges take legs, and which legs each has: a machine, without store and clock.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use storage::model::{JobClass, JobNumber, LegToken, Owner};

/// The attached edges.
#[derive(Debug, Default)]
pub(super) struct Edges {
    by_name: BTreeMap<String, Edge>,
}

/// How many legs of each class an edge takes at a time: a slow transfer takes no place of a MESSAGE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) pager: usize,
    pub(super) large: usize,
}

impl Capacity {
    fn of(self, class: JobClass) -> usize {
        match class {
            JobClass::Pager => self.pager,
            JobClass::Large => self.large,
        }
    }
}

#[derive(Debug)]
struct Edge {
    owner: Owner,
    capacity: Capacity,
    held: HashMap<LegToken, JobClass>,
}

impl Edge {
    fn room(&self, class: JobClass) -> usize {
        let held = self.held.values().filter(|held| **held == class);
        self.capacity.of(class).saturating_sub(held.count())
    }
}

impl Edges {
    /// False if an edge of that name is attached.
    pub(super) fn attach(&mut self, owner: &Owner, capacity: Capacity) -> bool {
        if self.by_name.contains_key(&owner.edge) {
            return false;
        }
        let edge = Edge {
            owner: owner.clone(),
            capacity,
            held: HashMap::new(),
        };
        self.by_name.insert(owner.edge.clone(), edge);
        true
    }

    pub(super) fn detach(&mut self, edge: &str) {
        self.by_name.remove(edge);
    }

    pub(super) fn resize(&mut self, edge: &str, capacity: Capacity) {
        if let Some(edge) = self.by_name.get_mut(edge) {
            edge.capacity = capacity;
        }
    }

    /// These legs are with the edge.
    pub(super) fn hold(
        &mut self,
        edge: &str,
        legs: impl IntoIterator<Item = (LegToken, JobClass)>,
    ) {
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

    /// The edge with the most room for legs of a class, and how much that is.
    pub(super) fn roomiest(&self, class: JobClass) -> Option<(Owner, usize)> {
        let edges = self.by_name.values().map(|edge| (edge, edge.room(class)));
        let (roomiest, room) = edges.max_by_key(|(_, room)| *room)?;
        (room > 0).then(|| (roomiest.owner.clone(), room))
    }

    /// The legs of a job that are in flight, by edge.
    pub(super) fn legs_of(&self, job: JobNumber) -> Vec<(String, Vec<LegToken>)> {
        let edges = self.by_name.iter().map(|(name, edge)| {
            let legs = edge.held.keys().filter(|token| token.leg.job == job);
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

/// How many legs, or reports, may be handed out: so many per second, over all edges.
#[derive(Debug)]
pub(crate) struct Pace {
    per_second: f64,
    left: f64,
    at: Instant,
}

/// Legs handed out at once after a rest are those of so long.
const BURST: Duration = Duration::from_millis(100);

impl Pace {
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            per_second: f64::from(per_second),
            left: 1.0,
            at: now,
        }
    }

    /// Up to `wanted` legs now; if none, when to ask again.
    pub(crate) fn allow(&mut self, wanted: usize, now: Instant) -> Result<usize, Instant> {
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
    pub(crate) fn spend(&mut self, legs: usize) {
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

    const PAGER: JobClass = JobClass::Pager;
    const LARGE: JobClass = JobClass::Large;

    fn room(pager: usize, large: usize) -> Capacity {
        Capacity { pager, large }
    }

    #[test]
    fn legs_go_where_most_room_is() {
        let mut edges = Edges::default();
        assert_eq!(edges.roomiest(PAGER), None);
        assert!(edges.attach(&owner("a"), room(2, 0)));
        assert!(!edges.attach(&owner("a"), room(2, 0)), "the older one wins");
        assert!(edges.attach(&owner("b"), room(3, 0)));
        assert_eq!(edges.roomiest(PAGER), Some((owner("b"), 3)));
        edges.hold("b", [(token(1, 0), PAGER), (token(1, 1), PAGER)]);
        assert_eq!(edges.roomiest(PAGER), Some((owner("a"), 2)));
        edges.resize("a", room(0, 0));
        assert_eq!(edges.roomiest(PAGER), Some((owner("b"), 1)));
        edges.hold("b", [(token(2, 0), PAGER)]);
        assert_eq!(edges.roomiest(PAGER), None);
        assert_eq!(edges.in_flight(), 3);
        let held = edges.legs_of(JobNumber(2));
        assert_eq!(held, [("b".to_owned(), vec![token(2, 0)])]);
        edges.drop_legs("b", &[token(1, 0), token(9, 9)]);
        assert_eq!(edges.roomiest(PAGER), Some((owner("b"), 1)));
        edges.detach("b");
        assert_eq!((edges.count(), edges.in_flight()), (1, 0));
    }

    #[test]
    fn each_class_has_its_own_room() {
        let mut edges = Edges::default();
        assert!(edges.attach(&owner("a"), room(1, 2)));
        assert!(edges.attach(&owner("b"), room(4, 0)));
        assert_eq!(edges.roomiest(LARGE), Some((owner("a"), 2)));
        edges.hold("a", [(token(1, 0), LARGE), (token(1, 1), LARGE)]);
        assert_eq!(edges.roomiest(LARGE), None, "none without large places");
        edges.resize("b", room(0, 0));
        assert_eq!(edges.roomiest(PAGER), Some((owner("a"), 1)));
        edges.drop_legs("a", &[token(1, 0)]);
        assert_eq!(edges.roomiest(LARGE), Some((owner("a"), 1)));
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
