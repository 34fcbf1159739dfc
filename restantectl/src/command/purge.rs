//! `purge`: delete many messages, and tell how many.

use clap::Args;
use serde::Serialize;

use super::interruption::Interruption;
use super::selection::{Batches, Selection};
use super::{Session, Tally};
use crate::client::Order;
use crate::exit::Failure;
use crate::output::Progress;

/// Delete all messages that match, and tell how many there were
///
/// As `delete`, without a line for each. Undelivered messages end as deleted, and settled ones lose their content. Ctrl-C
/// ends it after the message that is under way, and standard error says by which --page-token it goes on; what was deleted is
/// on disk.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl purge --before 30d --dry-run
  restantectl purge --from spam@example.net --yes --reason 'abuse, ticket 4711'
  restantectl purge --state delivered --min-size 1MiB --yes
  restantectl purge ALL --yes")]
pub(crate) struct PurgeArgs {
    /// Count, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete more than one message
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    selection: Selection,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct PurgeRecord {
    dry_run: bool,
    /// Messages looked at.
    matched: usize,
    deleted: usize,
    /// That were gone, or changed meanwhile.
    failed: usize,
}

pub(crate) async fn run(args: &PurgeArgs, session: &mut Session) -> Result<(), Failure> {
    let order = Order::Delete;
    let mut selected = args.selection.selected(order.states())?;
    let mut client = session.connect().await?;
    if !args.yes && !args.dry_run {
        selected = selected.confirm("purge", &mut client).await?;
    }
    let reason = session.globals.reason.clone();
    let interruption = Interruption::listen();
    let progress = Progress::begin(None, false);
    let mut batches = Batches::new(selected);
    let mut record = PurgeRecord {
        dry_run: args.dry_run,
        ..PurgeRecord::default()
    };
    let mut tally = Tally::default();
    let ended = async {
        loop {
            let batch = batches.next(&mut client).await;
            let batch = batch.map_err(|failure| batches.broken_off(record.deleted, failure))?;
            if batch.is_empty() {
                return Ok(());
            }
            for (id, found) in batch {
                if interruption.is_here() {
                    return Err(batches.interrupted(record.deleted, &id));
                }
                let is_over = |message: &proto::v1::Message| order.refusal(message).is_some();
                if found.as_ref().is_some_and(is_over) {
                    continue;
                }
                record.matched += 1;
                progress.step();
                if args.dry_run {
                    continue;
                }
                match client.order(order, &id, &reason).await {
                    Ok(_) => record.deleted += 1,
                    Err(failure) if failure.is_of_one_item() => {
                        record.failed += 1;
                        tally.fail(&id, &format_args!("cannot delete: {failure}"));
                    }
                    Err(failure) => return Err(batches.broken_off(record.deleted, failure)),
                }
            }
        }
    };
    let ended = ended.await;
    drop(progress);
    let written = session.output.single(&record, text);
    let failed = tally.result(record.matched);
    ended.and(written).and(failed)
}

fn text(record: &PurgeRecord) -> String {
    let PurgeRecord {
        dry_run,
        matched,
        deleted,
        failed,
    } = record;
    match (dry_run, failed) {
        (true, _) => format!("{matched} messages would be deleted\n"),
        (false, 0) => format!("{deleted} messages deleted\n"),
        (false, failed) => format!("{deleted} messages deleted, {failed} had changed meanwhile\n"),
    }
}
