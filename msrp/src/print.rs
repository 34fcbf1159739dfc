//! Frames as bytes.

use std::fmt::{Display, Write};

use bytes::{BufMut, Bytes, BytesMut};

use crate::frame::{Continuation, RequestHead, Response};
use crate::id::TransactionId;

/// The hyphens that begin an end-line.
pub(crate) const END_LINE_HYPHENS: &str = "-------";

impl RequestHead {
    /// Appends start line and headers, `Content-Type` last; with one, also the empty line before
    /// the body.
    pub fn print(&self, out: &mut BytesMut) {
        line(
            out,
            format_args!(
                "MSRP {} {}",
                self.transaction_id,
                Clean(self.method.as_str())
            ),
        );
        header(out, "To-Path", &self.to_path);
        header(out, "From-Path", &self.from_path);
        optional(out, "Message-ID", self.message_id.as_ref());
        optional(out, "Byte-Range", self.byte_range.as_ref());
        optional(
            out,
            "Success-Report",
            self.success_report
                .map(|yes| if yes { "yes" } else { "no" }),
        );
        optional(
            out,
            "Failure-Report",
            self.failure_report.map(|wanted| wanted.as_str()),
        );
        optional(
            out,
            "Status",
            self.status
                .as_ref()
                .map(ToString::to_string)
                .as_deref()
                .map(Clean),
        );
        for (name, value) in &self.headers {
            line(out, format_args!("{}: {}", Clean(name), Clean(value)));
        }
        if let Some(content_type) = &self.content_type {
            header(out, "Content-Type", Clean(content_type));
            out.put_slice(b"\r\n");
        }
    }

    /// The whole request with this body; `body` is left out if there is no `Content-Type`.
    pub fn print_whole(&self, body: &[u8], flag: Continuation) -> Bytes {
        let mut out = BytesMut::with_capacity(512 + body.len());
        self.print(&mut out);
        if self.content_type.is_some() {
            out.put_slice(body);
        }
        end_line(
            &mut out,
            &self.transaction_id,
            flag,
            self.content_type.is_some(),
        );
        out.freeze()
    }
}

impl Response {
    /// The whole response.
    pub fn print(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(256);
        let gap = if self.comment.is_empty() { "" } else { " " };
        let comment = Clean(&self.comment);
        line(
            &mut out,
            format_args!(
                "MSRP {} {:03}{gap}{comment}",
                self.transaction_id, self.code
            ),
        );
        header(&mut out, "To-Path", &self.to_path);
        header(&mut out, "From-Path", &self.from_path);
        for (name, value) in &self.headers {
            line(&mut out, format_args!("{}: {}", Clean(name), Clean(value)));
        }
        end_line(
            &mut out,
            &self.transaction_id,
            Continuation::Complete,
            false,
        );
        out.freeze()
    }
}

/// Appends the end-line, after a body with the CRLF that belongs to it (RFC 4975 §7.1).
pub(crate) fn end_line(
    out: &mut BytesMut,
    transaction_id: &TransactionId,
    flag: Continuation,
    after_body: bool,
) {
    if after_body {
        out.put_slice(b"\r\n");
    }
    out.put_slice(END_LINE_HYPHENS.as_bytes());
    out.put_slice(transaction_id.as_str().as_bytes());
    out.put_u8(flag.as_byte());
    out.put_slice(b"\r\n");
}

/// Text in which control characters became spaces, so that no value can end its line.
struct Clean<'a>(&'a str);

impl Display for Clean<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let clean = |c: char| if c.is_control() && c != '\t' { ' ' } else { c };
        self.0.chars().try_for_each(|c| f.write_char(clean(c)))
    }
}

fn optional(out: &mut BytesMut, name: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        header(out, name, value);
    }
}

fn header(out: &mut BytesMut, name: &str, value: impl Display) {
    line(out, format_args!("{name}: {value}"));
}

fn line(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text)
        .expect("writing to memory does not fail");
    out.put_slice(b"\r\n");
}
