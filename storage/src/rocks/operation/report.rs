//! Reports on their way: the operations, and the desk that the rules work on.

use std::time::Duration;

use crate::column_family::Family;
use crate::key;
use crate::model::{
    Address, Event, LegOutcome, MessageNumber, ReportBatch, ReportName, ReportSettled, ReportToken,
    UnixMillis,
};
use crate::rocks::queue::Lane;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::report::{self, ReportDesk, ReportEnd};
use crate::timekeeper::Times;
use crate::value::ReportValue;

/// Octets that a report adds to a group, roughly.
const REPORT_OCTETS: usize = 1_024;

impl ReportDesk for Transaction<'_> {
    type Stop = Interrupt;

    fn times(&self) -> Times {
        self.times
    }

    fn report(&mut self, name: ReportName) -> Result<Option<ReportValue>, Interrupt> {
        self.report_row(name)
    }

    fn set_report(&mut self, name: ReportName, report: Option<ReportValue>) {
        self.set_report_row(name, report);
    }

    fn add_report_due(&mut self, at: UnixMillis, name: ReportName) {
        self.append_report_due(at, name);
    }

    fn remove_report_due(&mut self, at: UnixMillis, name: ReportName) {
        self.erase(Family::ReportDue, key::report_due(at, name));
    }

    fn pace(&mut self, to: &Address) -> Result<(), Duration> {
        // Taken once: a rehearsal takes nothing.
        match self.is_commit() {
            true => {
                let rate = self.shared.bounds().report_rate;
                self.shared.reports.pace(to, rate, self.times.instant)
            }
            false => Ok(()),
        }
    }

    fn note_end(&mut self, number: MessageNumber, end: ReportEnd<'_>) -> Result<(), Interrupt> {
        // A report may outlive its message.
        let Some(location) = self.location(number)? else {
            return Ok(());
        };
        let Some(loaded) = self.load(location.0, number)? else {
            return Ok(());
        };
        let mut state = loaded.state.clone();
        end.apply(&mut state.reports);
        let event = Event {
            at: self.times.wall,
            kind: end.event(),
            generation: None,
            actor: String::new(),
            detail: end.detail.to_owned(),
        };
        self.save(&loaded, state, vec![event])
    }
}

/// Claims candidates.
pub(in crate::rocks) struct ClaimReports {
    pub(in crate::rocks) candidates: Vec<(UnixMillis, ReportName)>,
    pub(in crate::rocks) lease: Duration,
}

impl Operation for ClaimReports {
    type Answer = ReportBatch;

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        self.candidates.len() * REPORT_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<ReportBatch, Interrupt> {
        report::claim(transaction, &self.candidates, self.lease)
    }
}

/// Settles tries.
pub(in crate::rocks) struct SettleReports(pub(in crate::rocks) Vec<(ReportToken, LegOutcome)>);

impl Operation for SettleReports {
    type Answer = Vec<ReportSettled>;

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        self.0.len() * REPORT_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        report::settle(transaction, &self.0)
    }
}
