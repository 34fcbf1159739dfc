//! Delivery reports: IMD rows, requirements §3.2, §3.5.

use std::time::Duration;

use super::bench::{Bench, EVERYTHING, Engine, MINUTE, START, address, failed, letter};
use super::legs::job;
use crate::config::StoreConfig;
use crate::fan_out::FanOutStore;
use crate::model::{
    ClaimedReport, Class, Deposit, DepositOutcome, Disposition, EventKind, JobOutcome, LegOutcome,
    MessageNumber, MessageReport, ReportBatch, ReportKind, ReportRequest, ReportSettled,
    ReportState, ReportStatus, ReportSubject, ReportToken, Settlement, State, Verb,
};
use crate::report::ReportStore;
use crate::store::Store;

const LEASE: Duration = MINUTE;

/// Everything that a sender can ask a store for.
pub(crate) fn request() -> ReportRequest {
    ReportRequest {
        asked: vec![
            Disposition::PositiveDelivery,
            Disposition::NegativeDelivery,
            Disposition::Processing,
        ],
        imdn_message_id: "Xk39".to_owned(),
        from: "Alice <sip:alice@example.org>".to_owned(),
        to: "Bob <sip:bob@example.org>".to_owned(),
        original_recipient: "sip:bob@example.org".to_owned(),
    }
}

fn asking(asked: &[Disposition]) -> Deposit {
    Deposit {
        report_request: Some(ReportRequest {
            asked: asked.to_vec(),
            ..request()
        }),
        ..letter("bob")
    }
}

fn answered(status: u16) -> LegOutcome {
    LegOutcome::Answered {
        status,
        reason: format!("MESSAGE {status}"),
        retry_after: None,
    }
}

impl<E: Engine> Bench<E> {
    async fn reports(&self) -> ReportBatch {
        self.reports_up_to(100).await
    }

    async fn reports_up_to(&self, limit: usize) -> ReportBatch {
        let claimed = self.store().claim_reports(limit, LEASE).await;
        claimed.expect("the store answers")
    }

    /// The only report that is due.
    async fn report(&self) -> ClaimedReport {
        let mut batch = self.reports().await;
        assert_eq!(batch.reports.len(), 1, "{batch:?}");
        batch.reports.remove(0)
    }

    async fn settle_report(&self, token: ReportToken, outcome: LegOutcome) -> ReportSettled {
        let settled = self.store().settle_reports(vec![(token, outcome)]).await;
        settled.expect("the store answers").into_inner()[0]
    }

    async fn has_no_report(&self) {
        let batch = self.reports().await;
        assert_eq!(batch.reports, []);
    }

    async fn made(&self, number: MessageNumber) -> Vec<(ReportStatus, ReportState)> {
        let reports = self.message(number).await.reports;
        let both = |made: MessageReport| (made.status, made.state);
        reports.into_iter().map(both).collect()
    }
}

pub(crate) async fn a_stored_message_is_reported_once<E: Engine>() {
    let bench = Bench::<E>::new();
    let deposit = asking(&[Disposition::Processing]);
    let number = bench.accept(deposit.clone()).await.id.number;
    assert!(matches!(
        bench.deposit(deposit).await,
        DepositOutcome::Duplicate(_)
    ));
    assert_eq!(bench.store().report_watch().made(ReportStatus::Stored), 1);
    let ClaimedReport { token, report } = bench.report().await;
    assert_eq!(report.name.subject, ReportSubject::Message(number));
    assert_eq!(report.name.kind, ReportKind::Processing);
    assert_eq!(report.status, ReportStatus::Stored);
    assert_eq!(
        (report.to, report.recipient),
        (address("alice"), address("bob"))
    );
    assert_eq!(report.request.imdn_message_id, "Xk39");
    assert_eq!(report.made_at, START);
    bench.has_no_report().await;
    let settled = bench.settle_report(token, answered(202)).await;
    assert_eq!(settled, ReportSettled::Sent(ReportStatus::Stored));
    assert_eq!(bench.reports().await, ReportBatch::default());
    assert_eq!(
        bench.made(number).await,
        [(ReportStatus::Stored, ReportState::Sent)]
    );
    let told = [
        EventKind::Deposited,
        EventKind::ReportMade,
        EventKind::DuplicateAbsorbed,
        EventKind::ReportSent,
    ];
    assert_eq!(bench.events(number).await, told);
    assert_eq!(bench.deliver_all("bob").await, [number]);
    bench.has_no_report().await;
}

