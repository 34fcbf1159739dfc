//! `check` finds what is wrong, and nothing where nothing is.

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use rocksdb::WriteBatch;

use crate::battery::large_jobs::large_job;
use crate::battery::legs::{answered, job};
use crate::battery::reports::request;
use crate::battery::uploads::octets;
use crate::battery::{Bench, MINUTE, START, address, deposit_to, letter, registration};
use crate::column_family::Family;
use crate::fan_out::FanOutStore;
use crate::key;
use crate::model::{
    ClaimedLeg, Deposit, JobQuery, JobState, LegOutcome, MessageNumber, PartKind, ReportKind,
    ReportName, ReportSubject, UnixMillis, UploadId, Verb,
};
use crate::rocks::tests::OnDisk;
use crate::store::Store;
use crate::upkeep::{CheckReport, Finding};
use crate::value::{self, Counters, Encoded, MailboxValue, OwnerValue, ReportValue, SenderValue};

async fn checked(bench: &Bench<OnDisk>, restate: bool) -> CheckReport {
    let report = bench.store().check(restate).await;
    report.expect("it can be read")
}

/// A store in which everything has happened once.
async fn lived_in() -> Bench<OnDisk> {
    let bench = Bench::<OnDisk>::new();
    bench
        .register(registration("bob", "sip:a@1", 1))
        .await
        .expect("it is new");
    bench.deposit(deposit_to("bob", "a", "hi")).await;
    bench.deposit(deposit_to("bob", "a", "hi")).await;
    bench.deliver_all("bob").await;
    for verb in [Verb::Hold, Verb::Delete, Verb::Expire] {
        let number = bench.mail("bob").await;
        bench.order(number, verb).await.expect("it waits");
    }
    bench.mail("carol").await;
    let claim = bench.claim("carol").await;
    bench.release_with(claim, 0, "INVITE 480").await;
    fan_out(&bench, 7).await;
    bench
}

/// Legs of both classes.
pub(super) async fn both(bench: &Bench<OnDisk>) -> Vec<ClaimedLeg> {
    let mut legs = bench.legs().await;
    legs.extend(bench.large_legs().await);
    legs
}

/// Jobs of a few senders to a few targets; legs with every outcome, leases that lapse, an order to end.
async fn fan_out(bench: &Bench<OnDisk>, seed: u64) {
    let mut random = SmallRng::seed_from_u64(seed);
    let names = ["a", "b", "c", "d", "e"];
    let mut jobs = Vec::new();
    for turn in 0..30 {
        let sender = names[random.random_range(0..2)];
        let count = random.random_range(1..=names.len());
        let accepted = match random.random_range(0..3) {
            0 => {
                let size = [5_000, 300_000][random.random_range(0..2)];
                let mut large = large_job(&names[..count], &format!("m-{turn}"), size);
                large.job.sender = address(sender);
                bench.uploaded_job(&octets(size), large).await.job
            }
            _ => bench.accept_job(job(sender, &names[..count])).await,
        };
        jobs.push(accepted);
        for leg in both(bench).await {
            let outcome = match random.random_range(0..6) {
                0 => answered(200),
                1 => answered(404),
                2 => answered(480),
                3 => answered(482),
                4 => LegOutcome::Returned,
                _ => continue,
            };
            bench.outcome(leg.token, outcome).await;
        }
        if random.random_range(0..5) == 0 {
            let some = jobs[random.random_range(0..jobs.len())];
            drop(bench.store().cancel_job(some, "as asked".to_owned()).await);
        }
        bench.clock.advance(MINUTE / 4);
    }
}

