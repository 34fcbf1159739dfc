//! Reports on their way, and what envelopes and states say of them.

use std::num::NonZeroU32;

use super::{Decoder, Encoder, Malformed, Value};
use crate::model::{
    Address, Disposition, JobNumber, MessageNumber, MessageReport, Report, ReportName,
    ReportRequest, ReportState, ReportStatus, ReportSubject, UnixMillis,
};

/// A report that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ReportValue {
    pub(crate) report: Report,
    /// Its place in the index by due time: of the next try, or of the end of the lease of one. On the steady clock.
    pub(crate) due_at: UnixMillis,
    /// Tries begun.
    pub(crate) generation: u32,
    /// Tries that count for the pauses between them.
    pub(crate) tries: u32,
    /// How many of them were answered 482.
    pub(crate) loops: u32,
}

impl Value for ReportValue {
    const WHAT: &'static str = "report";

    fn write(&self, out: &mut Encoder) {
        let report = &self.report;
        let (subject, number) = match report.name.subject {
            ReportSubject::Message(number) => (1, number.0),
            ReportSubject::Job(number) => (2, number.0),
        };
        out.u8(subject);
        out.u64(number);
        out.u8(report.status as u8);
        out.u64(report.made_at.0);
        out.u64(report.expires_at.0);
        out.u64(self.due_at.0);
        out.count(self.generation.into());
        out.count(self.tries.into());
        out.seal();
        out.text(report.to.as_str());
        out.text(report.recipient.as_str());
        write_request(&report.request, out);
        // Rows of an earlier version have none.
        if self.loops > 0 {
            out.count(self.loops.into());
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let subject = fields.u8()?;
        let number = fields.u64()?;
        let subject = match subject {
            1 => ReportSubject::Message(MessageNumber(number)),
            2 => ReportSubject::Job(JobNumber(number)),
            _ => return Err(Malformed),
        };
        let status = status(fields)?;
        let made_at = UnixMillis(fields.u64()?);
        let expires_at = UnixMillis(fields.u64()?);
        let due_at = UnixMillis(fields.u64()?);
        let generation = fields.count32()?;
        let tries = fields.count32()?;
        let report = Report {
            name: ReportName {
                subject,
                kind: status.kind(),
            },
            status,
            to: Address::new(fields.text()?),
            recipient: Address::new(fields.text()?),
            request: read_request(fields)?,
            made_at,
            expires_at,
        };
        let loops = match fields.is_at_end() {
            true => 0,
            false => NonZeroU32::new(fields.count32()?).ok_or(Malformed)?.get(),
        };
        Ok(Self {
            report,
            due_at,
            generation,
            tries,
            loops,
        })
    }
}

pub(super) fn write_request(request: &ReportRequest, out: &mut Encoder) {
    out.list(&request.asked, |out, asked| out.u8(*asked as u8));
    for text in [
        &request.imdn_message_id,
        &request.from,
        &request.to,
        &request.original_recipient,
    ] {
        out.text(text);
    }
}

pub(super) fn read_request(fields: &mut Decoder<'_>) -> Result<ReportRequest, Malformed> {
    Ok(ReportRequest {
        asked: fields.list(disposition)?,
        imdn_message_id: fields.text()?,
        from: fields.text()?,
        to: fields.text()?,
        original_recipient: fields.text()?,
    })
}

pub(super) fn write_made(made: &MessageReport, out: &mut Encoder) {
    out.u8(made.status as u8);
    out.u8(made.state as u8);
}

pub(super) fn read_made(fields: &mut Decoder<'_>) -> Result<MessageReport, Malformed> {
    let status = status(fields)?;
    let state = fields.u8()?;
    let state = [
        ReportState::Waiting,
        ReportState::Sent,
        ReportState::Dropped,
    ]
    .into_iter()
    .find(|known| *known as u8 == state)
    .ok_or(Malformed)?;
    Ok(MessageReport { status, state })
}

fn status(fields: &mut Decoder<'_>) -> Result<ReportStatus, Malformed> {
    let number = fields.u8()?;
    ReportStatus::ALL
        .into_iter()
        .find(|status| *status as u8 == number)
        .ok_or(Malformed)
}

fn disposition(fields: &mut Decoder<'_>) -> Result<Disposition, Malformed> {
    let number = fields.u8()?;
    [
        Disposition::PositiveDelivery,
        Disposition::NegativeDelivery,
        Disposition::Processing,
        Disposition::Display,
    ]
    .into_iter()
    .find(|disposition| *disposition as u8 == number)
    .ok_or(Malformed)
}
