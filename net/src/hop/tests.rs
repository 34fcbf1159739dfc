//! The life of a hop as a table, and random histories of many hops.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use sip::{RequestBuilder, Response, ResponseBuilder, StatusCode};

use super::state::{Event, State};
use super::*;
use crate::sip::TransactionFailure;

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> HopPolicy {
    HopPolicy {
        down_after: 3,
        first_pause: 2 * SECOND,
        longest_pause: 10 * SECOND,
        probe_timeout: 4 * SECOND,
        longest_retry_after: 60 * SECOND,
        max_hops: 8,
    }
}

fn health() -> (HopHealth<u8>, Instant) {
    (HopHealth::new(policy()), Instant::now())
}

fn busy(seconds: u32) -> Outcome<'static> {
    let retry_after = seconds * SECOND;
    Outcome::Busy { retry_after }
}

fn timed_out(target: &str) -> Outcome<'_> {
    Outcome::TimedOut { target }
}

fn down(until: Instant) -> Admission {
    Admission::Down { until }
}

#[test]
fn every_state_has_a_step_for_every_event() {
    let now = Instant::now();
    let policy = policy();
    let up = |silent: &[u64]| State::Up {
        silent: silent.to_vec(),
    };
    let paused = |seconds: u32, pauses| State::Paused {
        until: now + seconds * SECOND,
        pauses,
    };
    let probing = |pauses| State::Probing {
        until: now + SECOND,
        pauses,
    };
    let table = [
        (up(&[]), Event::Answered, up(&[])),
        (up(&[]), Event::TimedOut(1), up(&[1])),
        (up(&[]), Event::Unreachable, paused(2, 1)),
        (up(&[1, 2]), Event::Answered, up(&[])),
        (up(&[1, 2]), Event::TimedOut(1), up(&[1, 2])),
        (up(&[1, 2]), Event::TimedOut(3), paused(2, 1)),
        (up(&[1, 2]), Event::Unreachable, paused(2, 1)),
        (paused(1, 1), Event::Answered, up(&[])),
        (paused(1, 1), Event::TimedOut(1), paused(1, 1)),
        (paused(1, 1), Event::Unreachable, paused(1, 1)),
        (probing(1), Event::Answered, up(&[])),
        (probing(1), Event::TimedOut(1), probing(1)),
        (probing(1), Event::Unreachable, paused(4, 2)),
        (probing(2), Event::Unreachable, paused(8, 3)),
        (probing(3), Event::Unreachable, paused(10, 4)),
        (probing(u32::MAX), Event::Unreachable, paused(10, u32::MAX)),
    ];
    for (state, event, expected) in table {
        let shown = format!("{state:?} {event:?}");
        assert_eq!(state.after(now, event, &policy), expected, "{shown}");
    }
}

#[test]
fn a_503_closes_the_hop_for_the_time_it_names() {
    let (mut health, now) = health();
    health.report(now, &1, busy(20));
    let until = now + 20 * SECOND;
    assert_eq!(health.admission(now, &1), Admission::Busy { until });
    assert_eq!(health.admission(now, &2), Admission::Open);
    // A response to an earlier request, and a shorter time, change nothing.
    health.report(now + SECOND, &1, Outcome::Answered);
    health.report(now + SECOND, &1, busy(5));
    let last = until - Duration::from_millis(1);
    assert_eq!(health.admission(last, &1), Admission::Busy { until });
    assert_eq!(health.next_timeout(), Some(until));
    assert_eq!(health.admission(until, &1), Admission::Open);
    assert_eq!(health.poll_probe(until), None);
    assert!(health.is_empty());
}

#[test]
fn a_retry_after_beyond_the_limit_is_cut() {
    let (mut health, now) = health();
    health.report(now, &1, busy(u32::MAX));
    let until = now + 60 * SECOND;
    assert_eq!(health.admission(now, &1), Admission::Busy { until });
}

