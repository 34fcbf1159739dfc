//! Jobs and legs (requirements §1.7): accepted once, claimed in turns, tried again, ended.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::{Bench, Engine, MINUTE, START, address};
use crate::config::{FanOutLimits, Retention, StoreConfig};
use crate::fan_out::FanOutStore;
use crate::model::{
    ClaimedLeg, CopyControl, DuplicateKey, Group, GroupChange, GroupOrder, Job, JobClass,
    JobNumber, JobOutcome, JobQuery, JobRefusal, JobRequest, JobState, Leg, LegOutcome, LegSettled,
    LegState, LegTemplate, LegToken, Owner, RosterEntry, UnixMillis,
};
use crate::store::{Store, StoreError};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn job(sender: &str, targets: &[&str]) -> JobRequest {
    let entry = |name: &&str| RosterEntry {
        target: address(name),
        copy_control: CopyControl::To,
        variation: Bytes::from(format!("for {name}")),
    };
    JobRequest {
        sender: address(sender),
        addressed_to: address("team"),
        to_group: true,
        class: JobClass::Pager,
        duplicate_key: DuplicateKey {
            method: "MESSAGE".to_owned(),
            from_tag: "tag".to_owned(),
            call_id: format!("call-{}", rand::random::<u64>()),
            cseq: 1,
        },
        content_hash: [7; 32],
        template: LegTemplate {
            head: Bytes::from_static(b"Subject: hi\r\n"),
            body: Bytes::from_static(b"hello and who else"),
            body_without_history: Some(Bytes::from_static(b"hello")),
            send_head: Bytes::new(),
        },
        roster: targets.iter().map(entry).collect(),
        lifetime: None,
        max_forwards: 68,
        report_request: None,
        received_from: "tcp 192.0.2.1:5060".to_owned(),
        deadline: Instant::now() + HOUR,
    }
}

pub(crate) fn owner(incarnation: u64) -> Owner {
    Owner {
        edge: "cf-1".to_owned(),
        incarnation,
    }
}

pub(crate) fn answered(status: u16) -> LegOutcome {
    LegOutcome::Answered {
        status,
        reason: format!("MESSAGE {status}"),
        retry_after: None,
    }
}

fn targets(legs: &[ClaimedLeg]) -> Vec<String> {
    let targets = legs.iter().map(|leg| leg.entry.target.to_string());
    let mut targets: Vec<_> = targets
        .map(|target| {
            let user = target.trim_start_matches("sip:");
            user.split('@').next().unwrap_or_default().to_owned()
        })
        .collect();
    targets.sort();
    targets
}

impl<E: Engine> Bench<E> {
    pub(crate) async fn accept_job(&self, request: JobRequest) -> JobNumber {
        match self.store().accept_job(request).await {
            Ok(JobOutcome::Accepted(receipt)) => receipt.into_inner().job,
            other => panic!("not accepted: {other:?}"),
        }
    }

    pub(crate) async fn legs(&self) -> Vec<ClaimedLeg> {
        self.some_legs(1_000).await
    }

    async fn some_legs(&self, limit: usize) -> Vec<ClaimedLeg> {
        let batch = self
            .store()
            .claim_legs(owner(1), JobClass::Pager, limit, MINUTE)
            .await;
        batch.expect("the store answers").legs
    }

    async fn one_leg(&self) -> ClaimedLeg {
        let mut legs = self.legs().await;
        assert_eq!(legs.len(), 1, "{legs:?}");
        legs.remove(0)
    }

    pub(crate) async fn outcome(&self, token: LegToken, outcome: LegOutcome) -> LegSettled {
        let settled = self.store().settle_legs(vec![(token, outcome)]).await;
        settled.expect("the store answers").into_inner()[0]
    }

    async fn answer(&self, leg: &ClaimedLeg, status: u16) {
        let settled = self.outcome(leg.token, answered(status)).await;
        assert_eq!(settled, LegSettled::Settled);
    }

    pub(crate) async fn job(&self, number: JobNumber) -> Job {
        self.store().job(number).await.expect("it is there")
    }

    async fn legs_of(&self, number: JobNumber) -> Vec<Leg> {
        let legs = self.store().list_legs(number, 0, 20_000).await;
        legs.expect("it is there")
    }

    async fn states(&self, number: JobNumber) -> Vec<LegState> {
        let legs = self.legs_of(number).await;
        legs.into_iter().map(|leg| leg.state).collect()
    }

    async fn sweep_all(&self) {
        while self
            .store()
            .sweep(UnixMillis(u64::MAX), 100)
            .await
            .expect("the store answers")
            .more
        {}
    }
}

