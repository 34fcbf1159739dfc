//! The profile of every answer (PFM-04, SRV-01, requirements §3.10): To tag, Date, Server, and what
//! the request wants repeated.

use std::time::SystemTime;

use sip::{Name, Request, Response, ResponseBuilder, SipDate, StatusCode};

use crate::refuse::Refusal;
use crate::signature::Signature;
use crate::status;

/// The beginning of an answer with the profile. The charging identifier of the request goes into
/// the answer (requirements §3.9).
pub fn answer(
    request: &Request,
    status: StatusCode,
    signature: &Signature,
    now: SystemTime,
) -> ResponseBuilder {
    let builder = ResponseBuilder::reply_to(request, status)
        .to_tag(&sip::token::tag(&mut rand::rng()))
        .header(Name::Date, sip_date(now))
        .header(Name::Server, signature.product());
    match request.headers().first(Name::PChargingVector) {
        Some(vector) => builder.header(Name::PChargingVector, vector.value()),
        None => builder,
    }
}

/// The answer to a request that is refused.
pub fn refused(
    request: &Request,
    refusal: &Refusal,
    signature: &Signature,
    now: SystemTime,
) -> Response {
    let mut builder = answer(request, status::status(refusal), signature, now);
    if let Refusal::Violation(violation) = refusal {
        builder = builder.reason(violation.reason);
    }
    let headers = status::headers(refusal, signature);
    headers
        .iter()
        .fold(builder, |builder, (name, value)| {
            builder.header(*name, value)
        })
        .build()
}

/// The answer to OPTIONS while ready (SRV-02).
pub fn capabilities(request: &Request, signature: &Signature, now: SystemTime) -> Response {
    let profile = signature.profile();
    let builder = answer(request, StatusCode::OK, signature, now)
        .header(Name::Allow, profile.allow)
        .header(Name::Accept, profile.accept)
        .header(Name::Supported, profile.extensions.join(", "));
    profile
        .allow_events()
        .fold(builder, |builder, (name, value)| {
            builder.header(name, value)
        })
        .build()
}

/// A moment as SIP writes it; second resolution, GMT.
pub fn sip_date(moment: SystemTime) -> SipDate {
    let since_epoch = moment
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    SipDate::from_unix_seconds(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}
