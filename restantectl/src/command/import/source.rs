//! Where rows come from.

use super::ordered_csv::OrderedCsv;
use super::postgres::Table;
use super::row::Record;
use crate::exit::Failure;

/// A row as it was found.
#[derive(Debug)]
pub(super) struct Found {
    /// What people call it: its id, or else where it is.
    pub(super) label: String,
    pub(super) record: Record,
    /// What is wrong with it, beside its columns.
    pub(super) problem: Option<String>,
}

/// Rows in the order in which their messages came.
pub(super) enum Source {
    Csv(Box<OrderedCsv>),
    Postgres(Box<Table>),
}

impl Source {
    /// What it is called in a summary.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Rows in all.
    pub(super) fn total(&self) -> usize {
        match self {
            Self::Csv(rows) => rows.total(),
            Self::Postgres(rows) => rows.total(),
        }
    }

    /// The next row; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, Failure> {
        match self {
            Self::Csv(rows) => rows.next().map_err(Failure::Input),
            Self::Postgres(rows) => rows.next().await,
        }
    }
}