pub(crate) async fn an_accepted_job_is_there_after_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    let request = job("alice", &["bob", "carol"]);
    let number = bench.accept_job(request.clone()).await;
    let bench = bench.reopen().await;
    let stored = bench
        .store()
        .job_template(number)
        .await
        .expect("it is there");
    assert_eq!(stored.template, request.template);
    assert_eq!(stored.job.sender, request.sender);
    assert_eq!(stored.job.addressed_to, request.addressed_to);
    assert_eq!(stored.job.max_forwards, 68);
    assert_eq!(stored.job.state, JobState::Running);
    assert_eq!(stored.job.counts.total, 2);
    let legs = bench.legs().await;
    let entries: Vec<_> = legs.into_iter().map(|leg| leg.entry).collect();
    assert_eq!(entries, request.roster);
}

pub(crate) async fn a_retry_gets_the_first_receipt_of_its_job<E: Engine>() {
    let bench = Bench::<E>::new();
    let request = job("alice", &["bob"]);
    let number = bench.accept_job(request.clone()).await;
    let bench = bench.reopen().await;
    // The edge makes boundary and tags anew: they are not what makes it the same.
    let retry = JobRequest {
        template: LegTemplate::default(),
        ..request.clone()
    };
    match bench.store().accept_job(retry).await {
        Ok(JobOutcome::Duplicate(receipt)) => {
            assert_eq!(receipt.into_inner().job, number);
        }
        other => panic!("not a duplicate: {other:?}"),
    }
    let other = JobRequest {
        content_hash: [8; 32],
        ..request
    };
    assert_ne!(bench.accept_job(other).await, number);
}

/// STO-08: the numbers of jobs, and the versions of groups, are counted apart.
pub(crate) async fn jobs_and_groups_leave_no_gap_in_message_ids<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.mail("bob").await.0;
    let job_before = bench.accept_job(job("alice", &["bob", "carol"])).await;
    let created = GroupChange::Create(team());
    let order = GroupOrder {
        change: created,
        expected_version: None,
        editor: None,
        document: None,
    };
    let group = bench.store().change_group(order).await;
    let version = group
        .expect("the store answers")
        .expect("it is new")
        .version;
    assert_eq!(bench.mail("carol").await.0, first + 1);
    let bench = bench.reopen().await;
    let job_after = bench.accept_job(job("alice", &["dave"])).await;
    assert!(job_before.0 < version && version < job_after.0);
    assert_eq!(bench.mail("bob").await.0, first + 2);
}

fn team() -> Group {
    Group {
        uri: address("team"),
        display_name: String::new(),
        owner: None,
        allow_anonymity: false,
        non_members_may_send: false,
        disclose_members: false,
        members: Vec::new(),
        document: None,
        version: 0,
    }
}

pub(crate) async fn a_late_job_is_not_accepted<E: Engine>() {
    let bench = Bench::<E>::new();
    let late = JobRequest {
        deadline: Instant::now() - MINUTE,
        ..job("alice", &["bob"])
    };
    let late = bench.store().accept_job(late).await;
    assert!(matches!(late, Ok(JobOutcome::Refused(JobRefusal::TooLate))));
    assert_eq!(bench.legs().await, []);
}

pub(crate) async fn a_sender_has_a_rate_of_recipients<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        fan_out: FanOutLimits {
            sender_rate: 10,
            ..FanOutLimits::default()
        },
        ..StoreConfig::default()
    });
    let eight = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let first = job("alice", &eight);
    bench.accept_job(first.clone()).await;
    bench.accept_job(job("alice", &eight)).await;
    let third = bench.store().accept_job(job("alice", &eight)).await;
    let Ok(JobOutcome::Refused(JobRefusal::SenderRate { retry_after })) = third else {
        panic!("not refused: {third:?}");
    };
    assert!(retry_after > Duration::from_secs(30) && retry_after < MINUTE);
    bench.accept_job(job("bob", &eight)).await;
    let retry = bench.store().accept_job(first).await;
    assert!(matches!(retry, Ok(JobOutcome::Duplicate(_))));
    bench.clock.advance(retry_after);
    let later = JobRequest {
        deadline: Instant::now() + 2 * HOUR,
        ..job("alice", &eight)
    };
    bench.accept_job(later).await;
}

