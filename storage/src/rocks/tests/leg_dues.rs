//! Searches for legs that are due: they find each, and walk over nothing twice.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::checking::both;
use crate::battery::legs::{answered, job, owner};
use crate::battery::{Bench, MINUTE};
use crate::column_family::Family;
use crate::fan_out::FanOutStore;
use crate::key;
use crate::model::{ClaimedLeg, JobClass, JobNumber, LegName, LegOutcome, UnixMillis};
use crate::rocks::leg_dues::{EarliestDues, LowerBound};
use crate::rocks::tests::OnDisk;
use crate::store::StoreError;

/// The whole index.
fn index(bench: &Bench<OnDisk>, class: JobClass) -> Vec<(UnixMillis, LegName)> {
    let database = &bench.store().shared.database;
    let mut scan = database.scan(Family::leg_due(class), &[], None);
    let step = || {
        let row = scan.step(|key, _| key::decode_leg_due(key));
        row.expect("it can be read")
    };
    std::iter::from_fn(step).collect()
}

/// Searches of both classes find what is in their index.
fn assert_nothing_is_missed(bench: &Bench<OnDisk>) {
    let shared = &bench.store().shared;
    let now = shared.times.read().steady;
    for class in JobClass::ALL {
        let rows = index(bench, class);
        let ready = rows.partition_point(|(at, _)| *at <= now);
        let database = &shared.database;
        let dues = &shared.fan_out.dues;
        assert_eq!(
            dues.due(database, class, now, usize::MAX),
            Ok(rows[..ready].to_vec())
        );
        let next = rows.get(ready).map(|(at, _)| *at);
        assert_eq!(dues.next(database, class, now), Ok(next));
    }
}

#[tokio::test]
async fn no_leg_that_is_due_is_missed_after_any_history() {
    let names = ["a", "b", "c", "d", "e"];
    for seed in 0..8 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut bench = Bench::<OnDisk>::new();
        let (mut jobs, mut held): (Vec<JobNumber>, Vec<ClaimedLeg>) = Default::default();
        for _ in 0..120 {
            match random.random_range(0..12) {
                0 | 1 => {
                    let sender = names[random.random_range(0..2)];
                    let count = random.random_range(1..=names.len());
                    jobs.push(bench.accept_job(job(sender, &names[..count])).await);
                }
                2..=4 => held.extend(both(&bench).await),
                5..=7 if !held.is_empty() => {
                    let leg = held.swap_remove(random.random_range(0..held.len()));
                    let outcome = match random.random_range(0..5) {
                        0 => answered(200),
                        1 => answered(404),
                        2 => answered(480),
                        3 => LegOutcome::Returned,
                        _ => LegOutcome::HopDown {
                            reason: String::new(),
                            retry_after: Some(Duration::from_secs(random.random_range(0..90))),
                        },
                    };
                    bench.outcome(leg.token, outcome).await;
                }
                8 => {
                    let tokens = held.iter().map(|leg| leg.token).collect();
                    let renewed = bench.store().renew_legs(tokens, MINUTE).await;
                    renewed.expect("the store answers");
                }
                9 if !jobs.is_empty() => {
                    let some = jobs[random.random_range(0..jobs.len())];
                    drop(bench.store().cancel_job(some, String::new()).await);
                }
                10 if random.random_range(0..4) == 0 => bench = bench.reopen().await,
                10 => {
                    let released = bench.store().release_former(owner(random.random())).await;
                    released.expect("the store answers");
                }
                _ => {
                    let millis = [1, 1_999, 30_000, 61_000][random.random_range(0..4)];
                    bench.clock.advance(Duration::from_millis(millis));
                }
            }
            if random.random_range(0..3) == 0 {
                assert_nothing_is_missed(&bench);
            }
        }
        assert_nothing_is_missed(&bench);
    }
}

/// Rows of each group of the committer, of which the first `on_disk` can be seen and `noted` are noted.
#[derive(Default)]
struct Writer {
    groups: Vec<u64>,
    on_disk: usize,
    noted: usize,
}

