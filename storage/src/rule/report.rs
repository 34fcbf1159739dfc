//! Which reports are made and what becomes of them, for every engine (IMD rows).
//!
//! A report is made in the batch that writes what it tells: the deposit (`stored`), or the end of a message that was
//! not delivered. A message that its owner or an operator deletes is not reported, as RFC 5438 §7.2.1.1 has no word for it and
//! IMD-02 names no such case: to tell it as `failed` would disclose what the owner does with his mail. Nor is one that its own
//! sender takes back (requirements §3.14).

use std::time::Duration;

use crate::config::Retention;
use crate::model::{
    Address, ClaimedReport, Class, Disposition, Envelope, EventKind, JobNumber, JobRequest,
    LegName, LegOutcome, MessageNumber, MessageReport, Report, ReportBatch, ReportKind, ReportName,
    ReportRequest, ReportSettled, ReportState, ReportStatus, ReportSubject, ReportToken,
    Settlement, UnixMillis,
};
use crate::rule::leg::{Verdict, verdict};
use crate::timekeeper::Times;
use crate::value::ReportValue;

/// The report that a message is to get on reaching this status. `None` if its sender did not ask, cannot be told, or has been
/// told before.
pub(crate) fn of_message(
    envelope: &Envelope,
    number: MessageNumber,
    made: &[MessageReport],
    status: ReportStatus,
    (times, retention): (Times, &Retention),
) -> Option<ReportValue> {
    let is_told = made.iter().any(|made| made.status.kind() == status.kind());
    // A notification asks for none, whatever it says (IMD-03).
    if is_told || envelope.class == Class::Imdn {
        return None;
    }
    let request = envelope.report_request.as_ref()?;
    let to = envelope.sender.as_ref()?;
    let subject = ReportSubject::Message(number);
    let about = (subject, &envelope.served_user);
    made_now(about, status, (request, to), (times, retention))
}

/// The report that a message to many is a job now (IMD-08).
pub(crate) fn of_job(
    job: &JobRequest,
    number: JobNumber,
    (times, retention): (Times, &Retention),
) -> Option<ReportValue> {
    let request = job.report_request.as_ref()?;
    let about = (ReportSubject::Job(number), &job.addressed_to);
    let asked = (request, &job.sender);
    made_now(about, ReportStatus::Stored, asked, (times, retention))
}

/// What the sender of a message is told that a client's word has ended, by what the timeline calls that end: refused by a 6xx,
/// or too often as it is (requirements §3.5).
pub(crate) fn refused(settlement: &Settlement, end: EventKind) -> Option<ReportStatus> {
    match settlement {
        _ if end != EventKind::Refused => None,
        Settlement::Refused { .. } => Some(ReportStatus::Forbidden),
        Settlement::Delivered { .. } | Settlement::Failed { .. } => Some(ReportStatus::Failed),
    }
}

fn made_now(
    (subject, recipient): (ReportSubject, &Address),
    status: ReportStatus,
    (request, to): (&ReportRequest, &Address),
    (times, retention): (Times, &Retention),
) -> Option<ReportValue> {
    let asked = match status.kind() {
        ReportKind::Processing => Disposition::Processing,
        ReportKind::Delivery => Disposition::NegativeDelivery,
    };
    request.asked.contains(&asked).then(|| ReportValue {
        report: Report {
            name: ReportName {
                subject,
                kind: status.kind(),
            },
            status,
            to: to.clone(),
            recipient: recipient.clone(),
            request: request.clone(),
            made_at: times.wall,
            expires_at: times.wall.after(retention.reports),
        },
        due_at: times.steady,
        generation: 0,
        tries: 0,
        loops: 0,
    })
}

/// The rows that decisions are made on. A failure to read stops the operation; nothing of it counts.
pub(crate) trait ReportDesk {
    type Stop;

    fn times(&self) -> Times;
    fn report(&mut self, name: ReportName) -> Result<Option<ReportValue>, Self::Stop>;
    fn set_report(&mut self, name: ReportName, report: Option<ReportValue>);
    fn add_report_due(&mut self, at: UnixMillis, name: ReportName);
    fn remove_report_due(&mut self, at: UnixMillis, name: ReportName);
    /// When the next report to this sender may go, if not now (IMD-08).
    fn pace(&mut self, to: &Address) -> Result<(), Duration>;
    /// A report is done with: its message, if that is still there, is to know.
    fn note_end(&mut self, number: MessageNumber, end: ReportEnd<'_>) -> Result<(), Self::Stop>;
}

/// How a report ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReportEnd<'a> {
    pub(crate) kind: ReportKind,
    pub(crate) state: ReportState,
    /// For the timeline.
    pub(crate) detail: &'a str,
}

impl ReportEnd<'_> {
    /// Changes what the message knows of its report.
    pub(crate) fn apply(&self, reports: &mut [MessageReport]) {
        let its = |made: &&mut MessageReport| made.status.kind() == self.kind;
        if let Some(made) = reports.iter_mut().find(its) {
            made.state = self.state;
        }
    }

    /// What the timeline calls it.
    pub(crate) fn event(&self) -> EventKind {
        match self.state {
            ReportState::Sent => EventKind::ReportSent,
            ReportState::Waiting | ReportState::Dropped => EventKind::ReportDropped,
        }
    }
}

