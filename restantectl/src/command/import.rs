//! `import`: take messages over from another store.

mod message;
mod msilo;
mod ordered_csv;
mod postgres;
mod rejected;
mod row;
mod source;

use clap::Subcommand;

use self::msilo::MsiloArgs;
use super::Session;
use crate::exit::Failure;

/// What messages can be taken over from.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    Msilo(MsiloArgs),
}

pub(crate) async fn run(command: ImportCommand, session: &mut Session) -> Result<(), Failure> {
    match command {
        ImportCommand::Msilo(args) => msilo::run(&args, session).await,
    }
}
