//! What `log-filter` and `config` have in common: which processes are asked, and how their answers are written.

use clap::Args;
use proto::v1::ProcessAnswers;
use serde::Serialize;

use super::{Session, Tally};
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::ProcessRecord;

/// Which processes are asked.
#[derive(Args, Debug)]
pub(super) struct Which {
    /// Only this process: `storage`, or the name of a connected edge; all of them if it is not given
    #[arg(long, value_name = "NAME")]
    process: Option<String>,
}

impl Which {
    /// As the service is told.
    pub(super) fn name(&self) -> &str {
        self.process.as_deref().unwrap_or_default()
    }
}

/// The end of the JSON document has no fields of its own.
#[derive(Debug, Serialize)]
struct NoMore {}

/// Writes all answers, for people those that are no refusals as `text` says; refusals are complained of and are failures.
pub(super) fn write(
    answers: ProcessAnswers,
    session: &mut Session,
    text: impl FnOnce(&[ProcessRecord]) -> String,
) -> Result<(), Failure> {
    let answers = answers.answers.into_iter();
    let records: Vec<_> = answers.map(ProcessRecord::from).collect();
    let mut items = Items::begin(&mut session.output, "processes")?;
    items.write_all(&records, text)?;
    items.finish(&NoMore {})?;
    let mut tally = Tally::default();
    for record in &records {
        if let Some(why) = &record.refusal {
            tally.fail(&record.process, why);
        }
    }
    tally.result(records.len())
}