pub(crate) async fn a_sender_has_only_so_many_jobs<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        fan_out: FanOutLimits {
            sender_jobs: 2,
            ..FanOutLimits::default()
        },
        ..StoreConfig::default()
    });
    bench.accept_job(job("alice", &["bob"])).await;
    bench.accept_job(job("alice", &["carol"])).await;
    let third = bench.store().accept_job(job("alice", &["dave"])).await;
    let is_refused = matches!(
        third,
        Ok(JobOutcome::Refused(JobRefusal::SenderJobs { .. }))
    );
    assert!(is_refused, "{third:?}");
    let legs = bench.legs().await;
    bench.answer(&legs[0], 200).await;
    bench.accept_job(job("alice", &["dave"])).await;
}

pub(crate) async fn a_job_completes_with_its_last_leg<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept_job(job("alice", &["bob", "carol"])).await;
    let legs = bench.legs().await;
    assert_eq!(targets(&legs), ["bob", "carol"]);
    assert_eq!(bench.legs().await, []);
    bench.answer(&legs[0], 202).await;
    assert_eq!(bench.job(number).await.state, JobState::Running);
    bench.answer(&legs[1], 404).await;
    let done = bench.job(number).await;
    assert_eq!(done.state, JobState::Completed);
    assert_eq!(done.ended_at, Some(START));
    assert_eq!((done.counts.delivered, done.counts.failed), (1, 1));
    assert_eq!(done.counts.pending(), 0);
    let seen = bench.legs_of(number).await;
    assert_eq!(seen[0].state, LegState::Delivered);
    assert_eq!((seen[1].state, seen[1].status), (LegState::Failed, 404));
    assert_eq!(seen[1].reason, "MESSAGE 404");
    assert_eq!(seen[1].edge, "cf-1");
    let template = bench.store().job_template(number).await;
    assert_eq!(
        template,
        Err(StoreError::NotFound),
        "content goes with the end"
    );
}

pub(crate) async fn a_leg_is_tried_again_until_it_succeeds<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept_job(job("alice", &["bob"])).await;
    for attempts in 0..3 {
        let leg = bench.one_leg().await;
        assert_eq!(leg.attempts, attempts);
        assert_eq!(leg.token.generation.0, u64::from(attempts) + 1);
        bench.answer(&leg, 500).await;
        assert_eq!(bench.legs().await, [], "not before its time");
        bench
            .clock
            .advance(Duration::from_secs(2 << attempts) * 5 / 4);
    }
    let bench = bench.reopen().await;
    let leg = bench.one_leg().await;
    assert_eq!(leg.attempts, 3);
    bench.answer(&leg, 200).await;
    assert_eq!(bench.job(number).await.state, JobState::Completed);
}

pub(crate) async fn the_next_try_is_announced<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.accept_job(job("alice", &["bob"])).await;
    let leg = bench.one_leg().await;
    bench.answer(&leg, 500).await;
    let batch = bench
        .store()
        .claim_legs(owner(1), JobClass::Pager, 10, MINUTE)
        .await;
    let again_in = batch.expect("the store answers").again_in;
    let again_in = again_in.expect("a leg waits");
    assert!(again_in >= Duration::from_secs(2) && again_in <= Duration::from_millis(2_500));
}

pub(crate) async fn a_hop_that_is_down_counts_no_try<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.accept_job(job("alice", &["bob"])).await;
    let leg = bench.one_leg().await;
    let down = LegOutcome::HopDown {
        reason: "connection refused".to_owned(),
        retry_after: Some(Duration::from_secs(30)),
    };
    assert_eq!(bench.outcome(leg.token, down).await, LegSettled::Settled);
    bench.clock.advance(Duration::from_secs(29));
    assert_eq!(bench.legs().await, []);
    bench.clock.advance(Duration::from_secs(1));
    assert_eq!(bench.one_leg().await.attempts, 0);
}

pub(crate) async fn one_leg_per_target_is_in_flight<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.accept_job(job("alice", &["bob", "carol"])).await;
    bench.accept_job(job("dave", &["bob", "erin"])).await;
    let legs = bench.legs().await;
    assert_eq!(targets(&legs), ["bob", "carol", "erin"]);
    let to_bob = |leg: &&ClaimedLeg| leg.entry.target == address("bob");
    let bob = legs.iter().find(to_bob).expect("it is there");
    assert_eq!(bench.legs().await, []);
    bench.answer(bob, 480).await;
    let other = bench.one_leg().await;
    assert_ne!(
        other.token.leg.job, bob.token.leg.job,
        "the other sender's turn"
    );
    assert_eq!(targets(&[other]), ["bob"]);
}

