//! The two requests the layer makes itself, out of the INVITE they belong to.

use crate::message::{Request, RequestBuilder, Response};
use crate::{Method, Name};

/// The ACK of a final response other than 2xx (RFC 3261 §17.1.1.3): everything from the INVITE, To from the response.
pub(super) fn ack(invite: &Request, response: &Response) -> Request {
    let to = response
        .headers()
        .first(Name::To)
        .map(|field| field.value().into_owned());
    derive(invite, Method::Ack, to)
}

/// The CANCEL of an INVITE (RFC 3261 §9.1), its To included.
pub(super) fn cancel(invite: &Request) -> Request {
    derive(invite, Method::Cancel, None)
}

/// Request-URI, top Via, From, Call-ID, CSeq number and Route of `invite`.
fn derive(invite: &Request, method: Method, to: Option<String>) -> Request {
    let headers = invite.headers();
    let first = |name: Name| {
        headers
            .first(name)
            .map(|field| field.value().into_owned())
            .unwrap_or_default()
    };
    let number = headers.cseq().ok().flatten().map_or(0, |cseq| cseq.number);
    let cseq = format!("{number} {method}");
    let via = headers.values(Name::Via).next().unwrap_or_default();
    let mut builder = RequestBuilder::new(method, &invite.raw_uri())
        .header(Name::Via, via)
        .header(Name::MaxForwards, 70)
        .header(Name::From, first(Name::From))
        .header(Name::To, to.unwrap_or_else(|| first(Name::To)))
        .header(Name::CallId, first(Name::CallId))
        .header(Name::CSeq, cseq);
    for route in headers.all(Name::Route) {
        builder = builder.header(Name::Route, route.value());
    }
    builder.build()
}
