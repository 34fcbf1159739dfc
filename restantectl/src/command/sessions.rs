//! `sessions`: pushes and uploads under way.

use clap::Args;

use super::Session;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::SessionRecord;
use crate::output::table::{Column, Grid};

const COLUMNS: [Column; 5] = [
    Column::whole("KIND"),
    Column::cuttable("USER"),
    Column::cuttable("EDGE"),
    Column::number("CLAIM"),
    Column::number("OCTETS"),
];

/// Show pushes and uploads under way, at most 1,000 of each
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl sessions
  restantectl sessions -o jsonl | jq 'select(.kind == \"upload\") | .octets'")]
pub(crate) struct SessionsArgs {}

/// The end of the JSON document has no fields of its own.
#[derive(serde::Serialize)]
struct NoMore {}

pub(crate) async fn run(_args: &SessionsArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let reply = client.sessions().await?;
    let pushes = reply.pushes.into_iter().map(SessionRecord::from);
    let uploads = reply.uploads.into_iter().map(SessionRecord::from);
    let records: Vec<_> = pushes.chain(uploads).collect();
    let mut items = Items::begin(&mut session.output, "sessions")?;
    items.write_all(&records, |records| match records {
        [] => String::new(),
        records => page(records),
    })?;
    items.finish(&NoMore {})
}

/// As a table.
pub(super) fn page(records: &[SessionRecord]) -> String {
    let rows: Vec<_> = records.iter().map(row).collect();
    Grid::new(&COLUMNS).page(&rows)
}

fn row(record: &SessionRecord) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    vec![
        record.kind.to_owned(),
        text(&record.served_user),
        text(&record.edge),
        number(record.generation),
        number(record.octets),
    ]
}
