//! What frames say: request heads, responses, continuation flags.

use std::fmt;
use std::str::FromStr;

use crate::byte_range::ByteRange;
use crate::id::{MessageId, TransactionId};
use crate::status;
use crate::uri::Path;

/// What a request wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// Carries a message or a part of it.
    Send,
    /// Says what became of a message; never answered.
    Report,
    /// Anything else; answered 501 (ERR-37).
    Other(String),
}

impl Method {
    /// The method as it stands in the start line.
    pub fn as_str(&self) -> &str {
        match self {
            Method::Send => "SEND",
            Method::Report => "REPORT",
            Method::Other(name) => name,
        }
    }
}

/// The last character of an end-line (RFC 4975 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// `$`: the message ends here.
    Complete,
    /// `+`: more of the message follows in another chunk.
    More,
    /// `#`: the sender gave the message up.
    Aborted,
}

impl Continuation {
    /// The flag's character.
    pub fn as_byte(self) -> u8 {
        match self {
            Continuation::Complete => b'$',
            Continuation::More => b'+',
            Continuation::Aborted => b'#',
        }
    }

    /// The flag with this character.
    pub fn from_byte(byte: u8) -> Option<Continuation> {
        match byte {
            b'$' => Some(Continuation::Complete),
            b'+' => Some(Continuation::More),
            b'#' => Some(Continuation::Aborted),
            _ => None,
        }
    }
}

/// Which responses the sender of a SEND wants (RFC 4975 §7.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailureReport {
    /// Every chunk is answered.
    #[default]
    Yes,
    /// Only failures are answered.
    Partial,
    /// Nothing is answered, whatever happens (ERR-38).
    No,
}

impl FailureReport {
    /// Whether a response with this code is to be sent.
    pub fn wants(self, code: u16) -> bool {
        match self {
            FailureReport::Yes => true,
            FailureReport::Partial => code != status::OK,
            FailureReport::No => false,
        }
    }

    /// The header's value.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureReport::Yes => "yes",
            FailureReport::Partial => "partial",
            FailureReport::No => "no",
        }
    }
}

impl FromStr for FailureReport {
    type Err = ();

    fn from_str(text: &str) -> Result<FailureReport, ()> {
        match text.to_ascii_lowercase().as_str() {
            "yes" => Ok(FailureReport::Yes),
            "partial" => Ok(FailureReport::Partial),
            "no" => Ok(FailureReport::No),
            _ => Err(()),
        }
    }
}

/// The Status header of a REPORT: `000 200 OK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportStatus {
    /// Whose codes these are; 0 for those of MSRP responses.
    pub namespace: u16,
    /// The code; 200 for success.
    pub code: u16,
    /// Text for people.
    pub comment: String,
}

impl ReportStatus {
    /// `000 200 OK`.
    pub fn success() -> ReportStatus {
        let comment = status::comment(status::OK).to_owned();
        ReportStatus {
            namespace: 0,
            code: status::OK,
            comment,
        }
    }

    /// Whether the message arrived.
    pub fn is_success(&self) -> bool {
        self.namespace == 0 && self.code == status::OK
    }
}

impl fmt::Display for ReportStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03} {:03}", self.namespace, self.code)?;
        if self.comment.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.comment)
        }
    }
}

impl FromStr for ReportStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<ReportStatus, ()> {
        let mut parts = text.splitn(3, ' ');
        let namespace = three_digits(parts.next().unwrap_or_default()).ok_or(())?;
        let code = three_digits(parts.next().unwrap_or_default()).ok_or(())?;
        let comment = parts.next().unwrap_or_default().to_owned();
        Ok(ReportStatus {
            namespace,
            code,
            comment,
        })
    }
}

/// Everything of a request before its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHead {
    /// Ties the response and the end-line to this request.
    pub transaction_id: TransactionId,
    /// What the request wants.
    pub method: Method,
    /// Where it goes, next hop first.
    pub to_path: Path,
    /// Where it comes from, last hop first.
    pub from_path: Path,
    /// The message this chunk or report belongs to; always there in a SEND that was decoded.
    pub message_id: Option<MessageId>,
    /// Which part of the message this is.
    pub byte_range: Option<ByteRange>,
    /// The Success-Report header; absent means no.
    pub success_report: Option<bool>,
    /// The Failure-Report header; absent means yes.
    pub failure_report: Option<FailureReport>,
    /// The Status header, in REPORTs.
    pub status: Option<ReportStatus>,
    /// Type of the body; always printed as the last header (PSH-11).
    pub content_type: Option<String>,
    /// All other headers in their order, name and value as written.
    pub headers: Vec<(String, String)>,
}

impl RequestHead {
    /// A request with nothing but its addresses.
    pub fn new(transaction_id: TransactionId, method: Method, to: Path, from: Path) -> RequestHead {
        RequestHead {
            transaction_id,
            method,
            to_path: to,
            from_path: from,
            message_id: None,
            byte_range: None,
            success_report: None,
            failure_report: None,
            status: None,
            content_type: None,
            headers: Vec::new(),
        }
    }

    /// Which responses the sender wants.
    pub fn wanted_responses(&self) -> FailureReport {
        self.failure_report.unwrap_or_default()
    }

    /// Whether the sender wants to hear that the whole message arrived.
    pub fn wants_success_report(&self) -> bool {
        self.success_report.unwrap_or(false)
    }

    /// The value of the first header of this name that has no field of its own; case does not
    /// count.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(held, _)| held.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The answer to one request; goes one hop only (RFC 4975 §7.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The request's transaction id.
    pub transaction_id: TransactionId,
    /// The code, see [`status`].
    pub code: u16,
    /// Text for people.
    pub comment: String,
    /// The hop that sent the request.
    pub to_path: Path,
    /// The hop that answers.
    pub from_path: Path,
    /// Any other header as written.
    pub headers: Vec<(String, String)>,
}

impl Response {
    /// The answer with this code to a request, addressed to the hop it came from.
    pub fn to(request: &RequestHead, code: u16) -> Response {
        Response {
            transaction_id: request.transaction_id.clone(),
            code,
            comment: status::comment(code).to_owned(),
            to_path: request.from_path.first().clone().into(),
            from_path: request.to_path.first().clone().into(),
            headers: Vec::new(),
        }
    }
}

/// A number of exactly three digits.
pub(crate) fn three_digits(text: &str) -> Option<u16> {
    if text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}