/// Claims those of the candidates, which a scan has found, that may go now.
pub(crate) fn claim<D: ReportDesk>(
    desk: &mut D,
    candidates: &[(UnixMillis, ReportName)],
    lease: Duration,
) -> Result<ReportBatch, D::Stop> {
    let mut batch = ReportBatch::default();
    let times = desk.times();
    for (due_at, name) in candidates {
        let found = desk.report(*name)?;
        // Somebody else has had it since.
        let Some(mut row) = found.filter(|row| row.due_at == *due_at) else {
            continue;
        };
        if row.report.expires_at <= times.wall {
            batch.dropped.push(row.report.status);
            end(desk, &row, ReportState::Dropped, "its time is over")?;
            continue;
        }
        let pause = match desk.pace(&row.report.to) {
            Err(pause) => pause,
            Ok(()) => {
                row.generation = row.generation.saturating_add(1);
                batch.reports.push(ClaimedReport {
                    token: ReportToken {
                        name: *name,
                        generation: row.generation,
                    },
                    report: row.report.clone(),
                });
                lease
            }
        };
        postpone(desk, row, pause);
    }
    Ok(batch)
}

/// A message has been delivered although it had ended undelivered: a report of that which nobody has been given yet is not
/// sent. Says whether there was one.
pub(crate) fn retract<D: ReportDesk>(desk: &mut D, number: MessageNumber) -> Result<bool, D::Stop> {
    let name = ReportName {
        subject: ReportSubject::Message(number),
        kind: ReportKind::Delivery,
    };
    let found = desk.report(name)?;
    let Some(row) = found.filter(|row| row.generation == 0) else {
        return Ok(false);
    };
    let reason = "it was delivered after all";
    end(desk, &row, ReportState::Dropped, reason)?;
    Ok(true)
}

/// What follows from the outcomes of tries, each decided as that of a leg.
pub(crate) fn settle<D: ReportDesk>(
    desk: &mut D,
    settlements: &[(ReportToken, LegOutcome)],
) -> Result<Vec<ReportSettled>, D::Stop> {
    let settle = |(token, outcome): &(ReportToken, LegOutcome)| settle_one(desk, *token, outcome);
    settlements.iter().map(settle).collect()
}

fn settle_one<D: ReportDesk>(
    desk: &mut D,
    token: ReportToken,
    outcome: &LegOutcome,
) -> Result<ReportSettled, D::Stop> {
    let Some(mut row) = desk.report(token.name)? else {
        return Ok(ReportSettled::Superseded);
    };
    let is_current = row.generation == token.generation;
    let status = row.report.status;
    let detail = match outcome {
        LegOutcome::Answered { reason, .. } | LegOutcome::HopDown { reason, .. } => reason,
        LegOutcome::Returned => "",
    };
    match verdict(outcome, spread_by(token.name), row.tries, row.loops) {
        // Whoever has it from an earlier try has it.
        Verdict::Delivered => {
            end(desk, &row, ReportState::Sent, detail)?;
            Ok(ReportSettled::Sent(status))
        }
        _ if !is_current => Ok(ReportSettled::Superseded),
        Verdict::Failed => {
            end(desk, &row, ReportState::Dropped, detail)?;
            Ok(ReportSettled::Dropped(status))
        }
        Verdict::Again {
            after,
            counted,
            looped,
        } => {
            row.tries = row.tries.saturating_add(u32::from(counted));
            row.loops = row.loops.saturating_add(u32::from(looped));
            let left = row.report.expires_at.since(desk.times().wall);
            postpone(desk, row, after.min(left));
            Ok(ReportSettled::Again(status))
        }
    }
}

fn postpone<D: ReportDesk>(desk: &mut D, mut row: ReportValue, pause: Duration) {
    let name = row.report.name;
    desk.remove_report_due(row.due_at, name);
    row.due_at = desk.times().steady.after(pause);
    desk.add_report_due(row.due_at, name);
    desk.set_report(name, Some(row));
}

fn end<D: ReportDesk>(
    desk: &mut D,
    row: &ReportValue,
    state: ReportState,
    detail: &str,
) -> Result<(), D::Stop> {
    let name = row.report.name;
    desk.remove_report_due(row.due_at, name);
    desk.set_report(name, None);
    match name.subject {
        ReportSubject::Message(number) => {
            let kind = name.kind;
            let end = ReportEnd {
                kind,
                state,
                detail,
            };
            desk.note_end(number, end)
        }
        ReportSubject::Job(_) => Ok(()),
    }
}

/// Pauses are spread as those of legs are.
fn spread_by(name: ReportName) -> LegName {
    let number = match name.subject {
        ReportSubject::Message(number) => number.0,
        ReportSubject::Job(number) => number.0,
    };
    LegName {
        job: JobNumber(number),
        index: name.kind as u32,
    }
}
