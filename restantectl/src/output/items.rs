//! Results that come one after another and are shown as they come.

use serde::Serialize;

use super::{Output, json};
use crate::args::Format;
use crate::exit::Failure;

/// A growing list of records. As JSON it is one document, `{"<name>":[…]}`, which is complete only
/// after [`Items::finish`].
pub(crate) struct Items<'a> {
    output: &'a mut Output,
    count: usize,
}

impl<'a> Items<'a> {
    /// Begins the list; `name` is its field in the JSON document.
    pub(crate) fn begin(output: &'a mut Output, name: &'static str) -> Result<Self, Failure> {
        if output.format() == Format::Json {
            output.octets(format!("{{\"{name}\":[").as_bytes())?;
        }
        Ok(Self { output, count: 0 })
    }

    /// Writes one record, as JSON or as `text` says it to people, and shows it.
    pub(crate) fn write<R: Serialize>(
        &mut self,
        record: &R,
        text: impl FnOnce(&R) -> String,
    ) -> Result<(), Failure> {
        self.write_all(std::slice::from_ref(record), |records| {
            records.first().map(text).unwrap_or_default()
        })
    }

    /// Writes several records and shows them together.
    pub(crate) fn write_all<R: Serialize>(
        &mut self,
        records: &[R],
        text: impl FnOnce(&[R]) -> String,
    ) -> Result<(), Failure> {
        match self.output.format() {
            Format::Json => self.elements(records)?,
            Format::Jsonl => self.lines(records)?,
            Format::Table | Format::Raw => self.output.octets(text(records).as_bytes())?,
        }
        self.count += records.len();
        self.output.flush()
    }

    /// How many records were written.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// Where the list goes, for what belongs to the record written last.
    pub(crate) fn output(&mut self) -> &mut Output {
        self.output
    }

    /// Ends the JSON document with the fields of `rest`, a struct.
    pub(crate) fn finish<R: Serialize>(self, rest: &R) -> Result<(), Failure> {
        if self.output.format() == Format::Json {
            let rest = json::line(rest)?;
            let inner = rest
                .trim_end()
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            let fields = inner.unwrap_or_default();
            let comma = if fields.is_empty() { "" } else { "," };
            self.output
                .octets(format!("\n]{comma}{fields}}}\n").as_bytes())?;
        }
        self.output.flush()
    }

    fn elements<R: Serialize>(&mut self, records: &[R]) -> Result<(), Failure> {
        for (index, record) in records.iter().enumerate() {
            let comma = if self.count + index == 0 { "\n" } else { ",\n" };
            self.output.octets(comma.as_bytes())?;
            self.output
                .octets(json::line(record)?.trim_end().as_bytes())?;
        }
        Ok(())
    }

    fn lines<R: Serialize>(&mut self, records: &[R]) -> Result<(), Failure> {
        for record in records {
            self.output.octets(json::line(record)?.as_bytes())?;
        }
        Ok(())
    }
}
