//! Groups that are remembered, within bounds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use storage_client::fan_out::Group;

/// Octets of the documents of all groups that are remembered.
const OCTETS_MAX: usize = 64 << 20;

/// A group that was fetched.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) group: Arc<Group>,
    /// Of its document: what it takes, roughly.
    pub(super) octets: usize,
    /// By which it can be asked whether it has changed.
    pub(super) tag: Option<String>,
    /// When it was last asked about.
    pub(super) asked_at: Instant,
}

/// The groups asked about last.
#[derive(Debug)]
pub(super) struct Cache {
    groups_max: usize,
    octets: usize,
    /// Counts uses.
    clock: u64,
    groups: HashMap<String, (u64, Known)>,
}

impl Cache {
    pub(super) fn new(groups_max: usize) -> Self {
        Self {
            groups_max,
            octets: 0,
            clock: 0,
            groups: HashMap::new(),
        }
    }

    pub(super) fn find(&mut self, uri: &str) -> Option<Known> {
        self.clock += 1;
        let (used, known) = self.groups.get_mut(uri)?;
        *used = self.clock;
        Some(known.clone())
    }

    /// Remembers a group in the place of those that were not asked for the longest time.
    pub(super) fn keep(&mut self, uri: &str, known: Known) {
        self.forget(uri);
        self.clock += 1;
        self.octets += known.octets;
        self.groups.insert(uri.to_owned(), (self.clock, known));
        while self.groups.len() > self.groups_max || self.octets > OCTETS_MAX {
            let oldest = self.groups.iter().min_by_key(|(_, (used, _))| *used);
            let Some(oldest) = oldest.map(|(uri, _)| uri.clone()) else {
                return;
            };
            self.forget(&oldest);
        }
    }

    pub(super) fn forget(&mut self, uri: &str) {
        if let Some((_, known)) = self.groups.remove(uri) {
            self.octets -= known.octets;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(octets: usize) -> Known {
        Known {
            group: Arc::default(),
            octets,
            tag: None,
            asked_at: Instant::now(),
        }
    }

    #[test]
    fn the_least_used_makes_room() {
        let mut cache = Cache::new(2);
        cache.keep("a", known(1));
        cache.keep("b", known(1));
        assert!(cache.find("a").is_some());
        cache.keep("c", known(1));
        let there = ["a", "b", "c"].map(|uri| cache.find(uri).is_some());
        assert_eq!(there, [true, false, true]);
        cache.keep("large", known(OCTETS_MAX));
        let there = ["a", "c", "large"].map(|uri| cache.find(uri).is_some());
        assert_eq!((there, cache.octets), ([false, false, true], OCTETS_MAX));
        cache.keep("larger", known(OCTETS_MAX + 1));
        assert_eq!((cache.groups.len(), cache.octets), (0, 0));
    }
}
