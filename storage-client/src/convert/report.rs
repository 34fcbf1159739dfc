//! Delivery reports.

use proto::v1;
use proto::v1::leg_settlement::Outcome;
use proto::v1::report_name::Subject;
use proto::v1::report_settlement::Outcome as Given;

use super::fan_out::outcome;
use super::message::report_request;
use super::time;
use crate::fan_out::LegOutcome;
use crate::report::{Report, ReportStatus, ReportSubject};

/// `None` for one that is not whole.
pub(crate) fn report(report: v1::Report) -> Option<Report> {
    let status = match report.status() {
        v1::ReportStatus::Stored => ReportStatus::Stored,
        v1::ReportStatus::Failed => ReportStatus::Failed,
        v1::ReportStatus::Forbidden => ReportStatus::Forbidden,
        v1::ReportStatus::Unspecified => return None,
    };
    let claim = report.claim?;
    let name = claim.name?;
    Some(Report {
        subject: match name.subject? {
            Subject::Message(number) => ReportSubject::Message(number),
            Subject::Job(number) => ReportSubject::Job(number),
        },
        is_delivery: name.is_delivery,
        status,
        to: report.to,
        recipient: report.recipient,
        request: report_request(report.request?),
        made_at: time(report.made_at?)?,
        claim,
    })
}

pub(crate) fn report_settlement(
    claim: v1::ReportClaim,
    given: &LegOutcome,
) -> v1::ReportSettlement {
    let outcome = match outcome(given) {
        Outcome::Answered(answered) => Given::Answered(answered),
        Outcome::HopDown(down) => Given::HopDown(down),
        Outcome::Returned(returned) => Given::Returned(returned),
    };
    v1::ReportSettlement {
        report: Some(claim),
        outcome: Some(outcome),
    }
}
