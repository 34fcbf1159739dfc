//! Histories of one subscription, drawn at random, against the rules of RFC 6665 and MWI-07.

use std::str::FromStr;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Change,
    Refresh(u64),
    Answer(u16),
    NoAnswer,
    NotSent,
    End,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u64..3_000).prop_map(Step::Wait),
        4 => Just(Step::Change),
        1 => (1u64..100).prop_map(Step::Refresh),
        4 => prop_oneof![6 => Just(200u16), 1 => Just(481), 1 => Just(503)].prop_map(Step::Answer),
        1 => Just(Step::NoAnswer),
        1 => Just(Step::NotSent),
        1 => Just(Step::End),
    ]
}

fn polled(notifier: &mut Notifier, now: Instant) -> Option<Due> {
    match notifier.poll(now) {
        Polled::Send(due) => Some(due),
        Polled::Idle(_) | Polled::EpochSpent => None,
    }
}

proptest! {
    #[test]
    fn every_history_keeps_the_rules(steps in proptest::collection::vec(step(), 0..60)) {
        let mut now = Instant::now();
        let mut notifier = Notifier::new(3, now, now + 60 * SECOND, SECOND);
        let first = polled(&mut notifier, now).expect("the state is owed at once");
        prop_assert_eq!(first.cseq, 3 * 65_536 + 1);
        prop_assert!(first.is_owed);
        let (mut last, mut last_at, mut over) = (first.cseq, now, false);
        for step in steps {
            let mut owed = false;
            match step {
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Change => notifier.changed(),
                Step::Refresh(seconds) => {
                    notifier.refreshed(now + Duration::from_secs(seconds));
                    owed = true;
                }
                Step::Answer(code) => {
                    let status = StatusCode::new(code).expect("a status");
                    over |= notifier.handle_outcome(last, Outcome::Status(status), now) == Verdict::Over;
                }
                Step::NoAnswer => over |= notifier.handle_outcome(last, Outcome::NoAnswer, now) == Verdict::Over,
                Step::NotSent => over |= notifier.handle_outcome(last, Outcome::NotSent, now) == Verdict::Over,
                Step::End => {
                    notifier.end(EndReason::Deactivated);
                    owed = true;
                }
            }
            let found = polled(&mut notifier, now);
            prop_assert!(found.is_none() || !over, "nothing after the end");
            prop_assert!(found.is_some() || over || !owed, "what is owed comes at once");
            if let Some(due) = found {
                prop_assert_eq!(due.cseq, last + 1, "numbers follow each other");
                prop_assert!(due.is_owed || now - last_at >= SECOND, "at most one per second");
                over |= matches!(due.state, SubscriptionState::Terminated(_));
                (last, last_at) = (due.cseq, now);
                prop_assert_eq!(polled(&mut notifier, now), None, "one at a time");
            }
        }
    }

    #[test]
    fn states_round_trip(seconds in 0u64..100_000, ended in 0usize..4) {
        let reasons = [EndReason::Timeout, EndReason::Deactivated, EndReason::NoResource];
        let state = reasons.get(ended).map_or(
            SubscriptionState::Active(Duration::from_secs(seconds)),
            |reason| SubscriptionState::Terminated(*reason),
        );
        prop_assert_eq!(SubscriptionState::from_str(&state.to_string()), Ok(state));
    }

    #[test]
    fn the_pace_is_kept(per_second in 1u32..5_000, waits in proptest::collection::vec(0u64..400, 1..50)) {
        let start = Instant::now();
        let mut pace = Pace::new(per_second, start);
        let (mut now, mut taken) = (start, 0u64);
        for wait in waits {
            now += Duration::from_millis(wait);
            taken += u64::from(pace.take(u32::MAX, now));
            prop_assert!(pace.next_token() > now, "all were taken");
        }
        let allowed = (now - start).as_secs_f64() * f64::from(per_second) + f64::from(burst_of(per_second));
        prop_assert!(taken as f64 <= allowed * 1.001 + 1.0, "{taken} > {allowed}");
    }
}

fn burst_of(per_second: u32) -> u32 {
    (per_second / 10).max(1)
}

#[test]
fn mwi_07_changes_within_a_second_are_one_notify() {
    let now = Instant::now();
    let mut notifier = Notifier::new(1, now, now + 60 * SECOND, SECOND);
    let first = polled(&mut notifier, now).expect("the first");
    notifier.handle_outcome(first.cseq, Outcome::Status(StatusCode::OK), now);
    for _ in 0..5 {
        notifier.changed();
        assert_eq!(notifier.poll(now), Polled::Idle(Some(now + SECOND)));
    }
    let second = polled(&mut notifier, now + SECOND).expect("the second");
    assert!(!second.is_owed);
    assert_eq!(second.state, SubscriptionState::Active(59 * SECOND));
}

#[test]
fn a_lapsed_subscription_ends_with_timeout() {
    let now = Instant::now();
    let mut notifier = Notifier::new(1, now, now + SECOND, SECOND);
    polled(&mut notifier, now).expect("the first");
    let last = polled(&mut notifier, now + SECOND).expect("the last");
    assert_eq!(last.state.to_string(), "terminated;reason=timeout");
    assert_eq!(notifier.poll(now + 9 * SECOND), Polled::Idle(None));
}

#[test]
fn mwi_10_a_spent_epoch_asks_for_another() {
    let now = Instant::now();
    let mut notifier = Notifier::new(1, now, now + 60 * SECOND, SECOND);
    for _ in 0..65_535 {
        notifier.refreshed(now + 60 * SECOND);
        polled(&mut notifier, now).expect("it is owed");
    }
    notifier.refreshed(now + 60 * SECOND);
    assert_eq!(notifier.poll(now), Polled::EpochSpent);
    notifier.renumbered(2);
    let due = polled(&mut notifier, now).expect("it is still owed");
    assert_eq!(due.cseq, 2 * 65_536 + 1);
}

#[test]
fn an_older_answer_says_nothing_about_a_newer_target() {
    let now = Instant::now();
    let mut notifier = Notifier::new(1, now, now + 60 * SECOND, SECOND);
    let old = polled(&mut notifier, now).expect("the first");
    notifier.refreshed(now + 60 * SECOND);
    polled(&mut notifier, now).expect("the second, to the new target");
    let verdict = notifier.handle_outcome(old.cseq, Outcome::NoAnswer, now);
    assert_eq!(verdict, Verdict::Goes);
}

#[test]
fn mwi_07_a_proxy_that_gave_up_waiting_ends_it_like_silence() {
    for (status, verdict) in [
        (408, Verdict::Over),
        (502, Verdict::Over),
        (503, Verdict::Goes),
    ] {
        let now = Instant::now();
        let mut notifier = Notifier::new(1, now, now + 60 * SECOND, SECOND);
        let due = polled(&mut notifier, now).expect("the first");
        let status = StatusCode::new(status).expect("a status");
        let found = notifier.handle_outcome(due.cseq, Outcome::Status(status), now);
        assert_eq!(found, verdict, "{status:?}");
    }
}
