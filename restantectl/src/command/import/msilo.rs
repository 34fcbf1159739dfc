//! `import msilo`: take over what msilo of Kamailio or OpenSIPS keeps.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use proto::v1::{ImportOutcome, ImportResult, ImportedMessage, RefusalReason};
use serde::Serialize;
use tokio::task::yield_now;
use tokio::time::sleep;
use tokio_postgres::Config;

use super::message::imported;
use super::ordered_csv::OrderedCsv;
use super::postgres::Table;
use super::rejected::RejectedFile;
use super::row::{Record, Row};
use super::source::{Found, Source};
use crate::client::Client;
use crate::command::Session;
use crate::command::interruption::Interruption;
use crate::exit::{Code, Failure, complain};
use crate::output::Progress;

/// Messages of one call: one synced batch of the store.
const BATCH: usize = 100;

/// Octets of messages of one call.
const BATCH_OCTETS: usize = 1 << 20;

/// Pauses before a call is made again that the service could not answer just now.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

/// The table, as both modules call it.
const TABLE: &str = "silo";

/// Take over the messages that msilo of Kamailio or OpenSIPS keeps for users who are offline
///
/// From its table in PostgreSQL, or from a CSV file whose first line names the columns as that table does. Messages keep the times of
/// their arrival and expiry, their order, sender, type and body; docs/migrating.md says how to switch over. What has expired,
/// what was sent, and reminders are left out and counted. Rows that cannot be imported are told on standard error, each with its
/// reason, and the rest goes on; the exit code is 1 then.
///
/// It may be run again at any time, as after an interruption: a row that is in Restante already is recognised by its id, its
/// time and its Call-ID, and stored once.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl import msilo --postgres postgres://kamailio@localhost/kamailio --dry-run
  restantectl import msilo --postgres postgres://kamailio@localhost/kamailio --reason 'we move'
  restantectl import msilo --csv silo.csv --rejected rejected.csv
  psql kamailio -c '\\copy silo to stdout csv header' | restantectl import msilo --csv -")]
pub(crate) struct MsiloArgs {
    /// A file with a header line, as `\copy silo to 'silo.csv' csv header` of psql writes it; `-` is standard input
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "postgres",
        required_unless_present = "postgres"
    )]
    csv: Option<PathBuf>,
    /// A database, as postgres://USER@HOST/DATABASE or in words of libpq; the password may be in PGPASSWORD. Without TLS
    #[arg(long, value_name = "URL", value_parser = database)]
    postgres: Option<Box<Config>>,
    /// The table in it, if it is not `silo`; SCHEMA.TABLE for one of another schema
    #[arg(long, value_name = "NAME", requires = "postgres")]
    table: Option<String>,
    /// Take reminders too, as messages that are due now
    #[arg(long)]
    reminders: bool,
    /// Read and check everything, tell what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Where to write the rows that could not be imported, with the reason, as CSV that can be imported again; in the place of
    /// what is there, when all rows were looked at. Without such rows, and in a dry run, nothing is written
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
}

/// A way to a database. What is wrong with it is told without it: there may be a password in it.
fn database(text: &str) -> Result<Box<Config>, String> {
    let config = text.parse::<Config>();
    config.map(Box::new).map_err(|_| {
        "write it as postgres://USER@HOST:PORT/DATABASE, or as host=HOST user=USER dbname=DATABASE".to_owned()
    })
}

impl MsiloArgs {
    async fn source(&self) -> Result<Source, Failure> {
        match (&self.csv, &self.postgres) {
            (Some(path), _) => Ok(Source::Csv(Box::new(OrderedCsv::open(path)?))),
            (None, Some(config)) => {
                let mut config = (**config).clone();
                let password = std::env::var_os("PGPASSWORD");
                if let (None, Some(password)) = (config.get_password(), password) {
                    config.password(password.into_encoded_bytes());
                }
                let table = self.table.as_deref().unwrap_or(TABLE);
                Ok(Source::Postgres(Box::new(
                    Table::open(&config, table).await?,
                )))
            }
            // The command line is not read without one of them.
            (None, None) => Err(Failure::NothingSelected),
        }
    }
}

/// What an import came to.
#[derive(Debug, Default, Serialize)]
struct MsiloRecord {
    /// `csv` or `postgres`.
    source: &'static str,
    dry_run: bool,
    /// That were looked at.
    rows: usize,
    imported: usize,
    /// That an earlier run had imported.
    already_there: usize,
    expired: usize,
    already_sent: usize,
    /// Left out, without --reminders.
    reminders: usize,
    rejected: usize,
}

