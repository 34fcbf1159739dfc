//! `config`: what processes are configured to, and having them read it again.

use clap::{Args, Subcommand};

use super::Session;
use super::process::{self, Which};
use crate::exit::Failure;
use crate::output::record::{ChangedKeyRecord, ProcessRecord};
use crate::output::table::{Column, Grid};

/// What can be done with the configuration of processes that run.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Show(ConfigShowArgs),
    Reload(ConfigReloadArgs),
}

/// Show the configuration that holds, without secrets
///
/// Keys that are written in the file or the environment, with their places; with --all those too that have their defaults.
/// docs/configuration.md says what each means.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl config show
  restantectl config show --process storage --all
  restantectl config show -o jsonl | jq '.configuration[] | select(.reloadable)'")]
pub(crate) struct ConfigShowArgs {
    /// Keys with their defaults too
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
}

/// Have processes read their configuration again
///
/// What may change without a restart holds from then on, and no message is lost by it; of the rest it is said that it waits
/// for a restart. Where there is a mistake nothing changes, and every mistake is shown with its place.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl config reload
  restantectl config reload --process storage --reason 'larger mailboxes, ticket 4711'")]
pub(crate) struct ConfigReloadArgs {
    #[command(flatten)]
    which: Which,
}

const KEYS: [Column; 5] = [
    Column::whole("PROCESS"),
    Column::whole("KEY"),
    Column::cuttable("VALUE"),
    Column::whole("CHANGE BY"),
    Column::cuttable("WRITTEN IN"),
];

const CHANGES: [Column; 5] = [
    Column::whole("PROCESS"),
    Column::whole("KEY"),
    Column::cuttable("BEFORE"),
    Column::cuttable("NOW"),
    Column::whole("HOLDS"),
];

pub(crate) async fn run(command: ConfigCommand, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    match command {
        ConfigCommand::Show(args) => {
            let answers = client.configurations(args.which.name()).await?;
            process::write(answers, session, |records| {
                let rows = records.iter().flat_map(|record| keys(record, args.all));
                let rows: Vec<_> = rows.collect();
                match rows.is_empty() {
                    true => "Every key has its default: --all shows them.\n".to_owned(),
                    false => Grid::new(&KEYS).page(&rows),
                }
            })
        }
        ConfigCommand::Reload(args) => {
            let answers = client.reload_configurations(args.which.name()).await?;
            process::write(answers, session, |records| {
                let rows: Vec<_> = records.iter().flat_map(changes).collect();
                let has_read = records.iter().any(|record| record.refusal.is_none());
                match rows.is_empty() {
                    true if has_read => "Nothing has changed.\n".to_owned(),
                    true => String::new(),
                    false => Grid::new(&CHANGES).page(&rows),
                }
            })
        }
    }
}

fn keys(record: &ProcessRecord, all: bool) -> Vec<Vec<String>> {
    let keys = record.configuration.iter().flatten();
    let shown = keys.filter(|key| all || key.place.is_some());
    let rows = shown.map(|key| {
        let change = if key.reloadable { "reload" } else { "restart" };
        vec![
            record.process.clone(),
            key.key.clone(),
            key.value.clone(),
            change.to_owned(),
            key.place.clone().unwrap_or_default(),
        ]
    });
    rows.collect()
}

fn changes(record: &ProcessRecord) -> Vec<Vec<String>> {
    let row = |change: &ChangedKeyRecord, holds: &str| {
        vec![
            record.process.clone(),
            change.key.clone(),
            change.from.clone(),
            change.to.clone(),
            holds.to_owned(),
        ]
    };
    let applied = record.applied.iter().flatten();
    let waiting = record.waiting.iter().flatten();
    let applied = applied.map(|change| row(change, "now"));
    applied
        .chain(waiting.map(|change| row(change, "after a restart")))
        .collect()
}
