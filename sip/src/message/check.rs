//! What makes a well-framed message unacceptable before anybody looks at its meaning (requirements 1.20).

use super::{Headers, Request, Response};
use crate::{HeaderError, Name, StatusCode, Uri};

/// The only version spoken (RFC 3261 §7.1).
const VERSION: &str = "SIP/2.0";

/// Why a message is not served, with the status a request gets for it; a response is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{status} {reason}")]
pub struct Violation {
    /// 400, 416 or 505 from [`Request::check`].
    pub status: StatusCode,
    /// A phrase fit for the status line or a Warning.
    pub reason: &'static str,
}

impl Violation {
    /// The fault of a malformed message: 400.
    pub fn bad_request(reason: &'static str) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            reason,
        }
    }
}

impl From<HeaderError> for Violation {
    fn from(error: HeaderError) -> Self {
        Self::bad_request(malformed(error.name))
    }
}

impl Request {
    /// The verdicts that need no knowledge of the service, first hit first: ERR-01 (400: mandatory, duplicate or
    /// malformed headers, CSeq of another method, malformed Request-URI), ERR-02 (505) and ERR-04 (416). `im:`
    /// passes; whether its domain is ours is for the service to say.
    ///
    /// # Errors
    /// The status and phrase to answer with.
    pub fn check(&self) -> Result<(), Violation> {
        self.verdict(|| self.judge())
    }

    fn judge(&self) -> Result<(), Violation> {
        let cseq = mandatory(Mandatory {
            headers: self.headers(),
            top_via: self.top_via(),
            from: self.from(),
            to: self.to(),
            cseq: self.cseq(),
        })?;
        if cseq.method != *self.method() {
            return Err(Violation::bad_request("CSeq method does not match"));
        }
        self.headers().max_forwards()?;
        if self.version() != VERSION {
            let status = StatusCode::VERSION_NOT_SUPPORTED;
            return Err(Violation {
                status,
                reason: status.reason(),
            });
        }
        check_uri(self)
    }
}

impl Response {
    /// Whether the response can be matched to a request at all; one that fails is ignored (RFC 3261 §18.1.2).
    ///
    /// # Errors
    /// The fault, for the log.
    pub fn check(&self) -> Result<(), Violation> {
        let headers = self.headers();
        mandatory(Mandatory {
            headers,
            top_via: headers.top_via(),
            from: headers.from(),
            to: headers.to(),
            cseq: headers.cseq(),
        })?;
        if self.version() != VERSION.as_bytes() {
            let status = StatusCode::VERSION_NOT_SUPPORTED;
            return Err(Violation {
                status,
                reason: status.reason(),
            });
        }
        Ok(())
    }
}

/// The headers that every message has, as they were read.
struct Mandatory<'a, V, N, C> {
    headers: &'a Headers,
    top_via: Result<Option<V>, HeaderError>,
    from: Result<Option<N>, HeaderError>,
    to: Result<Option<N>, HeaderError>,
    cseq: Result<Option<C>, HeaderError>,
}

/// Via, From, To, Call-ID and CSeq are there and well-formed, nothing is there twice that must not be
/// (RFC 3261 §8.1.1). The CSeq.
fn mandatory<V, N, C>(found: Mandatory<'_, V, N, C>) -> Result<C, Violation> {
    if let Some(reason) = duplicate(found.headers) {
        return Err(Violation::bad_request(reason));
    }
    found
        .top_via?
        .ok_or(Violation::bad_request("Missing Via"))?;
    found.from?.ok_or(Violation::bad_request("Missing From"))?;
    found.to?.ok_or(Violation::bad_request("Missing To"))?;
    let call_id = found.headers.call_id().unwrap_or_default();
    if call_id.is_empty() {
        return Err(Violation::bad_request("Missing Call-ID"));
    }
    // What we send in its dialog could not hold it (RFC 3261 §25.1, `word`).
    if call_id.contains(|letter: char| letter.is_control() || letter == ' ') {
        return Err(Violation::bad_request("Malformed Call-ID"));
    }
    found.cseq?.ok_or(Violation::bad_request("Missing CSeq"))
}

/// Every name has a bit of its own below.
const _: () = assert!(Name::ALL.len() <= 128);

/// The first header that stands twice although it has one value (RFC 3261 §7.3.1).
fn duplicate(headers: &Headers) -> Option<&'static str> {
    let mut seen: u128 = 0;
    for name in headers
        .iter()
        .filter_map(|field| field.known())
        .filter(|name| name.is_single())
    {
        let bit = 1_u128 << name as u8;
        if seen & bit != 0 {
            return Some("Duplicate header");
        }
        seen |= bit;
    }
    None
}

/// A Request-URI is sip, sips, tel or im, and carries no headers (RFC 3261 §19.1.1).
fn check_uri(request: &Request) -> Result<(), Violation> {
    match request.request_uri() {
        Ok(Uri::Sip(uri)) if uri.headers.is_some() => {
            Err(Violation::bad_request("Headers in Request-URI"))
        }
        Ok(Uri::Sip(_) | Uri::Tel(_)) => Ok(()),
        Ok(Uri::Other { scheme, .. }) if scheme == "im" => Ok(()),
        Ok(Uri::Other { .. }) => {
            let status = StatusCode::UNSUPPORTED_URI_SCHEME;
            Err(Violation {
                status,
                reason: status.reason(),
            })
        }
        Err(_) => Err(Violation::bad_request("Malformed Request-URI")),
    }
}

fn malformed(name: Name) -> &'static str {
    match name {
        Name::Via => "Malformed Via",
        Name::From => "Malformed From",
        Name::To => "Malformed To",
        Name::CSeq => "Malformed CSeq",
        Name::MaxForwards => "Malformed Max-Forwards",
        Name::Contact => "Malformed Contact",
        _ => "Malformed header",
    }
}
