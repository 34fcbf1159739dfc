//! Heads from bytes.

use std::str::FromStr;

use crate::error::{DecodeError, Malformed};
use crate::frame::{Method, RequestHead, Response, three_digits};
use crate::id::TransactionId;
use crate::status;
use crate::uri::Path;

/// The first line of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartLine {
    pub(crate) transaction_id: TransactionId,
    pub(crate) kind: Kind,
}

/// Whether a frame asks or answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Request(Method),
    Response { code: u16, comment: String },
}

impl StartLine {
    /// `MSRP tid METHOD` or `MSRP tid 200 comment`, without its CRLF.
    pub(crate) fn parse(line: &[u8]) -> Result<StartLine, Malformed> {
        let line = std::str::from_utf8(line).map_err(|_| Malformed::StartLine)?;
        let rest = line.strip_prefix("MSRP ").ok_or(Malformed::StartLine)?;
        let (id, rest) = rest.split_once(' ').ok_or(Malformed::StartLine)?;
        let transaction_id = id.parse().map_err(|_| Malformed::StartLine)?;
        let (word, comment) = rest.split_once(' ').unwrap_or((rest, ""));
        if !is_text(comment) {
            return Err(Malformed::StartLine);
        }
        let kind = match three_digits(word) {
            Some(code) => Kind::Response {
                code,
                comment: comment.to_owned(),
            },
            None => Kind::Request(
                method(word)
                    .filter(|_| comment.is_empty())
                    .ok_or(Malformed::StartLine)?,
            ),
        };
        Ok(StartLine {
            transaction_id,
            kind,
        })
    }
}

fn method(word: &str) -> Option<Method> {
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&b);
    if word.is_empty() || word.len() > 32 || !word.bytes().all(is_token) {
        return None;
    }
    Some(match word {
        "SEND" => Method::Send,
        "REPORT" => Method::Report,
        other => Method::Other(other.to_owned()),
    })
}

/// The headers of one frame, gathered before it is known what the frame needs.
#[derive(Default)]
struct Gathered {
    to_path: Option<Path>,
    from_path: Option<Path>,
    message_id: Option<crate::id::MessageId>,
    byte_range: Option<crate::byte_range::ByteRange>,
    success_report: Option<bool>,
    failure_report: Option<crate::frame::FailureReport>,
    status: Option<crate::frame::ReportStatus>,
    content_type: Option<String>,
    headers: Vec<(String, String)>,
}

impl Gathered {
    fn take(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let line = std::str::from_utf8(line).map_err(|_| Malformed::HeaderLine)?;
        let (name, value) = line.split_once(':').ok_or(Malformed::HeaderLine)?;
        let value = value.trim_matches([' ', '\t']);
        if !is_header_name(name) || !is_text(value) {
            return Err(Malformed::HeaderLine);
        }
        match name.to_ascii_lowercase().as_str() {
            "to-path" => once(&mut self.to_path, "To-Path", value.parse()),
            "from-path" => once(&mut self.from_path, "From-Path", value.parse()),
            "message-id" => once(&mut self.message_id, "Message-ID", value.parse()),
            "byte-range" => once(&mut self.byte_range, "Byte-Range", value.parse()),
            "success-report" => once(&mut self.success_report, "Success-Report", yes_or_no(value)),
            "failure-report" => once(&mut self.failure_report, "Failure-Report", value.parse()),
            "status" => once(&mut self.status, "Status", value.parse()),
            "content-type" => once(
                &mut self.content_type,
                "Content-Type",
                String::from_str(value),
            ),
            _ => {
                self.headers.push((name.to_owned(), value.to_owned()));
                Ok(())
            }
        }
    }
}

/// Reads the header lines of a request; on error says which 400 to send.
pub(crate) fn request_head<'a>(
    transaction_id: TransactionId,
    method: Method,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<RequestHead, DecodeError> {
    let mut gathered = Gathered::default();
    let outcome = gather(&mut gathered, lines).and_then(|()| needs(&method, &gathered));
    let answerable = method != Method::Report;
    let (Some(to_path), Some(from_path)) = (gathered.to_path, gathered.from_path) else {
        return Err(outcome
            .err()
            .unwrap_or(Malformed::MissingHeader("To-Path"))
            .into());
    };
    let head = RequestHead {
        transaction_id,
        method,
        to_path,
        from_path,
        message_id: gathered.message_id,
        byte_range: gathered.byte_range,
        success_report: gathered.success_report,
        failure_report: gathered.failure_report,
        status: gathered.status,
        content_type: gathered.content_type,
        headers: gathered.headers,
    };
    let Err(malformed) = outcome else {
        return Ok(head);
    };
    let wanted = answerable && head.wanted_responses().wants(status::BAD_REQUEST);
    let answer = wanted.then(|| Box::new(Response::to(&head, status::BAD_REQUEST)));
    Err(DecodeError { malformed, answer })
}

/// Reads the header lines of a response; a broken one is never answered.
pub(crate) fn response<'a>(
    transaction_id: TransactionId,
    code: u16,
    comment: String,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<Response, DecodeError> {
    let mut gathered = Gathered::default();
    gather(&mut gathered, lines)?;
    let to_path = gathered
        .to_path
        .ok_or(Malformed::MissingHeader("To-Path"))?;
    let from_path = gathered
        .from_path
        .ok_or(Malformed::MissingHeader("From-Path"))?;
    Ok(Response {
        transaction_id,
        code,
        comment,
        to_path,
        from_path,
        headers: gathered.headers,
    })
}

/// Takes every line, so that the addresses of a 400 are known even if an earlier line was wrong.
fn gather<'a>(
    gathered: &mut Gathered,
    lines: impl Iterator<Item = &'a [u8]>,
) -> Result<(), Malformed> {
    let mut outcome = Ok(());
    for line in lines {
        outcome = outcome.and(gathered.take(line));
    }
    outcome
}

fn needs(method: &Method, gathered: &Gathered) -> Result<(), Malformed> {
    let present = |name, there: bool| {
        if there {
            Ok(())
        } else {
            Err(Malformed::MissingHeader(name))
        }
    };
    present("To-Path", gathered.to_path.is_some())?;
    present("From-Path", gathered.from_path.is_some())?;
    match method {
        Method::Send => present("Message-ID", gathered.message_id.is_some()),
        Method::Report => {
            present("Message-ID", gathered.message_id.is_some())?;
            present("Status", gathered.status.is_some())
        }
        Method::Other(_) => Ok(()),
    }
}

fn once<T, E>(
    slot: &mut Option<T>,
    name: &'static str,
    parsed: Result<T, E>,
) -> Result<(), Malformed> {
    let value = parsed.map_err(|_| Malformed::HeaderValue(name))?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Malformed::RepeatedHeader(name)),
    }
}

fn yes_or_no(value: &str) -> Result<bool, ()> {
    match value.to_ascii_lowercase().as_str() {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(()),
    }
}

/// RFC 4975 §9: `utf8text`, where no control character but the tab may stand.
fn is_text(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\t')
}

fn is_header_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic())
}
