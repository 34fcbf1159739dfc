//! Building requests.

use std::fmt::Display;

use bytes::Bytes;

use super::{
    Request,
    print::{FieldName, PrintedRequestLine, Printer},
};
use crate::{Method, Name};

/// Writes a request field by field, in the order of the calls. Content-Type and Content-Length come last.
#[derive(Debug)]
pub struct RequestBuilder {
    method: Method,
    line: PrintedRequestLine,
    printer: Printer,
    content_type: Option<String>,
    body: Bytes,
}

impl RequestBuilder {
    /// Starts with the request line. Blanks, line breaks and octets beyond ASCII in the URI are left out.
    pub fn new(method: Method, uri: &impl Display) -> Self {
        let mut printer = Printer::with_capacity(1024);
        let line = printer.request_line(&method, uri);
        Self {
            method,
            line,
            printer,
            content_type: None,
            body: Bytes::new(),
        }
    }

    /// Appends a field. Line breaks in the value become spaces; a Content-Length is left to [`Self::build`].
    #[must_use]
    pub fn header(self, name: Name, value: impl Display) -> Self {
        self.field(&FieldName::Known(name), &value)
    }

    /// Appends a field by its text; octets that cannot stand in a name are left out.
    #[must_use]
    pub fn raw_header(self, name: &str, value: impl Display) -> Self {
        self.field(&FieldName::from_text(name), &value)
    }

    /// Sets the body and its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.content_type = Some(content_type.to_owned());
        self.body = body.into();
        self
    }

    /// The finished request with its Content-Length.
    pub fn build(mut self) -> Request {
        if let Some(content_type) = &self.content_type {
            self.printer
                .field(&FieldName::Known(Name::ContentType), content_type);
        }
        self.printer
            .field(&FieldName::Known(Name::ContentLength), &self.body.len());
        let (headers, body) = self.printer.finish(&self.body);
        Request::new(self.method, self.line.uri, self.line.version, headers, body)
    }

    fn field(mut self, name: &FieldName, value: &dyn Display) -> Self {
        if name.known() != Some(Name::ContentLength) {
            self.printer.field(name, value);
        }
        self
    }
}