pub(super) async fn run(args: &MsiloArgs, session: &mut Session) -> Result<(), Failure> {
    let rejected = args.rejected.as_deref();
    let rejected = rejected.map(|path| RejectedFile::at(path, args.csv.as_deref()));
    let rejected = rejected.transpose()?.filter(|_| !args.dry_run);
    let mut source = args.source().await?;
    let client = session.connect().await?;
    let mut import = Import {
        args,
        reason: session.globals.reason.clone(),
        client,
        record: MsiloRecord {
            source: source.name(),
            dry_run: args.dry_run,
            ..MsiloRecord::default()
        },
        batch: Vec::new(),
        octets: 0,
        ahead: Ahead::default(),
        rejected,
        progress: Progress::begin(Some(source.total()), false),
        interruption: Interruption::listen(),
    };
    let ended = import.all(&mut source).await;
    let Import {
        record,
        rejected,
        progress,
        ..
    } = import;
    drop(progress);
    let ended = ended.map_err(|failure| stopped(&record, failure));
    let closed = rejected.map_or(Ok(()), RejectedFile::finish);
    let written = session.output.single(&record, text);
    let failed = match record.rejected {
        0 => Ok(()),
        failed => Err(Failure::SomeFailed {
            failed,
            total: record.rows,
        }),
    };
    ended.and(closed).and(written).and(failed)
}

/// A row on its way.
struct Sent {
    label: String,
    record: Record,
    message: ImportedMessage,
}

/// What a dry run has come by: messages of a user and a class, octets of a user.
#[derive(Default)]
struct Ahead {
    messages: HashMap<(String, i32), u64>,
    octets: HashMap<String, u64>,
}

impl Ahead {
    fn add(&mut self, message: &ImportedMessage) {
        let user = &message.served_user;
        let key = (user.clone(), message.class);
        *self.messages.entry(key).or_default() += 1;
        *self.octets.entry(user.clone()).or_default() += message.message.len() as u64;
    }

    fn tell(&self, message: &mut ImportedMessage) {
        let key = (message.served_user.clone(), message.class);
        message.messages_ahead = self.messages.get(&key).copied().unwrap_or_default();
        message.octets_ahead = self.octets.get(&key.0).copied().unwrap_or_default();
    }
}

struct Import<'a> {
    args: &'a MsiloArgs,
    reason: String,
    client: Client,
    record: MsiloRecord,
    batch: Vec<Sent>,
    /// Of the messages in it.
    octets: usize,
    ahead: Ahead,
    rejected: Option<RejectedFile>,
    progress: Progress,
    interruption: Interruption,
}