#[tokio::test]
async fn jobs_and_legs_agree_after_any_history_and_all_end() {
    for seed in 0..6 {
        let bench = Bench::<OnDisk>::new();
        fan_out(&bench, seed).await;
        let report = checked(&bench, false).await;
        assert!(report.is_sound(), "seed {seed}: {:?}", report.findings);
        let bench = bench.reopen().await;
        // Everybody answers now: nobody stands behind anybody for ever.
        for _ in 0..200 {
            bench.clock.advance(MINUTE);
            for legs in [bench.legs().await, bench.large_legs().await] {
                let mut targets: Vec<_> = legs.iter().map(|leg| &leg.entry.target).collect();
                targets.sort_unstable();
                targets.dedup();
                assert_eq!(targets.len(), legs.len(), "one leg per target");
                for leg in &legs {
                    bench.outcome(leg.token, answered(200)).await;
                }
            }
        }
        let running = JobQuery {
            states: vec![JobState::Running],
            limit: 100,
            ..JobQuery::default()
        };
        let running = bench.store().list_jobs(running).await;
        assert_eq!(running.expect("the store answers").jobs, [], "seed {seed}");
        let report = checked(&bench, false).await;
        assert!(report.is_sound(), "seed {seed}: {:?}", report.findings);
    }
}

#[tokio::test]
async fn a_job_that_does_not_match_its_legs_is_found() {
    let bench = Bench::<OnDisk>::new();
    let number = bench.accept_job(job("alice", &["bob", "carol"])).await;
    let legs = bench.legs().await;
    bench.outcome(legs[0].token, answered(200)).await;
    erase(&bench, Family::Legs, &key::leg(legs[0].token.leg));
    let report = checked(&bench, false).await;
    assert_eq!(report.findings, [Finding::Job(number)]);
    erase(&bench, Family::Jobs, &key::job(number));
    let report = checked(&bench, false).await;
    let of = |family: Family| Finding::Orphan(family.name());
    for family in [Family::Jobs, Family::Legs, Family::Due] {
        assert!(report.findings.contains(&of(family)), "{family:?}");
    }
}

#[tokio::test]
async fn a_large_job_whose_content_is_not_whole_is_found() {
    let bench = Bench::<OnDisk>::new();
    for size in [5_000, 300_000] {
        let id = format!("m-{size}");
        let large = large_job(&["bob", "carol"], &id, size);
        bench.uploaded_job(&octets(size), large).await;
    }
    bench.large_legs().await;
    assert!(checked(&bench, false).await.is_sound());
    let first = bench.store().shared.next_staged(UploadId(0));
    let first = first.expect("it reads").expect("there are two");
    let jobs = bench.store().list_jobs(JobQuery {
        limit: 10,
        ..JobQuery::default()
    });
    let jobs = jobs.await.expect("it reads").jobs;
    erase(&bench, Family::Large, &key::block(first, 0));
    let report = checked(&bench, false).await;
    assert_eq!(report.findings, [Finding::Job(jobs[1].number)]);
    // An owner that does not know of it.
    let owner = value::encode(&OwnerValue::Job(jobs[0].number));
    let place = key::block(first, key::OWNER_BLOCK);
    put(&bench, Family::Large, &place, &owner);
    let report = checked(&bench, false).await;
    assert!(report.findings.contains(&Finding::Orphan("large")));
}

#[tokio::test]
async fn a_large_job_that_has_ended_leaves_no_block() {
    let bench = Bench::<OnDisk>::new();
    for size in [5_000, 300_000] {
        let id = format!("m-{size}");
        let large = large_job(&["bob"], &id, size);
        bench.uploaded_job(&octets(size), large).await;
        let leg = bench.large_legs().await.remove(0);
        bench.outcome(leg.token, answered(200)).await;
    }
    assert!(checked(&bench, false).await.is_sound());
    assert_eq!(bench.store().shared.next_staged(UploadId(0)), Ok(None));
}

fn erase(bench: &Bench<OnDisk>, family: Family, key: &[u8]) {
    let database = &bench.store().shared.database;
    let mut batch = WriteBatch::default();
    database.families().delete(&mut batch, family, key);
    database.rocks().write(batch).expect("there is place");
}

