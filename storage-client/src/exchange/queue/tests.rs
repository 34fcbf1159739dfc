//! The resend queue: order, window, deadlines.

use std::time::Duration;

use proptest::prelude::*;
use prost::Message;
use proto::v1;
use proto::v1::ExchangeEntry;
use proto::v1::exchange_entry::Request;

use super::super::lane::Encoded;
use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn deposit(waiter: u32, deadline: Instant) -> Entry<u32> {
    Entry {
        request: Encoded::new(Request::Deposit(v1::Deposit::default())),
        deadline,
        waiter,
    }
}

/// What the storage service will read.
fn batch(queue: &mut Queue<u32>, now: Instant) -> Vec<ExchangeEntry> {
    let entries = queue.next_batch(now).into_iter();
    entries
        .map(|octets| ExchangeEntry::decode(octets).expect("an entry"))
        .collect()
}

fn correlations(batch: &[ExchangeEntry]) -> Vec<u64> {
    batch.iter().map(|entry| entry.correlation).collect()
}

fn remaining(entry: &ExchangeEntry) -> Duration {
    match entry.request.as_ref() {
        Some(Request::Deposit(deposit)) => {
            Duration::try_from(deposit.remaining.expect("written when sent")).expect("positive")
        }
        other => panic!("not a deposit: {other:?}"),
    }
}

#[test]
fn a_full_window_refuses_until_an_answer_comes() {
    let now = Instant::now();
    let mut queue = Queue::new(2);
    assert_eq!(queue.submit(deposit(1, now + SECOND)), Ok(()));
    let batch = batch(&mut queue, now);
    assert_eq!(queue.submit(deposit(2, now + SECOND)), Ok(()));
    assert_eq!(queue.submit(deposit(3, now + SECOND)), Err(3));
    assert_eq!(queue.answered(batch[0].correlation), Some(1));
    assert_eq!(queue.submit(deposit(3, now + SECOND)), Ok(()));
}

#[test]
fn an_expired_entry_that_was_sent_still_occupies_the_window() {
    let now = Instant::now();
    let mut queue = Queue::new(1);
    queue.submit(deposit(1, now + SECOND)).expect("empty");
    let batch = batch(&mut queue, now);
    let expired = queue.expire_next(now + SECOND).expect("its time is over");
    assert!(expired.was_sent);
    assert_eq!(queue.submit(deposit(2, now + SECOND)), Err(2));
    assert_eq!(queue.answered(batch[0].correlation), None);
    assert_eq!(queue.submit(deposit(2, now + SECOND)), Ok(()));
}

#[test]
fn after_a_break_unanswered_entries_go_first_in_their_old_order() {
    let now = Instant::now();
    let mut queue = Queue::new(16);
    for waiter in 0..4 {
        queue.submit(deposit(waiter, now + SECOND)).expect("room");
    }
    let sent = correlations(&batch(&mut queue, now));
    queue.answered(sent[1]);
    queue.submit(deposit(9, now + SECOND)).expect("room");
    queue.broken();
    let again = correlations(&batch(&mut queue, now));
    assert_eq!(again, vec![sent[0], sent[2], sent[3], sent[3] + 1]);
}

#[test]
fn remaining_time_shrinks_between_sending_and_sending_again() {
    let now = Instant::now();
    let mut queue = Queue::new(16);
    queue.submit(deposit(0, now + 3 * SECOND)).expect("room");
    assert_eq!(remaining(&batch(&mut queue, now)[0]), 3 * SECOND);
    queue.broken();
    assert_eq!(remaining(&batch(&mut queue, now + SECOND)[0]), 2 * SECOND);
}

#[test]
fn an_entry_put_together_of_pieces_reads_as_one() {
    let now = Instant::now();
    let mut queue = Queue::new(16);
    let message = v1::Deposit {
        served_user: "sip:bob@example.org".to_owned(),
        body_octets: 7,
        ..v1::Deposit::default()
    };
    let mut entry = deposit(0, now + SECOND);
    entry.request = Encoded::new(Request::Deposit(message.clone()));
    queue.submit(entry).expect("room");
    let expected = ExchangeEntry {
        correlation: 1,
        request: Some(Request::Deposit(v1::Deposit {
            remaining: Some(prost_types::Duration {
                seconds: 1,
                nanos: 0,
            }),
            ..message
        })),
    };
    assert_eq!(batch(&mut queue, now), [expected]);
}

#[test]
fn an_entry_larger_than_a_batch_goes_alone() {
    let now = Instant::now();
    let mut queue = Queue::new(16);
    for octets in [BATCH_OCTETS + 1, 10, 10] {
        let mut entry = deposit(0, now + SECOND);
        entry.request = Encoded::new(Request::Deposit(v1::Deposit {
            received_from: "x".repeat(octets),
            ..v1::Deposit::default()
        }));
        queue.submit(entry).expect("room");
    }
    assert_eq!(queue.next_batch(now).len(), 1);
    assert_eq!(queue.next_batch(now).len(), 2);
}

/// What can happen to a queue.
#[derive(Clone, Debug)]
enum Step {
    Submit { acknowledge: bool },
    Batch,
    Answer(usize),
    Break,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<bool>().prop_map(|acknowledge| Step::Submit { acknowledge }),
        3 => Just(Step::Batch),
        3 => (0_usize..8).prop_map(Step::Answer),
        1 => Just(Step::Break),
        1 => (0_u64..400).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Each entry ends exactly once; none is sent after its time; one stream never carries it twice
    /// nor more than the window.
    #[test]
    fn every_entry_ends_exactly_once(steps in prop::collection::vec(step(), 0..200)) {
        let window = 8;
        let start = Instant::now();
        let (mut now, mut submitted, mut ended) = (start, 0_u32, Vec::new());
        let mut queue = Queue::new(window);
        let mut on_stream: Vec<u64> = Vec::new();
        for step in steps {
            match step {
                Step::Submit { acknowledge } => {
                    let mut entry = deposit(submitted, now + SECOND);
                    if acknowledge {
                        let request = Request::Acknowledge(v1::Acknowledge::default());
                        entry.request = Encoded::new(request);
                        entry.deadline = now + 10 * SECOND;
                    }
                    if queue.submit(entry).is_ok() {
                        submitted += 1;
                    }
                }
                Step::Batch => {
                    while let Some(expired) = queue.expire_next(now) {
                        ended.push(expired.waiter);
                    }
                    for entry in batch(&mut queue, now) {
                        prop_assert!(!on_stream.contains(&entry.correlation));
                        if let Some(Request::Deposit(_)) = entry.request {
                            prop_assert!(remaining(&entry) > Duration::ZERO);
                        }
                        on_stream.push(entry.correlation);
                    }
                    prop_assert!(on_stream.len() <= window);
                }
                Step::Answer(which) if which < on_stream.len() => {
                    ended.extend(queue.answered(on_stream.remove(which)));
                }
                Step::Answer(_) => {}
                Step::Break => {
                    queue.broken();
                    on_stream.clear();
                }
                Step::Pass(millis) => now += Duration::from_millis(millis),
            }
        }
        while let Some(expired) = queue.expire_next(now + 100 * SECOND) {
            ended.push(expired.waiter);
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, (0..submitted).collect::<Vec<_>>());
        prop_assert_eq!(queue.next_deadline(), None);
    }
}