#[test]
fn only_timeouts_of_several_targets_in_a_row_pause_a_hop() {
    let (mut health, now) = health();
    for _ in 0..10 {
        health.report(now, &1, timed_out("sip:gone@example.org"));
    }
    health.report(now, &1, timed_out("sip:b@example.org"));
    assert_eq!(health.admission(now, &1), Admission::Open);
    health.report(now, &1, Outcome::Answered);
    assert!(health.is_empty());
    for target in ["sip:a@example.org", "sip:b@example.org"] {
        health.report(now, &1, timed_out(target));
        assert_eq!(health.admission(now, &1), Admission::Open);
    }
    health.report(now, &1, timed_out("sip:c@example.org"));
    assert_eq!(health.admission(now, &1), down(now + 2 * SECOND));
}

#[test]
fn a_hop_that_is_down_is_probed_after_growing_pauses_until_it_answers() {
    let (mut health, mut now) = health();
    health.report(now, &1, Outcome::Unreachable);
    for pause in [2, 4, 8, 10, 10] {
        let due = now + pause * SECOND;
        assert_eq!(health.next_timeout(), Some(due));
        assert_eq!(health.poll_probe(due - Duration::from_millis(1)), None);
        assert_eq!(health.poll_probe(due), Some(1));
        assert_eq!(health.poll_probe(due), None);
        assert_eq!(health.admission(due, &1), down(due + 4 * SECOND));
        now = due + SECOND;
        health.report(now, &1, Outcome::Unreachable);
    }
    health.report(now, &1, Outcome::Answered);
    assert_eq!(health.admission(now, &1), Admission::Open);
    health.report(now, &1, Outcome::Unreachable);
    assert_eq!(health.admission(now, &1), down(now + 2 * SECOND));
}

#[test]
fn a_probe_that_nobody_reports_has_failed() {
    let (mut health, now) = health();
    health.report(now, &1, Outcome::Unreachable);
    let probed = now + 2 * SECOND;
    assert_eq!(health.poll_probe(probed), Some(1));
    let lost = probed + 4 * SECOND;
    assert_eq!(health.poll_probe(lost), None);
    assert_eq!(health.admission(lost, &1), down(lost + 4 * SECOND));
}

#[test]
fn a_probe_answered_by_503_leaves_the_wait_it_asks_for() {
    let (mut health, now) = health();
    health.report(now, &1, Outcome::Unreachable);
    let probed = now + 2 * SECOND;
    assert_eq!(health.poll_probe(probed), Some(1));
    health.report(probed, &1, busy(7));
    let until = probed + 7 * SECOND;
    assert_eq!(health.admission(probed, &1), Admission::Busy { until });
    assert_eq!(health.admission(until, &1), Admission::Open);
}

#[test]
fn a_busy_hop_is_not_probed() {
    let (mut health, now) = health();
    health.report(now, &1, busy(20));
    health.report(now, &1, Outcome::Unreachable);
    assert_eq!(health.poll_probe(now + 3 * SECOND), None);
    let until = now + 20 * SECOND;
    assert_eq!(health.next_timeout(), Some(until));
    assert_eq!(health.poll_probe(until), Some(1));
}

#[test]
fn the_hop_that_would_be_open_first_makes_room() {
    let (mut health, now) = health();
    health.report(now, &0, timed_out("sip:a@example.org"));
    for hop in 1..=8 {
        health.report(now, &hop, busy(u32::from(hop)));
    }
    assert_eq!(health.len(), 8);
    health.report(now, &9, busy(9));
    assert_eq!(health.len(), 8);
    assert_eq!(health.admission(now, &1), Admission::Open);
    assert!(matches!(health.admission(now, &2), Admission::Busy { .. }));
}

