//! The edges and how much they have to do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

/// Name of an edge.
pub(crate) type EdgeName = Arc<str>;

#[derive(Debug, Default)]
struct Edge {
    capacity: usize,
    jobs: usize,
    takes_jobs: bool,
    /// Its next hop takes nothing until then.
    paused_until: Option<Instant>,
}

impl Edge {
    fn has_room(&self) -> bool {
        self.paused_until.is_none() && self.jobs < self.capacity
    }
}

/// All edges that are attached or still have jobs.
#[derive(Debug, Default)]
pub(super) struct Edges {
    edges: BTreeMap<EdgeName, Edge>,
}

impl Edges {
    pub(super) fn attached(&mut self, name: EdgeName, capacity: usize) {
        let edge = self.edges.entry(name).or_default();
        edge.capacity = capacity;
        edge.takes_jobs = true;
    }

    /// It gets no more jobs; those it has go on until they end or lapse.
    pub(super) fn stopped(&mut self, name: &EdgeName) {
        if let Some(edge) = self.edges.get_mut(name) {
            edge.takes_jobs = false;
            self.forget_idle(name);
        }
    }

    /// Its next hop is paused until then, or open. Nothing for an edge that is gone.
    pub(super) fn pause(&mut self, name: &EdgeName, until: Option<Instant>) {
        if let Some(edge) = self.edges.get_mut(name) {
            edge.paused_until = until;
        }
    }

    /// As [`Edges::pause`], unless it is paused for longer.
    pub(super) fn pause_at_least(&mut self, name: &EdgeName, until: Instant) {
        if let Some(edge) = self.edges.get_mut(name) {
            edge.paused_until = edge.paused_until.max(Some(until));
        }
    }

    /// Lets pauses pass that are over by `now`.
    pub(super) fn timeout(&mut self, now: Instant) {
        for edge in self.edges.values_mut() {
            edge.paused_until = edge.paused_until.filter(|until| *until > now);
        }
    }

    /// When [`Edges::timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.edges
            .values()
            .filter_map(|edge| edge.paused_until)
            .min()
    }

    /// Whether an edge that takes jobs has a hop that does.
    pub(super) fn has_open_hop(&self) -> bool {
        let mut edges = self.edges.values();
        edges.any(|edge| edge.takes_jobs && edge.paused_until.is_none())
    }

    /// The edge for the next job: `home` as long as it takes jobs, else the least loaded, and `shunned`
    /// only after all others. `None` if it, or all, are busy or have a
    /// hop that is paused.
    pub(super) fn choose(
        &self,
        home: Option<&EdgeName>,
        shunned: Option<&EdgeName>,
    ) -> Option<EdgeName> {
        if let Some((name, edge)) = home.and_then(|home| self.edges.get_key_value(home))
            && edge.takes_jobs
        {
            return edge.has_room().then(|| Arc::clone(name));
        }
        let free = self.edges.iter();
        free.filter(|(_, edge)| edge.takes_jobs && edge.has_room())
            .min_by(|(a_name, a), (b_name, b)| {
                // jobs / capacity, compared without division
                let by_load = (a.jobs * b.capacity).cmp(&(b.jobs * a.capacity));
                let is_shunned = |name: &EdgeName| shunned == Some(name);
                is_shunned(a_name).cmp(&is_shunned(b_name)).then(by_load)
            })
            .map(|(name, _)| Arc::clone(name))
    }

    pub(super) fn takers(&self) -> Vec<EdgeName> {
        let takers = self.edges.iter().filter(|(_, edge)| edge.takes_jobs);
        takers.map(|(name, _)| Arc::clone(name)).collect()
    }

    pub(super) fn job_begins(&mut self, name: &EdgeName) {
        self.edges.entry(Arc::clone(name)).or_default().jobs += 1;
    }

    pub(super) fn job_ends(&mut self, name: &EdgeName) {
        if let Some(edge) = self.edges.get_mut(name) {
            edge.jobs = edge.jobs.saturating_sub(1);
            self.forget_idle(name);
        }
    }

    pub(super) fn jobs(&self, name: &EdgeName) -> usize {
        self.edges.get(name).map_or(0, |edge| edge.jobs)
    }

    fn forget_idle(&mut self, name: &EdgeName) {
        let is_idle = |edge: &Edge| !edge.takes_jobs && edge.jobs == 0;
        if self.edges.get(name).is_some_and(is_idle) {
            self.edges.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EdgeName {
        EdgeName::from(text)
    }

    #[test]
    fn the_least_loaded_edge_is_chosen_by_its_share() {
        let mut edges = Edges::default();
        edges.attached(name("small"), 2);
        edges.attached(name("large"), 10);
        edges.job_begins(&name("small"));
        for _ in 0..4 {
            assert_eq!(edges.choose(None, None), Some(name("large")));
            edges.job_begins(&name("large"));
        }
        edges.job_begins(&name("large"));
        edges.job_begins(&name("large"));
        assert_eq!(edges.choose(None, None), Some(name("small")));
    }

    #[test]
    fn a_home_is_waited_for_while_it_takes_jobs() {
        let mut edges = Edges::default();
        edges.attached(name("home"), 1);
        edges.attached(name("other"), 1);
        edges.job_begins(&name("home"));
        assert_eq!(edges.choose(Some(&name("home")), None), None);
        edges.stopped(&name("home"));
        assert_eq!(edges.choose(Some(&name("home")), None), Some(name("other")));
    }

    #[test]
    fn a_shunned_edge_is_taken_if_there_is_no_other() {
        let mut edges = Edges::default();
        edges.attached(name("a"), 2);
        let a = name("a");
        assert_eq!(edges.choose(None, Some(&a)), Some(name("a")));
        edges.attached(name("b"), 2);
        edges.job_begins(&name("b"));
        assert_eq!(edges.choose(None, Some(&a)), Some(name("b")));
        edges.job_begins(&name("b"));
        assert_eq!(edges.choose(None, Some(&a)), Some(name("a")));
    }

    #[test]
    fn an_edge_whose_hop_is_paused_gets_nothing_and_the_others_do() {
        let now = Instant::now();
        let later = |seconds| now + std::time::Duration::from_secs(seconds);
        let (a, b) = (name("a"), name("b"));
        let mut edges = Edges::default();
        edges.attached(name("a"), 9);
        edges.attached(name("b"), 9);
        edges.pause_at_least(&a, later(5));
        edges.pause_at_least(&a, later(3));
        assert_eq!(edges.choose(None, None), Some(name("b")));
        assert_eq!(
            edges.choose(Some(&a), None),
            None,
            "the user is there alone"
        );
        edges.pause(&b, Some(later(9)));
        assert_eq!(
            (edges.choose(None, None), edges.has_open_hop()),
            (None, false)
        );
        assert_eq!(edges.next_timeout(), Some(later(5)));
        edges.timeout(later(5));
        assert_eq!(edges.choose(None, None), Some(name("a")));
        edges.pause(&b, None);
        assert_eq!(edges.next_timeout(), None);
    }

    #[test]
    fn an_edge_that_is_gone_is_forgotten_with_its_last_job() {
        let mut edges = Edges::default();
        edges.attached(name("a"), 1);
        edges.job_begins(&name("a"));
        edges.stopped(&name("a"));
        assert_eq!(edges.jobs(&name("a")), 1);
        edges.job_ends(&name("a"));
        assert!(edges.edges.is_empty());
    }
}
