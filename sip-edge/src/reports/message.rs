//! The MESSAGE that brings a report to its sender (requirements §2.9), the same octets in every try.

use cpim::imdn::{Notification, Status, datetime};
use edge::sending::invite::MAX_FORWARDS;
use edge::signature::Signature;
use sip::{CSeq, Method, Name, Request, RequestBuilder, Uri};
use storage_client::report::{Report, ReportStatus, ReportSubject};

/// Only IM clients shall get it.
const ACCEPT_CONTACT: &str = "*;+g.oma.sip-im";

/// The report has nobody to go to, who could be written into a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sender has no address")]
pub(crate) struct NoAddress;

/// What a report is known by, wherever it comes: a number, what it counts, and which of the two reports.
fn name(report: &Report) -> String {
    let kind = match report.is_delivery {
        true => 'd',
        false => 'p',
    };
    match report.subject {
        ReportSubject::Message(number) => format!("{number}-{kind}"),
        ReportSubject::Job(number) => format!("j{number}-{kind}"),
    }
}

/// The Call-ID of a report of the store with this hostname, in every try.
pub(crate) fn call_id(report: &Report, hostname: &str) -> String {
    format!("imdn-{}@{hostname}", name(report))
}

/// The request without Via.
///
/// # Errors
/// [`NoAddress`].
pub(crate) fn request(
    report: &Report,
    routes: &[String],
    hostname: &str,
    signature: &Signature,
) -> Result<Request, NoAddress> {
    let to: Uri = report.to.parse().map_err(|_| NoAddress)?;
    let store = signature.store_identity();
    let cseq = CSeq {
        number: 1,
        method: Method::Message,
    };
    let builder = RequestBuilder::new(Method::Message, &to).header(Name::MaxForwards, MAX_FORWARDS);
    let builder = routes
        .iter()
        .fold(builder, |builder, route| builder.header(Name::Route, route));
    let tag = format!("imdn-{}", name(report));
    Ok(builder
        .header(Name::From, format_args!("{store};tag={tag}"))
        .header(Name::To, format_args!("<{to}>"))
        .header(Name::CallId, call_id(report, hostname))
        .header(Name::CSeq, cseq)
        .header(Name::AcceptContact, ACCEPT_CONTACT)
        .header(Name::UserAgent, signature.product())
        .header(Name::PAssertedIdentity, store)
        .body("message/cpim", body(report))
        .build())
}

/// The notification, from whom the sender had written to and to whom he had called himself (IMD-06).
fn body(report: &Report) -> bytes::Bytes {
    let request = &report.request;
    let or_address = |written: &str, address: &str| match written.is_empty() {
        true => format!("<{address}>"),
        false => written.to_owned(),
    };
    let original = match request.original_recipient.as_str() {
        "" => &report.recipient,
        _ => &request.original_recipient,
    };
    let notification = Notification {
        message_id: request.imdn_message_id.clone(),
        datetime: datetime(report.made_at),
        recipient: report.recipient.clone(),
        original_recipient: original.clone(),
        status: match report.status {
            ReportStatus::Stored => Status::Stored,
            ReportStatus::Failed => Status::Failed,
            ReportStatus::Forbidden => Status::Forbidden,
        },
    };
    let from = or_address(&request.to, &report.recipient);
    let to = or_address(&request.from, &report.to);
    notification.message(&from, &to, &own_id(report))
}

/// `imdn.Message-ID` of the notification itself: that it was stored, or what became of its delivery.
fn own_id(report: &Report) -> String {
    let word = match report.is_delivery {
        true => "dl",
        false => "st",
    };
    match report.subject {
        ReportSubject::Message(number) => format!("{word}-{number}"),
        ReportSubject::Job(number) => format!("{word}-j{number}"),
    }
}