pub(crate) async fn legs_of_one_sender_to_one_target_keep_their_order<E: Engine>() {
    let bench = Bench::<E>::new();
    let first = bench.accept_job(job("alice", &["bob"])).await;
    let second = bench.accept_job(job("alice", &["bob", "carol"])).await;
    let legs = bench.legs().await;
    assert_eq!(targets(&legs), ["bob", "carol"]);
    let bob = legs.iter().find(|leg| leg.token.leg.job == first);
    let bob = bob.expect("the first job goes first").clone();
    bench.answer(&bob, 486).await;
    assert_eq!(bench.legs().await, [], "the second waits for the first");
    bench.clock.advance(Duration::from_secs(3));
    let again = bench.one_leg().await;
    assert_eq!(again.token.leg.job, first);
    bench.answer(&again, 404).await;
    let next = bench.one_leg().await;
    assert_eq!(next.token.leg.job, second);
    assert_eq!(targets(&[next]), ["bob"]);
}

pub(crate) async fn senders_take_turns<E: Engine>() {
    let bench = Bench::<E>::new();
    let many: Vec<_> = (0..600).map(|n| format!("u{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let big = bench.accept_job(job("alice", &many)).await;
    let small = bench.accept_job(job("bob", &["x", "y"])).await;
    let first = bench.some_legs(100).await;
    let of_small = first.iter().filter(|leg| leg.token.leg.job == small);
    assert_eq!(
        of_small.count(),
        2,
        "a small job does not wait for a large one"
    );
    let mut seen: HashSet<_> = first.iter().map(|leg| leg.token.leg).collect();
    while seen.len() < 602 {
        let more = bench.some_legs(100).await;
        assert!(!more.is_empty());
        seen.extend(more.iter().map(|leg| leg.token.leg));
    }
    assert_eq!(bench.job(big).await.counts.pending(), 600);
    assert_eq!(bench.legs().await, []);
}

pub(crate) async fn a_lapsed_lease_gives_its_leg_to_the_next<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept_job(job("alice", &["bob"])).await;
    let lost = bench.one_leg().await;
    bench.clock.advance(MINUTE / 2);
    let renewed = bench.store().renew_legs(vec![lost.token], MINUTE).await;
    assert_eq!(renewed, Ok(Vec::new()));
    bench.clock.advance(MINUTE - Duration::from_secs(1));
    assert_eq!(bench.legs().await, [], "it was renewed");
    bench.clock.advance(Duration::from_secs(1));
    let taken = bench.one_leg().await;
    assert_eq!(taken.attempts, 0);
    let renewed = bench.store().renew_legs(vec![lost.token], MINUTE).await;
    assert_eq!(renewed, Ok(vec![lost.token]));
    let late = bench.outcome(lost.token, answered(404)).await;
    assert_eq!(late, LegSettled::Superseded);
    bench.answer(&taken, 200).await;
    let again = bench.outcome(taken.token, answered(200)).await;
    assert_eq!(again, LegSettled::AlreadySettled);
    assert_eq!(bench.job(number).await.counts.delivered, 1);
}

pub(crate) async fn a_late_outcome_settles_if_nobody_has_the_leg<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept_job(job("alice", &["bob"])).await;
    let leg = bench.one_leg().await;
    bench.clock.advance(HOUR);
    let bench = bench.reopen().await;
    bench.answer(&leg, 200).await;
    assert_eq!(bench.job(number).await.state, JobState::Completed);
    assert_eq!(bench.legs().await, []);
}

pub(crate) async fn a_new_process_gives_back_what_the_former_held<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.accept_job(job("alice", &["bob", "carol"])).await;
    let held = bench.legs().await;
    let same = bench.store().release_former(owner(1)).await;
    assert_eq!(same, Ok(0));
    assert_eq!(bench.store().release_former(owner(2)).await, Ok(2));
    let again = bench.legs().await;
    assert_eq!(targets(&again), ["bob", "carol"]);
    assert!(again.iter().all(|leg| leg.attempts == 0));
    let late = bench.outcome(held[0].token, answered(200)).await;
    assert_eq!(late, LegSettled::Superseded);
}