fn response(status: StatusCode, retry_after: Option<&str>) -> Response {
    let request = RequestBuilder::new(sip::Method::Options, &"sip:core.example.org")
        .header(sip::Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1")
        .header(sip::Name::From, "<sip:edge.example.org>;tag=1")
        .header(sip::Name::To, "<sip:core.example.org>")
        .header(sip::Name::CallId, "a@b")
        .header(sip::Name::CSeq, "1 OPTIONS")
        .build();
    let builder = ResponseBuilder::reply_to(&request, status);
    match retry_after {
        Some(value) => builder.header(sip::Name::RetryAfter, value).build(),
        None => builder.build(),
    }
}

#[test]
fn only_a_503_that_names_a_time_says_that_the_hop_is_busy() {
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    for (response, outcome) in [
        (response(unavailable, Some("20")), busy(20)),
        (
            response(unavailable, Some("20;duration=5 (down)")),
            busy(20),
        ),
        (response(unavailable, None), Outcome::Answered),
        (response(unavailable, Some("soon")), Outcome::Answered),
        (
            response(StatusCode::BUSY_HERE, Some("20")),
            Outcome::Answered,
        ),
    ] {
        assert_eq!(Outcome::of_response(&response), outcome, "{response:?}");
    }
    let timeout = Outcome::of_failure(TransactionFailure::Timeout, "sip:a@example.org");
    assert_eq!(timeout, timed_out("sip:a@example.org"));
    let unreachable = Outcome::of_failure(TransactionFailure::Unreachable, "sip:a@example.org");
    assert_eq!(unreachable, Outcome::Unreachable);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u64),
    Poll,
    Report(u8, u8, u8),
}

fn a_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..30_000).prop_map(Step::Wait),
        Just(Step::Poll),
        (0_u8..12, 0_u8..4, 0_u8..5).prop_map(|(hop, kind, value)| Step::Report(hop, kind, value)),
    ]
}

proptest! {
    #[test]
    fn any_history_stays_bounded_moves_on_and_recovers(steps in prop::collection::vec(a_step(), 0..80)) {
        let (mut health, mut now) = health();
        let mut asked_to_wait: HashMap<u8, Instant> = HashMap::new();
        for step in steps {
            match step {
                Step::Wait(millis) => now += Duration::from_millis(millis),
                Step::Poll => {
                    let mut probed = Vec::new();
                    while let Some(hop) = health.poll_probe(now) {
                        let admission = health.admission(now, &hop);
                        let is_probing = matches!(admission, Admission::Down { until } if until > now);
                        prop_assert!(is_probing, "{admission:?}");
                        prop_assert!(!probed.contains(&hop));
                        probed.push(hop);
                    }
                    prop_assert!(health.next_timeout().is_none_or(|at| at > now));
                }
                Step::Report(hop, kind, value) => {
                    let target = format!("sip:{value}@example.org");
                    let outcome = match kind {
                        0 => Outcome::Answered,
                        1 => timed_out(&target),
                        2 => Outcome::Unreachable,
                        _ => busy(u32::from(value)),
                    };
                    health.report(now, &hop, outcome);
                    if let Outcome::Busy { retry_after } = outcome {
                        let until = now + retry_after;
                        asked_to_wait.entry(hop).and_modify(|at| *at = until.max(*at)).or_insert(until);
                    }
                    if outcome == Outcome::Answered {
                        let is_down = matches!(health.admission(now, &hop), Admission::Down { .. });
                        prop_assert!(!is_down);
                    }
                    prop_assert!(health.len() <= policy().max_hops);
                }
            }
            for hop in 0..12 {
                if let Admission::Busy { until } = health.admission(now, &hop) {
                    prop_assert_eq!(asked_to_wait.get(&hop), Some(&until));
                }
            }
        }
        for hop in 0..12 {
            health.report(now, &hop, Outcome::Answered);
        }
        let later = now + policy().longest_retry_after;
        prop_assert_eq!(health.poll_probe(later), None);
        prop_assert!(health.is_empty());
        prop_assert_eq!(health.next_timeout(), None);
    }
}