#[test]
fn no_row_is_missed_that_is_written_while_a_search_lasts() {
    for seed in 0..400 {
        let mut random = SmallRng::seed_from_u64(seed);
        let bound = LowerBound::default();
        let mut writer = Writer::default();
        let mut rows: BTreeMap<u64, usize> = BTreeMap::new();
        for _ in 0..200 {
            step(&mut random, &mut writer, &mut rows, &bound);
            if random.random_range(0..3) == 0 {
                let searched = bound.search(|lower| {
                    let seen = rows.range(lower.0..).next().map(|(at, _)| *at);
                    if writer.noted == writer.on_disk {
                        assert_eq!(seen, rows.keys().next().copied(), "seed {seed}");
                    }
                    for _ in 0..random.random_range(0..4) {
                        step(&mut random, &mut writer, &mut rows, &bound);
                    }
                    Ok::<_, StoreError>(((), UnixMillis(seen.unwrap_or(u64::MAX))))
                });
                assert_eq!(searched, Ok(()));
            }
        }
    }
}

/// A group is written, noted, or the first row removed.
fn step(
    random: &mut SmallRng,
    writer: &mut Writer,
    rows: &mut BTreeMap<u64, usize>,
    bound: &LowerBound,
) {
    match random.random_range(0..3) {
        0 if writer.noted == writer.on_disk => {
            let at = random.random_range(0..1_000);
            writer.groups.push(at);
            writer.on_disk += 1;
            *rows.entry(at).or_default() += 1;
        }
        0 | 1 if writer.noted < writer.on_disk => {
            bound.note(UnixMillis(writer.groups[writer.noted]));
            writer.noted += 1;
        }
        _ => drop(rows.pop_first()),
    }
}

#[tokio::test]
async fn the_bounds_pass_the_legs_that_are_settled() {
    let bench = Bench::<OnDisk>::new();
    bench.accept_job(job("a", &["b", "c", "d"])).await;
    let legs = bench.legs().await;
    assert_eq!(legs.len(), 3);
    let shared = &bench.store().shared;
    let claimed_at = shared.times.read().steady;
    let lease_end = claimed_at.after(MINUTE);
    bench.clock.advance(Duration::from_millis(1));
    assert!(bench.legs().await.is_empty());
    let bounds = || shared.fan_out.dues.lower_bounds(JobClass::Pager);
    let now = shared.times.read().steady;
    assert_eq!(bounds(), (UnixMillis(now.0 + 1), lease_end));
    for leg in &legs {
        bench.outcome(leg.token, answered(200)).await;
    }
    assert_eq!(
        bounds(),
        (UnixMillis(now.0 + 1), lease_end),
        "what was settled is not behind the bound again"
    );
    assert!(bench.legs().await.is_empty());
    assert_eq!(bounds().1, UnixMillis(u64::MAX), "nothing lies ahead");
    // A leg that is woken is due at once; the other bound stays.
    bench.accept_job(job("a", &["b"])).await;
    bench.accept_job(job("e", &["b"])).await;
    let legs = bench.legs().await;
    assert_eq!(legs.len(), 1, "the other one waits for it");
    bench.clock.advance(Duration::from_millis(5));
    assert!(bench.legs().await.is_empty());
    let ahead = bounds().1;
    bench.outcome(legs[0].token, answered(200)).await;
    let now = shared.times.read().steady;
    assert_eq!(bounds(), (now, ahead));
    assert_eq!(bench.legs().await.len(), 1);
}

#[test]
fn the_earliest_rows_are_kept_by_class() {
    let [now, early, late] = [10, 9, 70].map(UnixMillis);
    let mut earliest = EarliestDues::default();
    earliest.add(JobClass::Pager, late, now);
    let mut group = EarliestDues::default();
    group.merge(earliest);
    let mut other = EarliestDues::default();
    other.add(JobClass::Pager, early, now);
    group.merge(other);
    let dues = crate::rocks::leg_dues::LegDues::default();
    for class in JobClass::ALL {
        dues.end_both(class, UnixMillis(100));
    }
    dues.note(group);
    assert_eq!(dues.lower_bounds(JobClass::Pager), (early, late));
    let untouched = UnixMillis(100);
    assert_eq!(dues.lower_bounds(JobClass::Large), (untouched, untouched));
}
