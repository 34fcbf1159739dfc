//! Conversions to and from the types of the `rsip` crate, for programs that speak them (feature `rsip`).
//!
//! They are not used on the wire: rsip 0.4 knows 14 methods, no tel URI and no IPv6 Request-URI, and its printer
//! alters binary bodies. What it cannot hold is refused here, never altered; only the writing of a message changes
//! (compact names become long, folds become spaces), so converting there and back keeps the meaning, not the octets.

use bytes::Bytes;

use crate::{Headers, Limits, Message, ParseError, Request, Response, StatusCode, parse_datagram};

/// Why a message of ours cannot become one of rsip's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToRsipError {
    /// A header value is no UTF-8.
    #[error("header value is not UTF-8")]
    NotUtf8,
    /// rsip refuses the start line or a header; the text is its explanation.
    #[error("rsip cannot represent the message: {0}")]
    Refused(String),
    /// rsip understood the Request-URI or the method otherwise than it is written.
    #[error("rsip would alter the start line")]
    Altered,
}

/// Why a message of rsip's cannot become one of ours.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum FromRsipError {
    /// What rsip prints is no SIP message.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// The status code is outside 100 to 699.
    #[error("status code outside 100 to 699")]
    StatusCode,
    /// The start line of a request reads as that of a response, or the other way round.
    #[error("start line of the other kind")]
    Kind,
}

impl TryFrom<&Request> for rsip::Request {
    type Error = ToRsipError;

    fn try_from(request: &Request) -> Result<Self, ToRsipError> {
        let start_line = format!("{} {} SIP/2.0", request.method(), request.raw_uri());
        let head = plain_head(&start_line, request.headers())?;
        let mut converted = Self::try_from(head).map_err(refused)?;
        let method_kept = converted.method.to_string() == request.method().as_str();
        if !method_kept || converted.uri.to_string() != request.raw_uri() {
            return Err(ToRsipError::Altered);
        }
        converted.body = request.body().to_vec();
        Ok(converted)
    }
}

impl TryFrom<&Response> for rsip::Response {
    type Error = ToRsipError;

    fn try_from(response: &Response) -> Result<Self, ToRsipError> {
        let head = plain_head("SIP/2.0 200 OK", response.headers())?;
        let mut converted = Self::try_from(head).map_err(refused)?;
        converted.status_code = rsip_status(response);
        converted.body = response.body().to_vec();
        Ok(converted)
    }
}

impl TryFrom<&rsip::Request> for Request {
    type Error = FromRsipError;

    fn try_from(request: &rsip::Request) -> Result<Self, FromRsipError> {
        let start_line = format!("{} {} {}", request.method, request.uri, request.version);
        match parse_printed(&start_line, &request.headers, &request.body)? {
            Message::Request(converted) => Ok(converted),
            Message::Response(_) => Err(FromRsipError::Kind),
        }
    }
}

impl TryFrom<&rsip::Response> for Response {
    type Error = FromRsipError;

    fn try_from(response: &rsip::Response) -> Result<Self, FromRsipError> {
        let status =
            StatusCode::new(response.status_code.code()).ok_or(FromRsipError::StatusCode)?;
        let reason = match &response.status_code {
            rsip::StatusCode::Other(_, reason) => reason,
            _ => status.reason(),
        };
        let start_line = format!("{} {status} {reason}", response.version);
        match parse_printed(&start_line, &response.headers, &response.body)? {
            Message::Response(converted) => Ok(converted),
            Message::Request(_) => Err(FromRsipError::Kind),
        }
    }
}

fn refused(error: rsip::Error) -> ToRsipError {
    ToRsipError::Refused(error.to_string())
}

/// rsip takes `Accepted` for 201, so that code and 202 go as `Other`, like every code it has no name for.
fn rsip_status(response: &Response) -> rsip::StatusCode {
    let code = response.status().code();
    match rsip::StatusCode::from(code) {
        rsip::StatusCode::Accepted | rsip::StatusCode::Other(..) => {
            rsip::StatusCode::Other(code, response.reason().into_owned())
        }
        named => named,
    }
}

/// The head in the only writing rsip reads: long names, one line each, no body.
fn plain_head(start_line: &str, headers: &Headers) -> Result<String, ToRsipError> {
    let mut head = format!("{start_line}\r\n");
    for field in headers.iter() {
        let name = field.known().map_or(field.name(), |known| known.as_str());
        std::str::from_utf8(field.raw_value()).map_err(|_| ToRsipError::NotUtf8)?;
        head.push_str(&format!("{name}: {}\r\n", field.value()));
    }
    head.push_str("\r\n");
    Ok(head)
}

/// Prints the parts as a message with the right Content-Length, and reads it.
fn parse_printed(
    start_line: &str,
    headers: &rsip::Headers,
    body: &[u8],
) -> Result<Message, ParseError> {
    let mut printed = one_line(start_line);
    for header in headers
        .iter()
        .filter(|header| !matches!(header, rsip::Header::ContentLength(_)))
    {
        printed.push_str(&one_line(&header.to_string()));
    }
    printed.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let octets = Bytes::from([printed.as_bytes(), body].concat());
    parse_datagram(
        octets,
        &Limits {
            body_octets: body.len(),
            ..Limits::default()
        },
    )
}

/// The text with its own line breaks turned into spaces, and a CRLF.
fn one_line(text: &str) -> String {
    text.trim_end().replace(['\r', '\n'], " ") + "\r\n"
}
