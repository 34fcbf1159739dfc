//! Writing results: one record, or many as they come, in the format that was asked for.

mod bar;
mod items;
mod json;
mod progress;
pub(crate) mod record;
pub(crate) mod table;
pub(crate) mod text;

use std::io::{self, BufWriter, Stdout, Write};

use serde::Serialize;

use crate::args::Format;
use crate::exit::Failure;

pub(crate) use bar::Bar;
pub(crate) use items::Items;
pub(crate) use progress::Progress;

/// Standard output in one format.
pub(crate) struct Output {
    format: Format,
    out: BufWriter<Stdout>,
}

impl Output {
    /// Standard output, written in `format`.
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            out: BufWriter::new(io::stdout()),
        }
    }

    /// The format asked for.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// Writes the only record of a command, as JSON or as `text` says it to people.
    pub(crate) fn single<R: Serialize>(
        &mut self,
        record: &R,
        text: impl FnOnce(&R) -> String,
    ) -> Result<(), Failure> {
        match self.format {
            Format::Json | Format::Jsonl => self.octets(json::line(record)?.as_bytes())?,
            Format::Table | Format::Raw => self.octets(text(record).as_bytes())?,
        }
        self.flush()
    }

    /// Writes one record on a line of its own, whatever format was asked for.
    pub(crate) fn line<R: Serialize>(&mut self, record: &R) -> Result<(), Failure> {
        self.octets(json::line(record)?.as_bytes())?;
        self.flush()
    }

    /// Writes octets as they are.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.out.write_all(octets).map_err(Failure::Output)
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.out.flush().map_err(Failure::Output)
    }
}