fn put(bench: &Bench<OnDisk>, family: Family, key: &[u8], octets: &Encoded) {
    let database = &bench.store().shared.database;
    let mut batch = WriteBatch::default();
    database.families().put(&mut batch, family, key, octets);
    database.rocks().write(batch).expect("there is place");
}

#[tokio::test]
async fn a_store_that_has_lived_is_sound_at_every_age() {
    let bench = lived_in().await;
    for _ in 0..45 {
        let report = checked(&bench, false).await;
        assert!(report.is_sound(), "{:?}", report.findings);
        bench.clock.advance(24 * 60 * MINUTE);
        bench.sweep().await;
    }
    let report = checked(&bench, false).await;
    assert_eq!((report.messages, report.content_octets), (0, 0));
    let bench = bench.reopen().await;
    let database = &bench.store().shared.database;
    // Receipts that have ended are dropped by compaction.
    let receipts = database.rocks().cf_handle(Family::Duplicates.name());
    let receipts = receipts.expect("all families are there");
    database
        .rocks()
        .compact_range_cf(receipts, None::<&[u8]>, None::<&[u8]>);
    for family in [
        Family::Due,
        Family::Attempts,
        Family::Events,
        Family::Duplicates,
    ] {
        let left = database.scan(family, &[], None).step(|_, _| Ok(()));
        assert_eq!(left, Ok(None), "{}", family.name());
    }
}

#[tokio::test]
async fn missing_rows_are_found() {
    let bench = lived_in().await;
    let number = bench.mail("dave").await;
    let mailbox = bench.mailbox("dave").await;
    erase(&bench, Family::Waiting, &key::waiting(mailbox, number));
    erase(
        &bench,
        Family::Contents,
        &key::content(number, PartKind::Message, 0),
    );
    let found = checked(&bench, false).await;
    assert_eq!(
        found.findings,
        [Finding::Waiting(number), Finding::Content(number)]
    );
    erase(&bench, Family::Locations, &key::location(number));
    let found = checked(&bench, false).await;
    assert!(found.findings.contains(&Finding::Location(number)));
}

#[tokio::test]
async fn rows_that_belong_to_nothing_are_found() {
    let bench = lived_in().await;
    let mailbox = bench.mailbox("bob").await;
    let nothing = key::waiting(mailbox, MessageNumber(1));
    let row = value::WaitingValue {
        octets: 1,
        expires_at: START,
        earliest_generation: Default::default(),
        done: Vec::new(),
    };
    put(&bench, Family::Waiting, &nothing, &value::encode(&row));
    let found = checked(&bench, false).await;
    assert_eq!(found.findings, [Finding::Orphan("waiting")]);
}

#[tokio::test]
async fn wrong_counters_are_restated() {
    let bench = lived_in().await;
    let mailbox = bench.mailbox("carol").await;
    let wrong = MailboxValue {
        octets: 12_345,
        last_order: 9,
        last_number: MessageNumber(u64::MAX / 2),
        ..MailboxValue::default()
    };
    put(
        &bench,
        Family::Mailboxes,
        &key::mailbox(mailbox),
        &value::encode(&wrong),
    );
    let found = checked(&bench, true).await;
    assert_eq!(found.findings, [Finding::Counters(mailbox)]);
    assert_eq!(found.restated, 1);
    assert!(checked(&bench, false).await.is_sound());
    assert_eq!(bench.deliver_all("carol").await.len(), 1);
}

