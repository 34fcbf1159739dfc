//! Delivery reports of the model.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use super::MemoryStore;
use super::model::{MessageRecord, Model};
use crate::model::{
    Address, EventKind, LegOutcome, MessageNumber, MessageReport, ReportBatch, ReportName,
    ReportSettled, ReportState, ReportStatus, ReportToken, UnixMillis,
};
use crate::report::{ReportStore, ReportWatch};
use crate::rule::report::{self, ReportDesk, ReportEnd};
use crate::rule::report_pace::ReportPace;
use crate::store::{StoreError, Synced};
use crate::timekeeper::Times;
use crate::value::ReportValue;

/// All there is of reports.
#[derive(Clone, Default)]
pub(super) struct Reports {
    rows: BTreeMap<ReportName, ReportValue>,
    dues: BTreeSet<(UnixMillis, ReportName)>,
    pace: ReportPace,
    /// Made since somebody was told.
    made: Vec<ReportStatus>,
}

impl Reports {
    pub(super) fn add(&mut self, row: ReportValue) {
        let name = row.report.name;
        self.made.push(row.report.status);
        self.dues.insert((row.due_at, name));
        self.rows.insert(name, row);
    }

    pub(super) fn take_made(&mut self) -> Vec<ReportStatus> {
        std::mem::take(&mut self.made)
    }
}

impl Model {
    /// Makes the report that a message has reached this status, if its sender is to be told.
    pub(super) fn report(&mut self, number: MessageNumber, status: ReportStatus, times: Times) {
        let Some(message) = self.messages.get_mut(&number) else {
            return;
        };
        let now = (times, &self.config.retention);
        let row = report::of_message(&message.envelope, number, &message.reports, status, now);
        if let Some(row) = row {
            note_made(message, status, times);
            self.reports.add(row);
        }
    }

    fn report_desk(&mut self, times: Times) -> ModelReportDesk<'_> {
        ModelReportDesk { model: self, times }
    }

    /// Takes back what would be told of a message that is delivered after all.
    pub(super) fn retract_report(&mut self, number: MessageNumber, times: Times) {
        let Ok(_) = report::retract(&mut self.report_desk(times), number);
    }

    fn claim_reports(&mut self, limit: usize, lease: Duration, times: Times) -> ReportBatch {
        let mut batch = ReportBatch::default();
        loop {
            let wanted = limit - batch.reports.len();
            let dues = self.reports.dues.iter().copied();
            let due = dues.take_while(|(at, _)| *at <= times.steady);
            let due: Vec<_> = due.take(wanted).collect();
            if due.is_empty() {
                let next = self.reports.dues.first();
                batch.again_in = match wanted {
                    0 => Some(Duration::ZERO),
                    _ => next.map(|(at, _)| at.since(times.steady)),
                };
                return batch;
            }
            let Ok(claimed) = report::claim(&mut self.report_desk(times), &due, lease);
            batch.reports.extend(claimed.reports);
            batch.dropped.extend(claimed.dropped);
        }
    }
}

fn note_made(message: &mut MessageRecord, status: ReportStatus, times: Times) {
    message.reports.push(MessageReport {
        status,
        state: ReportState::Waiting,
    });
    message.record(times.wall, EventKind::ReportMade, None, "", status.word());
}

/// The rows of the model for the rules.
struct ModelReportDesk<'a> {
    model: &'a mut Model,
    times: Times,
}

impl ReportDesk for ModelReportDesk<'_> {
    type Stop = Infallible;

    fn times(&self) -> Times {
        self.times
    }

    fn report(&mut self, name: ReportName) -> Result<Option<ReportValue>, Infallible> {
        Ok(self.model.reports.rows.get(&name).cloned())
    }

    fn set_report(&mut self, name: ReportName, report: Option<ReportValue>) {
        let rows = &mut self.model.reports.rows;
        match report {
            Some(report) => rows.insert(name, report),
            None => rows.remove(&name),
        };
    }

    fn add_report_due(&mut self, at: UnixMillis, name: ReportName) {
        self.model.reports.dues.insert((at, name));
    }

    fn remove_report_due(&mut self, at: UnixMillis, name: ReportName) {
        self.model.reports.dues.remove(&(at, name));
    }

    fn pace(&mut self, to: &Address) -> Result<(), Duration> {
        let rate = self.model.config.report_rate;
        self.model.reports.pace.take(to, rate, self.times.instant)
    }

    fn note_end(&mut self, number: MessageNumber, end: ReportEnd<'_>) -> Result<(), Infallible> {
        if let Some(message) = self.model.messages.get_mut(&number) {
            end.apply(&mut message.reports);
            message.record(self.times.wall, end.event(), None, "", end.detail);
        }
        Ok(())
    }
}

impl ReportStore for MemoryStore {
    async fn claim_reports(
        &self,
        limit: usize,
        lease: Duration,
    ) -> Result<ReportBatch, StoreError> {
        self.write(|model, times| Ok(model.claim_reports(limit, lease, times)))
            .await
    }

    async fn settle_reports(
        &self,
        settlements: Vec<(ReportToken, LegOutcome)>,
    ) -> Result<Synced<Vec<ReportSettled>>, StoreError> {
        let settled = self.write(|model, times| {
            let Ok(settled) = report::settle(&mut model.report_desk(times), &settlements);
            Ok(settled)
        });
        settled.await.map(Synced::after_sync)
    }

    fn report_watch(&self) -> &ReportWatch {
        &self.report_watch
    }
}
