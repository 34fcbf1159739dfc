//! `log-filter`: have processes write other lines to their logs for a while.

use std::time::Duration;

use clap::Args;

use super::Session;
use super::process::{self, Which};
use crate::exit::Failure;
use crate::moment::{parse_span, span};
use crate::output::record::ProcessRecord;
use crate::output::table::{Column, Grid};

const COLUMNS: [Column; 3] = [
    Column::whole("PROCESS"),
    Column::cuttable("FILTER"),
    Column::whole("FOR"),
];

/// See which lines processes write to their logs, and have them write others for a while
///
/// A DIRECTIVE is TARGET=LEVEL, where TARGET is a library such as sip_edge, service or storage, or a module of it
/// (sip_edge::delivery), or LEVEL alone for all others: off, error, warn, info, debug or trace. Each takes the place of what was
/// said of its target before. It ends by itself; bodies are logged at no level, and users are redacted. Without a DIRECTIVE what
/// holds is shown.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl log-filter
  restantectl log-filter sip_edge=debug --for 10m
  restantectl log-filter debug h2=info --process storage --reason 'ticket 4711'
  restantectl log-filter --reset")]
pub(crate) struct LogFilterArgs {
    /// What to write
    #[arg(value_name = "DIRECTIVE")]
    directives: Vec<String>,
    /// For how long, at most 24h
    #[arg(long = "for", value_name = "SPAN", default_value = "10m", value_parser = parse_span)]
    time: Duration,
    /// End all changes before their time
    #[arg(long, conflicts_with = "directives")]
    reset: bool,
    #[command(flatten)]
    which: Which,
}

pub(crate) async fn run(args: LogFilterArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let process = args.which.name();
    let answers = match args.directives.is_empty() && !args.reset {
        true => client.log_filters(process).await?,
        false => {
            let changing = client.change_log_filters(process, args.directives, args.time);
            changing.await?
        }
    };
    process::write(answers, session, |records| {
        let rows: Vec<_> = records.iter().flat_map(rows).collect();
        Grid::new(&COLUMNS).page(&rows)
    })
}

fn rows(record: &ProcessRecord) -> Vec<Vec<String>> {
    let Some(filter) = &record.log_filter else {
        return Vec::new();
    };
    let row = |text: &str, time: String| vec![record.process.clone(), text.to_owned(), time];
    let mut rows = vec![row(&filter.configured, "ever".to_owned())];
    rows.extend(filter.changes.iter().map(|change| {
        let left = Duration::from_secs(change.left_s);
        row(&change.directive, span(left))
    }));
    rows
}
