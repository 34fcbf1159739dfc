//! Reassembly against a model, and hostile ranges.

use proptest::prelude::*;

use crate::{
    ByteRange, Collector, Continuation, MAX_GAPS, Progress, RangeSet, Reassembly, Refusal,
};

fn begin(reassembly: &mut Reassembly, range: &str) -> Result<(), Refusal> {
    reassembly.begin_chunk(&range.parse().expect("a range of the tests"))
}

fn chunk(
    reassembly: &mut Reassembly,
    range: &str,
    octets: u64,
    flag: Continuation,
) -> Result<Progress, Refusal> {
    begin(reassembly, range)?;
    reassembly.place(octets)?;
    reassembly.end_chunk(flag)
}

#[test]
fn hostile_ranges_are_refused_before_any_octet() {
    for range in [
        "1-*/1152921504606846976",
        "1099511627776-*/*",
        "5-5/3",
        "1-4001/4000",
        "1-99999999999999999999999/*",
        "99999999999999999999999-*/*",
    ] {
        let mut reassembly = Reassembly::new(1 << 20);
        let refusal = begin(&mut reassembly, range).expect_err(range);
        assert_eq!(refusal.code(), 413, "{range}");
    }
}

#[test]
fn gap_number_1025_is_one_too_many() {
    let mut reassembly = Reassembly::new(u64::MAX);
    for gap in 1..=MAX_GAPS {
        let range = format!("{}-*/*", 2 * gap);
        assert_eq!(
            chunk(&mut reassembly, &range, 1, Continuation::More),
            Ok(Progress::Partial)
        );
        assert_eq!(reassembly.gaps(), gap);
    }
    let range = format!("{}-*/*", 2 * (MAX_GAPS + 1));
    let refused = chunk(&mut reassembly, &range, 1, Continuation::More);
    assert_eq!(refused, Err(Refusal::TooManyGaps));
}

#[test]
fn length_comes_from_the_end_flag_where_the_total_is_open() {
    let mut reassembly = Reassembly::new(10_000);
    let first = chunk(&mut reassembly, "1-*/*", 2048, Continuation::More);
    assert_eq!(first, Ok(Progress::Partial));
    let last = chunk(&mut reassembly, "2049-*/*", 952, Continuation::Complete);
    assert_eq!(last, Ok(Progress::Complete { total: 3000 }));
}

#[test]
fn the_chunk_that_fills_the_last_gap_completes() {
    let mut reassembly = Reassembly::new(10_000);
    let last = chunk(
        &mut reassembly,
        "2049-3000/3000",
        952,
        Continuation::Complete,
    );
    assert_eq!(last, Ok(Progress::Partial));
    let first = chunk(&mut reassembly, "1-2048/3000", 2048, Continuation::More);
    assert_eq!(first, Ok(Progress::Complete { total: 3000 }));
}

#[test]
fn every_octet_without_an_end_flag_is_not_complete() {
    let mut reassembly = Reassembly::new(10);
    assert_eq!(
        chunk(&mut reassembly, "1-5/5", 5, Continuation::More),
        Ok(Progress::Partial)
    );
    let end = chunk(&mut reassembly, "6-5/5", 0, Continuation::Complete);
    assert_eq!(end, Ok(Progress::Complete { total: 5 }));
}

#[test]
fn contradictions_and_overruns_are_refused() {
    let mut announced = Reassembly::new(10_000);
    assert_eq!(
        chunk(&mut announced, "1-*/3000", 4000, Continuation::Complete),
        Err(Refusal::BeyondTotal)
    );
    let mut short = Reassembly::new(10_000);
    let refused = chunk(&mut short, "1-*/3000", 2000, Continuation::Complete);
    assert_eq!(refused, Err(Refusal::Contradiction));
    let mut changed = Reassembly::new(10_000);
    assert!(chunk(&mut changed, "1-5/10", 5, Continuation::More).is_ok());
    assert_eq!(begin(&mut changed, "6-10/11"), Err(Refusal::Contradiction));
    let mut shrunk = Reassembly::new(10_000);
    assert!(chunk(&mut shrunk, "11-15/*", 5, Continuation::More).is_ok());
    assert_eq!(begin(&mut shrunk, "1-5/12"), Err(Refusal::BeyondTotal));
    let mut large = Reassembly::new(10);
    assert_eq!(
        chunk(&mut large, "1-*/*", 11, Continuation::More),
        Err(Refusal::TooLarge)
    );
}

