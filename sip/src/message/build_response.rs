//! Building responses to a request.

use std::{fmt::Display, net::SocketAddr};

use bytes::Bytes;

use super::{
    Field, Headers, Request, Response,
    print::{FieldName, Printer},
};
use crate::{
    Method, Name, NameAddr, StatusCode,
    text::{split_top_level, trim},
};

/// Writes the response to a request: first what RFC 3261 §8.2.6.2 has copied, then the fields added here in the order
/// of the calls, last Content-Type and Content-Length.
#[derive(Debug)]
pub struct ResponseBuilder {
    request: Headers,
    /// The request itself, where its values were read before.
    whole: Option<Request>,
    status: StatusCode,
    reason: Option<String>,
    to_tag: Option<String>,
    source: Option<SocketAddr>,
    makes_dialog: bool,
    fields: Vec<(FieldName, String)>,
    content_type: Option<String>,
    body: Bytes,
}

impl ResponseBuilder {
    /// Copies Via, From, To, Call-ID, CSeq and Timestamp, and Record-Route where the response makes a dialog
    /// (RFC 3261 §8.2.6, §12.1.1).
    pub fn reply_to(request: &Request, status: StatusCode) -> Self {
        let makes_dialog = makes_dialog(request.method(), status);
        Self {
            makes_dialog,
            source: request.source(),
            whole: Some(request.clone()),
            ..Self::reply_to_headers(request.headers(), status)
        }
    }

    /// The same for a request of which only headers could be read.
    pub fn reply_to_headers(request: &Headers, status: StatusCode) -> Self {
        Self {
            request: request.clone(),
            whole: None,
            status,
            reason: None,
            to_tag: None,
            source: None,
            makes_dialog: false,
            fields: Vec::new(),
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// Adds a tag to the To, unless it has one (RFC 3261 §8.2.6.2).
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        self.to_tag = Some(tag.to_owned());
        self
    }

    /// Another phrase than the registered one.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = Some(reason.to_owned());
        self
    }

    /// Where the request came from, for `received` and `rport` of the top Via; see [`Via::note_source`].
    #[must_use]
    pub fn received_from(mut self, source: SocketAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// Appends a field. Line breaks in the value become spaces; a Content-Length is left to [`Self::build`].
    #[must_use]
    pub fn header(self, name: Name, value: impl Display) -> Self {
        self.field(FieldName::Known(name), &value)
    }

    /// Appends a field by its text; octets that cannot stand in a name are left out.
    #[must_use]
    pub fn raw_header(self, name: &str, value: impl Display) -> Self {
        self.field(FieldName::from_text(name), &value)
    }

    /// Sets the body and its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.content_type = Some(content_type.to_owned());
        self.body = body.into();
        self
    }

    /// The finished response with its Content-Length.
    pub fn build(self) -> Response {
        let mut printer = Printer::with_capacity(1024 + self.body.len());
        let reason = self.reason.as_deref().unwrap_or(self.status.reason());
        let (version, reason) = printer.status_line(self.status, reason);
        self.print_copied(&mut printer);
        for (name, value) in &self.fields {
            printer.field(name, value);
        }
        if let Some(content_type) = &self.content_type {
            printer.field(&FieldName::Known(Name::ContentType), content_type);
        }
        printer.field(&FieldName::Known(Name::ContentLength), &self.body.len());
        let (headers, body) = printer.finish(&self.body);
        Response::new(self.status, reason, version, headers, body)
    }

    fn field(mut self, name: FieldName, value: &dyn Display) -> Self {
        if name.known() != Some(Name::ContentLength) {
            self.fields.push((name, value.to_string()));
        }
        self
    }

    fn print_copied(&self, printer: &mut Printer) {
        let mut is_top_via = true;
        for field in self.request.iter() {
            match field.known() {
                // A line of commas alone has no value: the top Via is in another one.
                Some(Name::Via) if is_top_via && others(&field.value()).is_some() => {
                    is_top_via = false;
                    self.print_top_via(printer, &field);
                }
                Some(Name::To) => self.print_to(printer, &field),
                Some(Name::Via | Name::From | Name::CallId | Name::CSeq | Name::Timestamp) => {
                    printer.copy(&field, &"");
                }
                Some(Name::RecordRoute) if self.makes_dialog => printer.copy(&field, &""),
                _ => {}
            }
        }
    }

    fn print_to(&self, printer: &mut Printer, to: &Field<'_>) {
        match &self.to_tag {
            Some(tag) if !self.has_to_tag() => printer.copy(to, &format_args!(";tag={tag}")),
            _ => printer.copy(to, &""),
        }
    }

    fn has_to_tag(&self) -> bool {
        let has_tag = |to: &NameAddr| to.tag().is_some();
        match &self.whole {
            Some(request) => request.to().is_ok_and(|to| to.is_some_and(has_tag)),
            None => self
                .request
                .to()
                .is_ok_and(|to| to.as_ref().is_some_and(has_tag)),
        }
    }

    /// The first value of the first Via gets the source; other values of the same line stay.
    fn print_top_via(&self, printer: &mut Printer, field: &Field<'_>) {
        let read;
        let via = match &self.whole {
            Some(request) => request.top_via().ok().flatten(),
            None => {
                read = self.request.top_via().ok().flatten();
                read.as_ref()
            }
        };
        let noted = self
            .source
            .zip(via)
            .and_then(|(source, via)| via.noting(source));
        let value = field.value();
        match (noted, others(&value).unwrap_or_default()) {
            (None, _) => printer.copy(field, &""),
            (Some(via), "") => printer.field(&FieldName::Known(Name::Via), &via),
            (Some(via), others) => {
                printer.field(
                    &FieldName::Known(Name::Via),
                    &format_args!("{via},{others}"),
                );
            }
        }
    }
}

/// What follows the first value of a list, which empty ones may come before (RFC 3261 §7.3.1); `None` if it has no value.
fn others(list: &str) -> Option<&str> {
    let mut rest = Some(list);
    while let Some(text) = rest {
        let (value, others) = split_top_level(text, b',');
        if !trim(value).is_empty() {
            return Some(others.unwrap_or_default());
        }
        rest = others;
    }
    None
}

/// Whether the response sets up a dialog (RFC 3261 §12.1.1, RFC 6665 §4.1.3, RFC 3515 §2.4.4).
fn makes_dialog(method: &Method, status: StatusCode) -> bool {
    let creates = matches!(method, Method::Invite | Method::Subscribe | Method::Refer);
    creates && status != StatusCode::TRYING && (status.is_provisional() || status.is_success())
}
