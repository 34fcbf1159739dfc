//! Changing a request without touching what is not changed.

use std::fmt::Display;

use bytes::Bytes;

use super::{
    Field, Request,
    index::Line,
    print::{FieldName, Printer},
};
use crate::Name;

/// A request to be printed again with a few changes. Untouched lines keep their bytes, their order and their folds.
#[derive(Debug, Clone)]
pub struct RequestEditor {
    source: Request,
    uri: Option<String>,
    body: Option<Bytes>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone)]
enum Entry {
    Kept(Line),
    New(FieldName, String),
}

impl RequestEditor {
    pub(super) fn new(source: &Request) -> Self {
        let entries = source
            .headers()
            .iter()
            .map(|field| Entry::Kept(field.line()))
            .collect();
        Self {
            source: source.clone(),
            uri: None,
            body: None,
            entries,
        }
    }

    /// Puts a field above all others.
    #[must_use]
    pub fn prepend(mut self, name: Name, value: impl Display) -> Self {
        self.entries
            .insert(0, Entry::New(FieldName::Known(name), value.to_string()));
        self
    }

    /// Puts a field below all others.
    #[must_use]
    pub fn append(mut self, name: Name, value: impl Display) -> Self {
        self.entries
            .push(Entry::New(FieldName::Known(name), value.to_string()));
        self
    }

    /// Puts a field below all others, by its text; octets that cannot stand in a name are left out.
    #[must_use]
    pub fn append_raw(mut self, name: &str, value: impl Display) -> Self {
        self.entries
            .push(Entry::New(FieldName::from_text(name), value.to_string()));
        self
    }

    /// Puts the value in the place of the first field of that name and drops the others; appends if there is none.
    #[must_use]
    pub fn replace(self, name: Name, value: impl Display) -> Self {
        let mut replaced = self.replace_first(name, value);
        let mut is_first = true;
        replaced
            .entries
            .retain(|entry| entry.known() != Some(name) || std::mem::take(&mut is_first));
        replaced
    }

    /// Puts the value in the place of the first field of that name; appends if there is none.
    #[must_use]
    pub fn replace_first(mut self, name: Name, value: impl Display) -> Self {
        let new = Entry::New(FieldName::Known(name), value.to_string());
        match self
            .entries
            .iter_mut()
            .find(|entry| entry.known() == Some(name))
        {
            Some(entry) => *entry = new,
            None => self.entries.push(new),
        }
        self
    }

    /// Drops every field of that name.
    #[must_use]
    pub fn remove(mut self, name: Name) -> Self {
        self.entries.retain(|entry| entry.known() != Some(name));
        self
    }

    /// Drops every field so named, letter case and compact form apart.
    #[must_use]
    pub fn remove_named(self, name: &str) -> Self {
        match Name::from_bytes(name.as_bytes()) {
            Some(known) => self.remove(known),
            None => self.retain(|field| !field.name().eq_ignore_ascii_case(name)),
        }
    }

    /// Keeps the fields of the original request the closure agrees to; fields added here stay.
    #[must_use]
    pub fn retain(mut self, mut keep: impl FnMut(Field<'_>) -> bool) -> Self {
        let source = self.source.as_bytes();
        self.entries.retain(|entry| match entry {
            Entry::Kept(line) => keep(Field::new(source, *line)),
            Entry::New(..) => true,
        });
        self
    }

    /// Changes the Request-URI.
    #[must_use]
    pub fn set_uri(mut self, uri: impl Display) -> Self {
        self.uri = Some(uri.to_string());
        self
    }

    /// Changes the body and with it the Content-Length; the Content-Type is left alone.
    #[must_use]
    pub fn set_body(self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut changed = self.replace(Name::ContentLength, body.len());
        changed.body = Some(body);
        changed
    }

    /// Prints the request.
    pub fn build(self) -> Request {
        let source = self.source.as_bytes();
        let mut printer = Printer::with_capacity(source.len() + 256);
        let uri = self.uri.as_deref().unwrap_or(self.source.raw_uri());
        let line = printer.request_line(self.source.method(), &uri);
        for entry in &self.entries {
            match entry {
                Entry::Kept(line) => printer.copy(&Field::new(source, *line), &""),
                Entry::New(name, value) => printer.field(name, value),
            }
        }
        let (headers, body) = printer.finish(self.body.as_ref().unwrap_or(self.source.body()));
        Request::new(
            self.source.method().clone(),
            line.uri,
            line.version,
            headers,
            body,
        )
    }
}

impl Entry {
    fn known(&self) -> Option<Name> {
        match self {
            Self::Kept(line) => line.name,
            Self::New(name, _) => name.known(),
        }
    }
}
