//! The order in which the servers of a service are tried (RFC 2782).

use rand::Rng;

use super::Srv;

/// The records by priority, shuffled by weight within each, as RFC 2782 ("Usage rules") says.
pub(super) fn ordered(mut records: Vec<Srv>, rng: &mut impl Rng) -> Vec<Srv> {
    // Weight 0 comes first in the unordered rest, which leaves it a small chance beside others.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let equals = records.partition_point(|record| record.priority == priority);
        let chosen = choose(&records[..equals], rng);
        ordered.push(records.remove(chosen));
    }
    ordered
}

/// The first record whose running sum of weights reaches a random share of the total.
fn choose(records: &[Srv], rng: &mut impl Rng) -> usize {
    let total: u64 = records.iter().map(|record| u64::from(record.weight)).sum();
    let share = rng.random_range(0..=total);
    let mut sum = 0;
    let reaches = |record: &Srv| {
        sum += u64::from(record.weight);
        sum >= share
    };
    records.iter().position(reaches).unwrap_or_default()
}

/// Whether the domain says that the service is decidedly not there (RFC 2782, "Target").
pub(super) fn is_denial(record: &Srv) -> bool {
    matches!(record.target.as_str(), "." | "")
}