#[tokio::test]
async fn wrong_counters_of_senders_are_restated() {
    let bench = lived_in().await;
    let sender = bench.store().shared.address_key(&address("alice"));
    let nobody = bench.store().shared.address_key(&address("nobody"));
    erase(&bench, Family::Senders, &sender);
    let wrong = value::encode(&SenderValue::default().plus(300));
    put(&bench, Family::Senders, &nobody, &wrong);
    let found = checked(&bench, true).await;
    let said: Vec<_> = found.findings.iter().map(ToString::to_string).collect();
    let of_nobody = "a sender: counted are 1 messages of 300 octets, stored 0 of 0";
    assert!(said.iter().any(|line| line == of_nobody), "{said:?}");
    let of_alice = |line: &String| line.starts_with("a sender: counted are 0 messages of 0 octets");
    assert!(said.len() == 2 && said.iter().any(of_alice), "{said:?}");
    assert_eq!(found.restated, 2);
    assert!(checked(&bench, false).await.is_sound());
}

#[tokio::test]
async fn a_store_that_did_not_count_senders_does_so_when_it_is_opened() {
    let bench = lived_in().await;
    let sender = bench.store().shared.address_key(&address("alice"));
    erase(&bench, Family::Senders, &sender);
    erase(&bench, Family::Meta, &key::SENDERS_COUNTED);
    let bench = bench.reopen().await;
    assert!(checked(&bench, false).await.is_sound());
    let row = bench.store().shared.database.read(Family::Senders, &sender);
    assert!(row.expect("it can be read").is_some());
}

#[tokio::test]
async fn what_the_sweep_has_passed_is_found() {
    let bench = lived_in().await;
    let short = Deposit {
        lifetime: Some(std::time::Duration::ZERO),
        ..letter("dave")
    };
    let number = bench.accept(short).await.id.number;
    let expires_at = bench.message(number).await.envelope.expires_at;
    let database = &bench.store().shared.database;
    let counters = database.read(Family::Meta, &key::COUNTERS);
    let counters = counters.expect("it reads").expect("it is there");
    let counters: Counters = value::decode(&counters).expect("it is sound");
    for (swept_until, expected) in [
        (expires_at, vec![]),
        (UnixMillis(expires_at.0 + 1), vec![Finding::Passed]),
    ] {
        let counters = Counters {
            swept_until,
            ..counters
        };
        put(
            &bench,
            Family::Meta,
            &key::COUNTERS,
            &value::encode(&counters),
        );
        assert_eq!(checked(&bench, false).await.findings, expected);
    }
}

#[tokio::test]
async fn a_report_that_its_message_waits_for_in_vain_is_found() {
    let bench = lived_in().await;
    let asking = Deposit {
        report_request: Some(request()),
        ..letter("dave")
    };
    let number = bench.accept(asking).await.id.number;
    assert!(checked(&bench, false).await.is_sound());
    let name = ReportName {
        subject: ReportSubject::Message(number),
        kind: ReportKind::Processing,
    };
    let database = &bench.store().shared.database;
    let row = database.read(Family::Reports, &key::report(name));
    let row = row.expect("it reads").expect("it is there");
    let row: ReportValue = value::decode(&row).expect("it is sound");
    let due = key::report_due(row.due_at, name);
    erase(&bench, Family::Reports, &key::report(name));
    erase(&bench, Family::ReportDue, &due);
    let found = checked(&bench, false).await;
    assert_eq!(found.findings, [Finding::ReportOf(number)]);
}

#[tokio::test]
async fn an_account_that_was_erased_after_a_failure_leaves_nothing_amiss() {
    let bench = Bench::<OnDisk>::new();
    bench.mail("bob").await;
    let claim = bench.claim("bob").await;
    bench.release_with(claim, 0, "480 not there").await;
    let database = &bench.store().shared.database;
    let attempt = || {
        let mut scan = database.scan(Family::Attempts, &[], None);
        scan.step(|_, _| Ok(()))
    };
    assert_eq!(attempt(), Ok(Some(())), "it has failed");
    let erased = bench
        .store()
        .erase_account(address("bob"), String::new(), String::new());
    erased.await.expect("the store answers");
    assert_eq!(attempt(), Ok(None));
    let report = checked(&bench, false).await;
    assert!(report.is_sound(), "{:?}", report.findings);
}
