//! Delivery reports.

use proto::v1;
use proto::v1::leg_settlement::Outcome;
use proto::v1::report_name::Subject;
use proto::v1::report_settlement::Outcome as Given;
use storage::model::{
    ClaimedReport, JobNumber, LegOutcome, MessageNumber, ReportKind, ReportName, ReportSubject,
    ReportToken,
};
use tonic::Status;

use super::fan_out::outcome;
use super::message::{proto_report_request, proto_report_status};
use super::{required, timestamp};

/// A report for an edge.
pub(crate) fn claimed_report(claimed: ClaimedReport) -> v1::Report {
    let ClaimedReport { token, report } = claimed;
    let subject = match token.name.subject {
        ReportSubject::Message(number) => Subject::Message(number.0),
        ReportSubject::Job(number) => Subject::Job(number.0),
    };
    v1::Report {
        claim: Some(v1::ReportClaim {
            name: Some(v1::ReportName {
                subject: Some(subject),
                is_delivery: token.name.kind == ReportKind::Delivery,
            }),
            generation: token.generation,
        }),
        status: proto_report_status(report.status).into(),
        to: report.to.as_str().to_owned(),
        recipient: report.recipient.as_str().to_owned(),
        request: Some(proto_report_request(report.request)),
        made_at: Some(timestamp(report.made_at)),
        expires_at: Some(timestamp(report.expires_at)),
    }
}

/// What came of a try.
pub(crate) fn report_outcome(
    settlement: v1::ReportSettlement,
) -> Result<(ReportToken, LegOutcome), Status> {
    let claim = required(settlement.report, "the report is missing")?;
    let name = required(claim.name, "the report has no name")?;
    let subject = match required(name.subject, "the report is about nothing")? {
        Subject::Message(number) => ReportSubject::Message(MessageNumber(number)),
        Subject::Job(number) => ReportSubject::Job(JobNumber(number)),
    };
    let kind = match name.is_delivery {
        true => ReportKind::Delivery,
        false => ReportKind::Processing,
    };
    let token = ReportToken {
        name: ReportName { subject, kind },
        generation: claim.generation,
    };
    let given = match required(settlement.outcome, "the outcome is missing")? {
        Given::Answered(answered) => Outcome::Answered(answered),
        Given::HopDown(down) => Outcome::HopDown(down),
        Given::Returned(returned) => Outcome::Returned(returned),
    };
    Ok((token, outcome(given)?))
}