pub(crate) async fn a_job_ends_when_its_time_is_over<E: Engine>() {
    let bench = Bench::<E>::new();
    let request = JobRequest {
        lifetime: Some(HOUR),
        ..job("alice", &["bob", "carol", "dave"])
    };
    let number = bench.accept_job(request).await;
    let legs = bench.some_legs(2).await;
    bench.answer(&legs[0], 480).await;
    let held = vec![legs[1].token];
    let lost = bench.store().renew_legs(held, 2 * HOUR).await;
    assert_eq!(lost, Ok(vec![]));
    bench.clock.advance(HOUR);
    bench.sweep_all().await;
    let closing = bench.job(number).await;
    assert_eq!(closing.state, JobState::Running, "one is in flight");
    assert_eq!(closing.closing, Some(JobState::Expired));
    assert_eq!(closing.counts.expired, 2);
    assert_eq!(bench.legs().await, []);
    bench.clock.advance(HOUR);
    bench.sweep_all().await;
    let job = bench.job(number).await;
    assert_eq!(job.state, JobState::Expired, "the lease was over");
    assert_eq!(job.counts.expired, 3);
    assert_eq!(bench.states(number).await, [LegState::Expired; 3]);
}

pub(crate) async fn a_cancelled_job_sends_nothing_more<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench
        .accept_job(job("alice", &["bob", "carol", "dave", "erin"]))
        .await;
    let behind = bench.accept_job(job("alice", &["carol"])).await;
    let legs = bench.some_legs(3).await;
    bench.answer(&legs[0], 200).await;
    bench.answer(&legs[1], 500).await;
    let cancelled = bench
        .store()
        .cancel_job(number, "as asked".to_owned())
        .await;
    let cancelled = cancelled.expect("it runs").into_inner();
    assert_eq!(cancelled.state, JobState::Running);
    assert_eq!(cancelled.closing, Some(JobState::Cancelled));
    let states = bench.states(number).await;
    let expected = [
        LegState::Delivered,
        LegState::Cancelled,
        LegState::InFlight,
        LegState::Cancelled,
    ];
    assert_eq!(states, expected);
    let next = bench.one_leg().await;
    assert_eq!(next.token.leg.job, behind, "who stood behind it goes on");
    bench.answer(&legs[2], 487).await;
    let done = bench.job(number).await;
    assert_eq!(done.state, JobState::Cancelled);
    assert_eq!(done.reason, "as asked");
    assert_eq!((done.counts.delivered, done.counts.failed), (1, 1));
    assert_eq!(done.counts.cancelled, 2);
    let again = bench.store().cancel_job(number, String::new()).await;
    assert!(matches!(again, Err(StoreError::Precondition { .. })));
    let unknown = bench.store().cancel_job(JobNumber(1), String::new()).await;
    assert_eq!(unknown.map(drop), Err(StoreError::NotFound));
}

pub(crate) async fn a_finished_job_is_forgotten_after_its_retention<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        retention: Retention {
            timeline: HOUR,
            ..Retention::default()
        },
        ..StoreConfig::default()
    });
    let number = bench.accept_job(job("alice", &["bob"])).await;
    let leg = bench.one_leg().await;
    bench.answer(&leg, 200).await;
    bench.clock.advance(HOUR - Duration::from_secs(1));
    bench.sweep_all().await;
    assert_eq!(bench.states(number).await, [LegState::Delivered]);
    bench.clock.advance(Duration::from_secs(1));
    bench.sweep_all().await;
    assert_eq!(bench.store().job(number).await, Err(StoreError::NotFound));
    let unknown = bench.outcome(leg.token, answered(200)).await;
    assert_eq!(unknown, LegSettled::Unknown);
}

pub(crate) async fn jobs_and_legs_are_listed_page_by_page<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut numbers = Vec::new();
    for sender in ["alice", "bob", "alice"] {
        numbers.push(bench.accept_job(job(sender, &["x", "y", "z"])).await);
    }
    numbers.reverse();
    let query = |before, sender: Option<&str>| JobQuery {
        sender: sender.map(address),
        before,
        limit: 2,
        ..JobQuery::default()
    };
    let first = bench.store().list_jobs(query(None, None)).await;
    let first = first.expect("the store answers");
    let second = bench.store().list_jobs(query(first.next, None)).await;
    let second = second.expect("the store answers");
    let listed = first.jobs.iter().chain(&second.jobs);
    assert_eq!(listed.map(|job| job.number).collect::<Vec<_>>(), numbers);
    assert_eq!(second.next, None);
    let of_bob = bench.store().list_jobs(query(None, Some("bob"))).await;
    let of_bob = of_bob.expect("the store answers").jobs;
    assert_eq!(of_bob.len(), 1);
    let page = bench.store().list_legs(numbers[0], 1, 1).await;
    let page = page.expect("it is there");
    assert_eq!(page.len(), 1);
    assert_eq!((page[0].name.index, &page[0].target), (1, &address("y")));
}