pub(crate) async fn nothing_is_reported_that_nobody_asked_for<E: Engine>() {
    let bench = Bench::<E>::new();
    let only_delivered = asking(&[Disposition::PositiveDelivery, Disposition::Display]);
    let anonymous = Deposit {
        sender: None,
        ..asking(&[Disposition::Processing, Disposition::NegativeDelivery])
    };
    let notification = Deposit {
        class: Class::Imdn,
        ..asking(&[Disposition::Processing, Disposition::NegativeDelivery])
    };
    for deposit in [letter("bob"), only_delivered, anonymous, notification] {
        let number = bench.accept(deposit).await.id.number;
        bench.order(number, Verb::Expire).await.expect("it waits");
        assert_eq!(bench.made(number).await, []);
    }
    assert_eq!(bench.reports().await, ReportBatch::default());
}

pub(crate) async fn an_expired_message_is_reported<E: Engine>() {
    let bench = Bench::<E>::new();
    let short = Deposit {
        lifetime: Some(MINUTE),
        ..asking(&[Disposition::NegativeDelivery])
    };
    let number = bench.accept(short).await.id.number;
    bench.has_no_report().await;
    bench.clock.advance(MINUTE * 2);
    assert_eq!(bench.sweep().await.expired, [number]);
    let ClaimedReport { token, report } = bench.report().await;
    assert_eq!(report.status, ReportStatus::Failed);
    assert_eq!(report.name.kind, ReportKind::Delivery);
    bench.settle_report(token, answered(200)).await;
    let told = [
        EventKind::Deposited,
        EventKind::Expired,
        EventKind::ReportMade,
        EventKind::ReportSent,
    ];
    assert_eq!(bench.events(number).await, told);
    let ordered = bench.accept(asking(&[Disposition::NegativeDelivery])).await;
    let ordered = ordered.id.number;
    let message = bench.order(ordered, Verb::Expire).await.expect("it waits");
    assert_eq!(message.reports.len(), 1);
    assert_eq!(bench.report().await.report.status, ReportStatus::Failed);
}

/// Its SEND was under way, and its outcome wins (requirements §3.13).
pub(crate) async fn a_message_that_is_delivered_after_its_end_is_not_reported<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut ended = Vec::new();
    for _ in 0..2 {
        let deposit = asking(&[Disposition::NegativeDelivery]);
        ended.push(bench.accept(deposit).await.id.number);
    }
    let claim = bench.claim("bob").await;
    assert_eq!(bench.take_numbers(claim).await, ended);
    bench.order(ended[0], Verb::Expire).await.expect("it waits");
    bench.delivered(claim, ended[0]).await;
    assert_eq!(bench.message(ended[0]).await.state, State::Delivered);
    bench.has_no_report().await;
    let made = |state| [(ReportStatus::Failed, state)];
    assert_eq!(bench.made(ended[0]).await, made(ReportState::Dropped));
    // What an edge has been given may have been sent.
    bench.order(ended[1], Verb::Expire).await.expect("it waits");
    let report = bench.report().await;
    bench.delivered(claim, ended[1]).await;
    assert_eq!(bench.made(ended[1]).await, made(ReportState::Waiting));
    bench.settle_report(report.token, answered(200)).await;
    assert_eq!(bench.made(ended[1]).await, made(ReportState::Sent));
}

pub(crate) async fn a_message_that_its_owner_deletes_is_not_reported<E: Engine>() {
    let bench = Bench::<E>::new();
    let all = [Disposition::NegativeDelivery];
    let deleted = bench.accept(asking(&all)).await.id.number;
    bench.order(deleted, Verb::Delete).await.expect("it waits");
    let own = bench.accept(asking(&all)).await.id.number;
    let done = bench.store().delete_own(address("bob"), own, None).await;
    done.expect("it waits");
    bench.has_no_report().await;
}

