//! `shape`: how old what waits is, where it hurts.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use proto::v1::{Message, MessageState};
use serde::Serialize;

use super::Session;
use super::filter::Filters;
use crate::client::Client;
use crate::exit::{Failure, complain};
use crate::output::record::state_name;
use crate::output::table::{Column, Grid};
use crate::output::{Items, Progress};

/// Ends of the buckets in minutes; the last one has none.
const MINUTES: [i64; 8] = [5, 10, 20, 40, 80, 160, 320, 640];

/// Messages asked for at a time.
const PAGE: u32 = 1_000;

const COLUMNS: [Column; 11] = [
    Column::cuttable(""),
    Column::number("TOTAL"),
    Column::number("5"),
    Column::number("10"),
    Column::number("20"),
    Column::number("40"),
    Column::number("80"),
    Column::number("160"),
    Column::number("320"),
    Column::number("640"),
    Column::number("1280+"),
];

const WAITING: [MessageState; 3] = [
    MessageState::Stored,
    MessageState::Claimed,
    MessageState::Held,
];

/// Show how long what waits has been waiting, in minutes, as a table of ages
///
/// A column counts messages younger than its title and older than the one before; the last one all that are older. Looks at
/// --sample messages at most, the oldest first, and says so if there are more.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl shape
  restantectl shape --by domain
  restantectl shape --by error --to bob@example.org
  restantectl shape --by user --sample 1000 -o jsonl")]
pub(crate) struct ShapeArgs {
    /// What the rows are
    #[arg(long, value_enum, value_name = "WHAT", default_value = "state")]
    by: By,
    /// Look at so many messages at most
    #[arg(long, value_name = "COUNT", default_value = "100000")]
    sample: usize,
    /// Show so many rows at most, those with most messages first
    #[arg(long, value_name = "COUNT", default_value = "50")]
    rows: usize,
    #[command(flatten)]
    filters: Filters,
}

/// What rows can be.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    /// Domain of the served user
    Domain,
    /// Served user
    User,
    /// State
    State,
    /// Why the last attempt failed
    Error,
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct ShapeRecord {
    name: String,
    total: u64,
    /// Messages by age: up to 5, 10, 20, 40, 80, 160, 320, 640 minutes, and older.
    ages: [u64; 9],
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct ShapeEnd {
    /// Messages looked at.
    sampled: usize,
    /// Whether these were all.
    complete: bool,
}

/// Messages that were looked at.
#[derive(Debug, Default)]
pub(super) struct Shape {
    rows: HashMap<String, ShapeRecord>,
    all: ShapeRecord,
    pub(super) sampled: usize,
    pub(super) complete: bool,
}

impl Shape {
    fn count(&mut self, by: By, message: &Message, now: DateTime<Utc>) {
        let bucket = bucket(message, now);
        let name = name(by, message);
        let row = self.rows.entry(name.clone()).or_default();
        row.name = name;
        for row in [row, &mut self.all] {
            row.total += 1;
            if let Some(count) = row.ages.get_mut(bucket) {
                *count += 1;
            }
        }
        self.sampled += 1;
    }

    /// The rows with most messages, after that of all.
    fn sorted(self, limit: usize) -> Vec<ShapeRecord> {
        let mut rows: Vec<_> = self.rows.into_values().collect();
        rows.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.name.cmp(&b.name)));
        rows.truncate(limit);
        let all = ShapeRecord {
            name: "TOTAL".to_owned(),
            ..self.all
        };
        std::iter::once(all).chain(rows).collect()
    }
}

/// Looks at up to `sample` messages that wait, by state.
pub(super) async fn by_state(sample: usize, client: &mut Client) -> Result<String, Failure> {
    let shape = look(By::State, sample, &Filters::default(), client).await?;
    let is_complete = shape.complete;
    let table = table(&shape.sorted(usize::MAX));
    Ok(match is_complete {
        true => table,
        false => format!("{table}(the oldest {sample} only)\n"),
    })
}

pub(crate) async fn run(args: &ShapeArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let shape = look(args.by, args.sample, &args.filters, &mut client).await?;
    let end = ShapeEnd {
        sampled: shape.sampled,
        complete: shape.complete,
    };
    let records = shape.sorted(args.rows);
    let mut items = Items::begin(&mut session.output, "rows")?;
    items.write_all(&records, table)?;
    if !end.complete {
        complain(&format_args!(
            "these are the first {} messages: there are more, see --sample",
            end.sampled
        ));
    }
    items.finish(&end)
}

async fn look(
    by: By,
    sample: usize,
    filters: &Filters,
    client: &mut Client,
) -> Result<Shape, Failure> {
    let mut query = filters.query(&WAITING);
    let mut shape = Shape::default();
    let progress = Progress::begin(None, false);
    let now = Utc::now();
    loop {
        let left = u32::try_from(sample - shape.sampled).unwrap_or(u32::MAX);
        query.page_size = left.min(PAGE);
        if query.page_size == 0 {
            return Ok(shape);
        }
        let page = client.list(query.clone()).await?;
        for message in &page.messages {
            shape.count(by, message, now);
            progress.step();
        }
        if page.next_page_token.is_empty() {
            shape.complete = true;
            return Ok(shape);
        }
        query.page_token = page.next_page_token;
    }
}

fn bucket(message: &Message, now: DateTime<Utc>) -> usize {
    let received = message.received_at.map_or(0, |time| time.seconds);
    let minutes = (now.timestamp() - received) / 60;
    let place = MINUTES.iter().position(|end| minutes < *end);
    place.unwrap_or(MINUTES.len())
}

fn name(by: By, message: &Message) -> String {
    let user = &message.served_user;
    match by {
        By::User => user.clone(),
        By::Domain => {
            let domain = user.rsplit_once('@').map(|(_, domain)| domain);
            domain.unwrap_or("(numbers)").to_ascii_lowercase()
        }
        By::State => state_name(message.state),
        By::Error if message.reason.is_empty() => "(none)".to_owned(),
        By::Error => message.reason.clone(),
    }
}

fn table(records: &[ShapeRecord]) -> String {
    let rows: Vec<_> = records.iter().map(row).collect();
    Grid::new(&COLUMNS).page(&rows)
}

fn row(record: &ShapeRecord) -> Vec<String> {
    let counts = record.ages.iter().map(|count| match count {
        0 => ".".to_owned(),
        count => count.to_string(),
    });
    let head = [record.name.clone(), record.total.to_string()];
    head.into_iter().chain(counts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_fall_into_their_buckets() {
        let now = Utc::now();
        let aged = |minutes: i64| Message {
            served_user: "sip:bob@Example.org".to_owned(),
            received_at: Some(prost_types::Timestamp {
                seconds: now.timestamp() - 60 * minutes,
                nanos: 0,
            }),
            ..Message::default()
        };
        let mut shape = Shape::default();
        for minutes in [0, 4, 5, 9, 639, 640, 100_000] {
            shape.count(By::Domain, &aged(minutes), now);
        }
        let rows = shape.sorted(10);
        assert_eq!(rows[1].name, "example.org");
        assert_eq!(rows[1].ages, [2, 2, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!((rows[0].total, rows[0].ages), (7, rows[1].ages));
    }
}
