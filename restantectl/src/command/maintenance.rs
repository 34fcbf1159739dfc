//! `backup`, `backups`, `check`, `compact`: upkeep of the store while it serves.

use clap::Args;
use proto::v1::{
    BackupMade, MaintenanceProgress, MaintenanceStage, check_store_reply, compact_store_reply,
    make_backup_reply,
};

use super::Session;
use crate::client::maintenance::Step;
use crate::exit::Failure;
use crate::output::record::{BackupRecord, CompactedRecord, MadeRecord, ReportRecord};
use crate::output::table::{Column, Grid};
use crate::output::{Bar, Items};

/// Make a backup of the running store, and read all of it
///
/// It is made by the storage process, in the folder that its configuration names (`maintenance.backups`), beside the load; messages
/// that were accepted before are in it. Ctrl-C does not end it. Exits with 1 if the backup is there, but what was found in
/// it does not agree.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl backup
  restantectl backup --reason 'before the upgrade' -o json | jq .backup.name")]
pub(crate) struct BackupArgs {}

/// List the backups of the store, the newest first
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl backups
  restantectl backups -o jsonl | jq 'select(.verified) | .name'")]
pub(crate) struct BackupsArgs {}

/// Read the whole store while it serves, and say what is wrong in it
///
/// Each row can be read, indexes and counters agree, contents are what their hashes say; of the store as it is at the beginning.
/// Nothing is changed. Ctrl-C ends it. Exits with 1 if something is wrong.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl check
  restantectl check -o json | jq .findings")]
pub(crate) struct CheckArgs {}

/// Write the files of the store anew, without what was removed or overwritten
///
/// The store does so itself as time goes by; this gives space back at once, after a large purge. It costs reading and
/// writing all of it, beside the load. Ctrl-C ends it; what is done stays.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl compact
  restantectl compact -o json | jq '.octets_before - .octets_after'")]
pub(crate) struct CompactArgs {}

/// The end of the JSON document has no fields of its own.
#[derive(serde::Serialize)]
struct NoMore {}

pub(crate) async fn backup(session: &mut Session) -> Result<(), Failure> {
    use make_backup_reply::Step as Reply;
    let mut client = session.connect().await?;
    let work = client.make_backup().await?;
    let mut bar = Bar::begin();
    let step = |reply: proto::v1::MakeBackupReply| match reply.step {
        Some(Reply::Progress(progress)) => Step::Progress(progress),
        Some(Reply::Made(made)) => Step::Done(made),
        None => Step::Unknown,
    };
    let made = work.end(step, |progress| show(&mut bar, progress)).await;
    drop(bar);
    let BackupMade { backup, report } = made?;
    let record = MadeRecord {
        backup: backup.map(BackupRecord::from),
        report: report.map(ReportRecord::from),
    };
    session.output.single(&record, MadeRecord::text)?;
    sound(record.report.as_ref())
}

pub(crate) async fn backups(session: &mut Session) -> Result<(), Failure> {
    const COLUMNS: [Column; 6] = [
        Column::whole("NAME"),
        Column::whole("BEGAN"),
        Column::number("SECONDS"),
        Column::number("OCTETS"),
        Column::number("NEW"),
        Column::whole("STATE"),
    ];
    let mut client = session.connect().await?;
    let known = client.backups().await?.backups;
    let records: Vec<_> = known.into_iter().map(BackupRecord::from).collect();
    let mut items = Items::begin(&mut session.output, "backups")?;
    items.write_all(&records, |records| {
        let rows: Vec<_> = records.iter().map(BackupRecord::cells).collect();
        Grid::new(&COLUMNS).page(&rows)
    })?;
    items.finish(&NoMore {})
}

pub(crate) async fn check(session: &mut Session) -> Result<(), Failure> {
    use check_store_reply::Step as Reply;
    let mut client = session.connect().await?;
    let work = client.check_store().await?;
    let mut bar = Bar::begin();
    let step = |reply: proto::v1::CheckStoreReply| match reply.step {
        Some(Reply::Progress(progress)) => Step::Progress(progress),
        Some(Reply::Report(report)) => Step::Done(report),
        None => Step::Unknown,
    };
    let report = work.end(step, |progress| show(&mut bar, progress)).await;
    drop(bar);
    let record = ReportRecord::from(report?);
    session.output.single(&record, ReportRecord::text)?;
    sound(Some(&record))
}

pub(crate) async fn compact(session: &mut Session) -> Result<(), Failure> {
    use compact_store_reply::Step as Reply;
    let mut client = session.connect().await?;
    let work = client.compact_store().await?;
    let mut bar = Bar::begin();
    let step = |reply: proto::v1::CompactStoreReply| match reply.step {
        Some(Reply::Progress(progress)) => Step::Progress(progress),
        Some(Reply::Compacted(compacted)) => Step::Done(compacted),
        None => Step::Unknown,
    };
    let compacted = work.end(step, |progress| show(&mut bar, progress)).await;
    drop(bar);
    let record = CompactedRecord::from(compacted?);
    session.output.single(&record, CompactedRecord::text)
}

/// Failure, if something is wrong.
fn sound(report: Option<&ReportRecord>) -> Result<(), Failure> {
    match report.map_or(0, |report| report.total_findings) {
        0 => Ok(()),
        findings => Err(Failure::Unsound { findings }),
    }
}

fn show(bar: &mut Bar, progress: &MaintenanceProgress) {
    let (what, is_octets) = match progress.stage() {
        MaintenanceStage::Unspecified => ("", false),
        MaintenanceStage::Copying => ("copying", true),
        MaintenanceStage::Reading => ("reading rows", false),
        MaintenanceStage::Comparing => ("comparing rows", false),
        MaintenanceStage::Compacting => ("compacting", true),
    };
    bar.show(what, is_octets, (progress.done, progress.total));
}