pub(crate) async fn a_refused_message_is_reported_once<E: Engine>() {
    let bench = Bench::<E>::with(StoreConfig {
        max_refusals: 1,
        ..StoreConfig::default()
    });
    let refused = Settlement::Refused {
        reason: "MESSAGE 603".to_owned(),
    };
    for (settlement, status) in [
        (refused, ReportStatus::Forbidden),
        (failed(true), ReportStatus::Failed),
    ] {
        let number = bench.accept(asking(&[Disposition::NegativeDelivery])).await;
        let number = number.id.number;
        for expected in [1, 0] {
            let claim = bench.claim("bob").await;
            bench.take(claim, EVERYTHING).await;
            bench.settle(claim, number, settlement.clone()).await;
            bench.release(claim, number.0).await;
            let batch = bench.reports().await;
            assert_eq!(
                batch.reports.len(),
                expected,
                "redelivered, it is told no more"
            );
            for ClaimedReport { token, report } in batch.reports {
                assert_eq!(report.status, status);
                bench.settle_report(token, answered(200)).await;
            }
            let again = bench.order(number, Verb::Redeliver).await;
            again.expect("its content is retained");
        }
        assert_eq!(bench.deliver_all("bob").await, [number]);
        assert_eq!(bench.made(number).await, [(status, ReportState::Sent)]);
    }
}

pub(crate) async fn a_failed_attempt_is_not_reported<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(asking(&[Disposition::NegativeDelivery])).await;
    let number = number.id.number;
    let claim = bench.claim("bob").await;
    bench.take(claim, EVERYTHING).await;
    bench.settle(claim, number, failed(true)).await;
    bench.has_no_report().await;
}

pub(crate) async fn a_report_is_tried_until_it_arrives<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(asking(&[Disposition::Processing])).await;
    let number = number.id.number;
    let mut pause = Duration::ZERO;
    let first = bench.report().await;
    let mut token = first.token;
    for status in [480, 503, 408] {
        let settled = bench.settle_report(token, answered(status)).await;
        assert_eq!(settled, ReportSettled::Again(ReportStatus::Stored));
        let batch = bench.reports().await;
        assert_eq!(batch.reports, []);
        let next = batch.again_in.expect("there is one");
        assert!(next > pause, "{status}: {next:?} after {pause:?}");
        pause = next;
        bench.clock.advance(next);
        let again = bench.report().await;
        assert_eq!(again.report, first.report, "the same in every try");
        assert!(again.token.generation > token.generation);
        token = again.token;
    }
    bench.settle_report(token, answered(200)).await;
    bench.clock.advance(MINUTE * 60);
    bench.has_no_report().await;
    assert_eq!(
        bench.made(number).await,
        [(ReportStatus::Stored, ReportState::Sent)]
    );
}

pub(crate) async fn a_report_refused_for_good_is_dropped<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(asking(&[Disposition::Processing])).await;
    let token = bench.report().await.token;
    let settled = bench.settle_report(token, answered(404)).await;
    assert_eq!(settled, ReportSettled::Dropped(ReportStatus::Stored));
    bench.clock.advance(MINUTE * 60);
    bench.has_no_report().await;
    let made = bench.made(number.id.number).await;
    assert_eq!(made, [(ReportStatus::Stored, ReportState::Dropped)]);
}

/// 482 says that the request is pending somewhere; for so long none is (CFP-18).
pub(crate) async fn a_report_that_goes_in_circles_is_dropped<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(asking(&[Disposition::Processing])).await;
    let number = number.id.number;
    for _ in 0..9 {
        let report = bench.report().await;
        let settled = bench.settle_report(report.token, answered(482)).await;
        assert_eq!(settled, ReportSettled::Again(ReportStatus::Stored));
        bench.clock.advance(MINUTE);
    }
    let bench = bench.reopen().await;
    let report = bench.report().await;
    let settled = bench.settle_report(report.token, answered(482)).await;
    assert_eq!(settled, ReportSettled::Dropped(ReportStatus::Stored));
    assert_eq!(
        bench.made(number).await,
        [(ReportStatus::Stored, ReportState::Dropped)]
    );
}

pub(crate) async fn a_try_that_nobody_settles_is_over_with_its_lease<E: Engine>() {
    let bench = Bench::<E>::new();
    bench.accept(asking(&[Disposition::Processing])).await;
    let first = bench.report().await;
    let bench = bench.crash().await;
    bench.has_no_report().await;
    bench.clock.advance(LEASE);
    let second = bench.report().await;
    assert_eq!(second.report, first.report);
    let late = bench.settle_report(first.token, answered(480)).await;
    assert_eq!(late, ReportSettled::Superseded);
    // The first try has brought it there after all.
    let late = bench.settle_report(first.token, answered(200)).await;
    assert_eq!(late, ReportSettled::Sent(ReportStatus::Stored));
    let second = bench.settle_report(second.token, answered(200)).await;
    assert_eq!(second, ReportSettled::Superseded);
}