#[test]
fn abort_ends_the_message() {
    let mut reassembly = Reassembly::new(10);
    assert_eq!(
        chunk(&mut reassembly, "1-*/*", 5, Continuation::Aborted),
        Ok(Progress::Aborted)
    );
}

#[test]
fn collector_survives_a_message_that_arrives_backwards_octet_by_octet() {
    let body: Vec<u8> = (0_u32..5000).map(|at| at.to_le_bytes()[0]).collect();
    let mut collector = Collector::default();
    for (at, octet) in body.iter().enumerate().rev() {
        collector.put(at as u64, &[*octet]);
    }
    assert_eq!(collector.finish(5000), body);
}

/// Pieces of a message: where, how many octets, and what to fill them with.
fn pieces() -> impl Strategy<Value = (u64, Vec<(u64, u64, u8)>)> {
    (1_u64..400).prop_flat_map(|total| {
        let piece = (0..total, 0_u64..80, any::<u8>())
            .prop_map(move |(start, length, fill)| (start, length.min(total - start), fill));
        (Just(total), proptest::collection::vec(piece, 0..60))
    })
}

proptest! {
    #[test]
    fn octets_lie_where_the_model_has_them((total, pieces) in pieces()) {
        let mut model: Vec<Option<u8>> = vec![None; usize::try_from(total).unwrap()];
        let mut reassembly = Reassembly::new(total);
        let mut collector = Collector::default();
        for (start, length, fill) in pieces {
            let range = ByteRange { start: start + 1, end: None, total: Some(total) };
            reassembly.begin_chunk(&range).unwrap();
            let offset = reassembly.place(length).unwrap();
            prop_assert_eq!(offset, start);
            let octets = vec![fill; usize::try_from(length).unwrap()];
            collector.put(offset, &octets);
            let at = usize::try_from(start).unwrap();
            model[at..at + octets.len()].fill(Some(fill));
            let flag = if start + length == total { Continuation::Complete } else { Continuation::More };
            let progress = reassembly.end_chunk(flag).unwrap();
            if let Progress::Complete { total: length } = progress {
                prop_assert_eq!(length, total);
                prop_assert!(model.iter().all(Option::is_some));
            }
        }
        let body: Option<Vec<u8>> = model.into_iter().collect();
        if let Some(body) = body {
            prop_assert_eq!(collector.finish(total), body);
        }
    }

    #[test]
    fn range_set_agrees_with_a_bit_per_position(ranges in proptest::collection::vec((0_u64..100, 0_u64..30), 0..40)) {
        let mut set = RangeSet::default();
        let mut model = [false; 130];
        for (start, length) in ranges {
            set.insert(start..start + length);
            let (from, to) = (usize::try_from(start).unwrap(), usize::try_from(start + length).unwrap());
            model[from..to].fill(true);
        }
        let end = model.iter().rposition(|held| *held).map_or(0, |at| at + 1);
        let gaps = model[..end].chunk_by(|a, b| a == b).filter(|run| !run[0]).count();
        let intervals = model[..end].chunk_by(|a, b| a == b).filter(|run| run[0]).count();
        prop_assert_eq!(set.end(), end as u64);
        prop_assert_eq!(set.gaps(), gaps);
        prop_assert_eq!(set.intervals(), intervals);
        for total in 0..130 {
            prop_assert_eq!(set.covers(total as u64), model[..total].iter().all(|held| *held));
        }
    }
}