impl Import<'_> {
    async fn all(&mut self, source: &mut Source) -> Result<(), Failure> {
        while let Some(found) = self.next(source).await? {
            self.take(found)?;
            if self.batch.len() == BATCH || self.octets >= BATCH_OCTETS {
                self.send().await?;
            }
        }
        self.send().await
    }

    /// The next row, unless the operator has had enough. What is in the batch is left to the next run then.
    async fn next(&self, source: &mut Source) -> Result<Option<Found>, Failure> {
        // A file always has the next row at once, and a signal comes in only where something is waited for.
        yield_now().await;
        tokio::select! {
            biased;
            () = self.interruption.here() => Err(self.interrupted()),
            found = source.next() => found,
        }
    }

    fn interrupted(&self) -> Failure {
        Failure::ImportStopped {
            done: self.record.rows,
            why: "interrupted".to_owned(),
            code: Code::Interrupted,
        }
    }

    /// Looks at a row; what is to be imported joins the batch.
    fn take(&mut self, found: Found) -> Result<(), Failure> {
        let Found {
            label,
            record,
            problem,
        } = found;
        if let Some(problem) = problem {
            return self.reject(&label, &record, &problem);
        }
        let row = match Row::read(&record) {
            Ok(row) => row,
            Err(problem) => return self.reject(&label, &record, &problem.to_string()),
        };
        let left_out = if row.status != 0 {
            Some(&mut self.record.already_sent)
        } else if row.snd_time != 0 && !self.args.reminders {
            Some(&mut self.record.reminders)
        } else if row.exp_time <= Utc::now().timestamp() {
            Some(&mut self.record.expired)
        } else {
            None
        };
        if let Some(count) = left_out {
            *count += 1;
            self.handled();
            return Ok(());
        }
        match imported(&row) {
            Ok(message) => {
                self.octets += message.message.len();
                self.batch.push(Sent {
                    label,
                    record,
                    message,
                });
                Ok(())
            }
            Err(problem) => self.reject(&label, &record, problem),
        }
    }

    fn reject(&mut self, label: &str, record: &Record, reason: &str) -> Result<(), Failure> {
        self.record.rejected += 1;
        self.handled();
        complain(&format!("row {label}: {reason}"));
        match &mut self.rejected {
            Some(file) => file.add(record, reason),
            None => Ok(()),
        }
    }

    fn handled(&mut self) {
        self.record.rows += 1;
        self.progress.step();
    }

    /// Has the service take what is in the batch.
    async fn send(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        if self.args.dry_run {
            for sent in &mut self.batch {
                self.ahead.tell(&mut sent.message);
            }
        }
        let messages: Vec<_> = self.batch.iter().map(|sent| sent.message.clone()).collect();
        let results = self.results(messages).await?;
        if results.len() != self.batch.len() {
            return Err(self
                .client
                .defect("an import with other results than messages"));
        }
        self.octets = 0;
        let mut is_full = false;
        for (sent, result) in std::mem::take(&mut self.batch).into_iter().zip(results) {
            is_full |= self.settle(&sent, &result)?;
        }
        match is_full {
            true => Err(Failure::ImportStopped {
                done: self.record.rows,
                why: "the disk of the store is above its high-water mark".to_owned(),
                code: Code::Unavailable,
            }),
            false => Ok(()),
        }
    }

    /// What the service says of these messages, which is asked again if it cannot say so now: none is stored twice. After
    /// an interruption its answer is still waited for, so that what it has stored is counted, but it is not asked again.
    async fn results(
        &mut self,
        messages: Vec<ImportedMessage>,
    ) -> Result<Vec<ImportResult>, Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let (dry_run, reason) = (self.args.dry_run, self.reason.clone());
            let answer = tokio::select! {
                biased;
                () = self.interruption.insisted() => return Err(self.interrupted()),
                answer = self.client.import(messages.clone(), dry_run, reason) => answer,
            };
            match (answer, pauses.next()) {
                (Err(Failure::Unavailable { .. } | Failure::Unreachable { .. }), Some(pause)) => {
                    tokio::select! {
                        biased;
                        () = self.interruption.here() => return Err(self.interrupted()),
                        () = sleep(pause) => {}
                    }
                }
                (answer, _) => return answer,
            }
        }
    }

    /// Counts what became of a row; true if the store takes nothing more.
    fn settle(&mut self, sent: &Sent, result: &ImportResult) -> Result<bool, Failure> {
        let count = match result.outcome() {
            ImportOutcome::Stored => {
                if self.args.dry_run {
                    self.ahead.add(&sent.message);
                }
                &mut self.record.imported
            }
            ImportOutcome::Duplicate => &mut self.record.already_there,
            ImportOutcome::Expired => &mut self.record.expired,
            ImportOutcome::Refused if result.refusal() == RefusalReason::DiskFull => {
                return Ok(true);
            }
            ImportOutcome::Refused | ImportOutcome::Invalid => {
                let reason = crate::output::text::escape(&result.reason);
                self.reject(&sent.label, &sent.record, &reason)?;
                return Ok(false);
            }
            ImportOutcome::Unspecified => {
                return Err(self.client.defect("an import without an outcome"));
            }
        };
        *count += 1;
        self.handled();
        Ok(false)
    }
}

/// A failure that ended the import, with how to go on.
fn stopped(record: &MsiloRecord, failure: Failure) -> Failure {
    match failure {
        Failure::ImportStopped { .. } => failure,
        failure => Failure::ImportStopped {
            done: record.rows,
            why: failure.to_string(),
            code: failure.code(),
        },
    }
}

fn text(record: &MsiloRecord) -> String {
    let imported = match record.dry_run {
        true => "would be imported",
        false => "imported",
    };
    let lines = [
        (imported, record.imported),
        ("already there", record.already_there),
        ("left out: expired", record.expired),
        ("left out: already sent", record.already_sent),
        ("left out: reminders", record.reminders),
        ("rejected", record.rejected),
        ("rows", record.rows),
    ];
    lines
        .iter()
        .map(|(what, count)| format!("{what:<24}{count:>9}\n"))
        .collect()
}