pub(crate) async fn a_report_is_there_after_reopening<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(asking(&[Disposition::Processing])).await;
    let bench = bench.crash().await;
    let report = bench.report().await.report;
    let subject = ReportSubject::Message(number.id.number);
    assert_eq!(
        (report.name.subject, report.request),
        (subject, {
            let asked = vec![Disposition::Processing];
            ReportRequest { asked, ..request() }
        })
    );
    let bench = bench.reopen().await;
    let message = bench.message(number.id.number).await;
    assert_eq!(
        message.envelope.report_request.map(|request| request.to),
        Some(request().to)
    );
}

pub(crate) async fn a_report_is_dropped_when_its_time_is_over<E: Engine>() {
    let bench = Bench::<E>::new();
    let number = bench.accept(asking(&[Disposition::Processing])).await;
    bench.clock.advance(Duration::from_secs(25 * 3_600));
    let batch = bench.reports().await;
    assert_eq!(batch.reports, []);
    assert_eq!(batch.dropped, [ReportStatus::Stored]);
    let made = bench.made(number.id.number).await;
    assert_eq!(made, [(ReportStatus::Stored, ReportState::Dropped)]);
}

pub(crate) async fn a_report_may_outlive_its_message<E: Engine>() {
    let mut config = StoreConfig::default();
    config.retention.timeline = MINUTE;
    let bench = Bench::<E>::with(config);
    let number = bench.accept(asking(&[Disposition::NegativeDelivery])).await;
    let number = number.id.number;
    bench.order(number, Verb::Expire).await.expect("it waits");
    bench.clock.advance(MINUTE * 2);
    bench.sweep().await;
    assert!(bench.store().message(number).await.is_err());
    let ClaimedReport { token, report } = bench.report().await;
    assert_eq!(report.name.subject, ReportSubject::Message(number));
    let settled = bench.settle_report(token, answered(200)).await;
    assert_eq!(settled, ReportSettled::Sent(ReportStatus::Failed));
}

pub(crate) async fn reports_to_one_sender_are_paced<E: Engine>() {
    let bench = Bench::<E>::new();
    for _ in 0..30 {
        bench.accept(asking(&[Disposition::Processing])).await;
    }
    let others = Deposit {
        sender: Some(address("carol")),
        ..asking(&[Disposition::Processing])
    };
    bench.accept(others).await;
    let first = bench.reports().await.reports;
    let to_carol = first
        .iter()
        .filter(|claimed| claimed.report.to == address("carol"));
    assert_eq!(to_carol.count(), 1, "she waits for nobody");
    let mut sent = first.len() - 1;
    assert!(sent <= 2, "{sent}");
    for tenth in 1..=40 {
        bench.clock.advance(Duration::from_millis(100));
        sent += bench.reports().await.reports.len();
        assert!(sent <= tenth + 2, "{sent} after {tenth} tenths of a second");
    }
    assert_eq!(sent, 30);
}

pub(crate) async fn an_accepted_job_is_reported_once<E: Engine>() {
    let bench = Bench::<E>::new();
    let mut request = job("alice", &["bob", "carol"]);
    request.report_request = Some(self::request());
    let accepted = bench.store().accept_job(request.clone()).await;
    let Ok(JobOutcome::Accepted(receipt)) = accepted else {
        panic!("not accepted: {accepted:?}");
    };
    let again = bench.store().accept_job(request).await;
    assert!(matches!(again, Ok(JobOutcome::Duplicate(_))));
    let ClaimedReport { token, report } = bench.report().await;
    assert_eq!(report.name.subject, ReportSubject::Job(receipt.job));
    assert_eq!(report.status, ReportStatus::Stored);
    assert_eq!(
        (report.to, report.recipient),
        (address("alice"), address("team"))
    );
    let settled = bench.settle_report(token, answered(200)).await;
    assert_eq!(settled, ReportSettled::Sent(ReportStatus::Stored));
    bench.has_no_report().await;
}
