//! OPTIONS is the health of this edge for dispatchers (SRV-02).

use sip::{Method, Name, Request, Response, ResponseBuilder, SipDate, StatusCode, token};

/// `Server` of every answer (SRV-01).
const RELEASE: &str = concat!("IM-serv/OMA1.0 Restante/", env!("CARGO_PKG_VERSION"));
/// The methods that are answered with something else than 405.
const ALLOW: &str = "OPTIONS";
/// Seconds after which a dispatcher may ask an edge again that is draining.
const RETRY_AFTER: u32 = 5;

/// The answer to any request but ACK.
pub(crate) fn answer(request: &Request, is_draining: bool, now: SipDate) -> Response {
    let status = match request.method() {
        _ if is_draining => StatusCode::SERVICE_UNAVAILABLE,
        Method::Options => StatusCode::OK,
        Method::Other(_) => StatusCode::NOT_IMPLEMENTED,
        _ => StatusCode::METHOD_NOT_ALLOWED,
    };
    let response = ResponseBuilder::reply_to(request, status)
        .to_tag(&token::tag(&mut rand::rng()))
        .header(Name::Allow, ALLOW)
        .header(Name::Date, now)
        .header(Name::Server, RELEASE);
    match status {
        StatusCode::SERVICE_UNAVAILABLE => response.header(Name::RetryAfter, RETRY_AFTER),
        StatusCode::OK => response
            .header(Name::Accept, "")
            .header(Name::Supported, ""),
        _ => response,
    }
    .build()
}

#[cfg(test)]
mod tests {
    use sip::{Limits, Message, parse_datagram};

    use super::*;

    fn status_of(method: &str, is_draining: bool) -> (u16, bool) {
        let text = format!(
            "{method} sip:cf1.example.org SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: <sip:a@example.org>;tag=1\r\nTo: <sip:b@example.org>\r\nCall-ID: 1\r\n\
             CSeq: 1 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        let Ok(Message::Request(request)) = parse_datagram(text.into(), &Limits::default()) else {
            panic!("a request")
        };
        let response = answer(&request, is_draining, SipDate::from_unix_seconds(0));
        (
            response.status().code(),
            response.headers().retry_after() == Ok(Some(RETRY_AFTER)),
        )
    }

    #[test]
    fn srv_02_options_tell_health() {
        assert_eq!(status_of("OPTIONS", false), (200, false));
        assert_eq!(status_of("OPTIONS", true), (503, true));
    }

    #[test]
    fn err_03_what_is_not_served_is_405_or_501() {
        assert_eq!(status_of("MESSAGE", false), (405, false));
        assert_eq!(status_of("FOO", false), (501, false));
    }
}
