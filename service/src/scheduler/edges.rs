//! The edges and how much they have to do.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Name of an edge.
pub(crate) type EdgeName = Arc<str>;

#[derive(Debug, Default)]
struct Edge {
    capacity: usize,
    jobs: usize,
    takes_jobs: bool,
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

    /// The edge for the next job: `home` as long as it takes jobs, else the least loaded. `None` if
    /// it, or all, are busy.
    pub(super) fn choose(&self, home: Option<&EdgeName>) -> Option<EdgeName> {
        if let Some((name, edge)) = home.and_then(|home| self.edges.get_key_value(home))
            && edge.takes_jobs
        {
            return (edge.jobs < edge.capacity).then(|| Arc::clone(name));
        }
        let free = self.edges.iter();
        free.filter(|(_, edge)| edge.takes_jobs && edge.jobs < edge.capacity)
            // jobs / capacity, compared without division
            .min_by(|(_, a), (_, b)| (a.jobs * b.capacity).cmp(&(b.jobs * a.capacity)))
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
            assert_eq!(edges.choose(None), Some(name("large")));
            edges.job_begins(&name("large"));
        }
        edges.job_begins(&name("large"));
        edges.job_begins(&name("large"));
        assert_eq!(edges.choose(None), Some(name("small")));
    }

    #[test]
    fn a_home_is_waited_for_while_it_takes_jobs() {
        let mut edges = Edges::default();
        edges.attached(name("home"), 1);
        edges.attached(name("other"), 1);
        edges.job_begins(&name("home"));
        assert_eq!(edges.choose(Some(&name("home"))), None);
        edges.stopped(&name("home"));
        assert_eq!(edges.choose(Some(&name("home"))), Some(name("other")));
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
