//! The rows of a table in PostgreSQL, in the order in which their messages came.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, RowStream};

use super::row::{COLUMNS, Record, missing};
use super::source::Found;
use crate::exit::Failure;

/// How long a database may take to answer a new connection.
const CONNECT: Duration = Duration::from_secs(10);

/// A table, of which no more rows are in memory than the connection holds.
pub(super) struct Table {
    /// Keeps the connection.
    _client: Client,
    rows: Pin<Box<RowStream>>,
    total: usize,
    name: String,
}

impl Table {
    /// Begins to read a table, as it is at this moment.
    pub(super) async fn open(config: &Config, table: &str) -> Result<Self, Failure> {
        if config.get_ssl_mode() == SslMode::Require {
            let problem = "sslmode=require: restantectl speaks no TLS to a database; run it where the database is, or reach \
                           it by a tunnel";
            return Err(unusable(table, problem.to_owned()));
        }
        let mut config = config.clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT);
        }
        let failed = |error: tokio_postgres::Error| unusable(table, told(&error));
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        // It ends with the client; what goes wrong is told by what is asked.
        tokio::spawn(async move { drop(connection.await) });
        // Octets are to be written as digits, whatever the database prefers.
        let digits = "SET bytea_output = 'hex'";
        client.batch_execute(digits).await.map_err(failed)?;
        let quoted = quoted(table);
        let any = client.prepare(&format!("SELECT * FROM {quoted}")).await;
        let any = any.map_err(failed)?;
        let has = |name: &str| any.columns().iter().any(|column| column.name() == name);
        let missing = missing(has);
        if !missing.is_empty() {
            let problem = format!("it lacks the columns {}", missing.join(", "));
            return Err(unusable(table, problem));
        }
        let count = format!("SELECT count(*) FROM {quoted}");
        let count = client.query_one(&count, &[]).await.map_err(failed)?;
        let total: i64 = count.try_get(0).map_err(failed)?;
        let columns = COLUMNS.map(|name| match has(name) {
            true => format!("{name}::text"),
            false => "NULL::text".to_owned(),
        });
        let columns = columns.join(", ");
        let query = format!("SELECT {columns} FROM {quoted} ORDER BY inc_time, id");
        let parameters: [&str; 0] = [];
        let rows = client.query_raw(&query, parameters).await.map_err(failed)?;
        Ok(Self {
            _client: client,
            rows: Box::pin(rows),
            total: usize::try_from(total).unwrap_or_default(),
            name: table.to_owned(),
        })
    }

    /// Rows in all, a moment before they were begun to be read.
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// The next row.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, Failure> {
        let failed = |error: tokio_postgres::Error| unusable(&self.name, told(&error));
        let Some(row) = self.rows.next().await.transpose().map_err(failed)? else {
            return Ok(None);
        };
        let mut columns = Vec::with_capacity(COLUMNS.len());
        for place in 0..COLUMNS.len() {
            let text: Option<&str> = row.try_get(place).map_err(failed)?;
            columns.push(text);
        }
        let record = Record::of(|place| columns[place].map(str::as_bytes));
        Ok(Some(Found {
            label: record.label(),
            record,
            problem: None,
        }))
    }
}

/// A name, or two with a point between them, as the database takes any name.
fn quoted(table: &str) -> String {
    let names = table
        .split('.')
        .map(|name| format!("\"{}\"", name.replace('"', "\"\"")));
    names.collect::<Vec<_>>().join(".")
}

fn unusable(table: &str, problem: String) -> Failure {
    Failure::NotImportable {
        what: format!("the table {table}"),
        problem,
    }
}

/// An error with its cause, which says more.
fn told(error: &tokio_postgres::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    let text = format!("{error}{}", cause.unwrap_or_default());
    crate::output::text::escape(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables_are_quoted() {
        assert_eq!(quoted("silo"), "\"silo\"");
        assert_eq!(quoted("kamailio.silo"), "\"kamailio\".\"silo\"");
        assert_eq!(
            quoted("a\"; DROP TABLE silo; --"),
            "\"a\"\"; DROP TABLE silo; --\""
        );
    }

    #[tokio::test]
    async fn a_database_that_wants_tls_is_refused() {
        let config: Config = "postgres://localhost/kamailio?sslmode=require"
            .parse()
            .unwrap();
        let refused = Table::open(&config, "silo").await.err().expect("refused");
        assert!(refused.to_string().contains("tunnel"), "{refused}");
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_told() {
        let config: Config = "postgres://127.0.0.1:1/kamailio".parse().unwrap();
        let refused = Table::open(&config, "silo").await.err().expect("refused");
        assert!(refused.to_string().contains("the table silo"), "{refused}");
    }
}
