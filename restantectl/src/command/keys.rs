//! `keys`: the master keys of the storage service.

use clap::Subcommand;

use super::Session;
use crate::exit::Failure;
use crate::output::record::KeysRecord;
use crate::output::table::{Column, Grid};

/// What can be done with master keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Show which master keys the storage service has, and what each wraps
    ///
    /// A key that wraps nothing may be taken out of the file of the master keys.
    #[command(after_help = "\
Examples:
  restantectl keys status
  restantectl keys status -o json | jq .current_id")]
    Status,
    /// Have the file of the master keys read again, and everything wrapped by the newest of them
    ///
    /// Contents stay as they are; messages come and go meanwhile.
    #[command(after_help = "\
Examples:
  restantectl keys rotate")]
    Rotate,
}

const KEYS: [Column; 3] = [
    Column::number("KEY"),
    Column::number("WRAPS"),
    Column::whole("USE"),
];

pub(crate) async fn run(command: KeysCommand, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let keys = match command {
        KeysCommand::Status => client.keys().await?,
        KeysCommand::Rotate => client.rotate_keys().await?,
    };
    session.output.single(&KeysRecord::from(keys), text)
}

fn text(keys: &KeysRecord) -> String {
    if keys.current_id == 0 {
        return "Nothing is encrypted.\n".to_owned();
    }
    let rows = keys.master_keys.iter().map(|key| {
        let is_current = key.id == keys.current_id;
        let used = match key.wraps {
            _ if is_current => "wraps what is new",
            0 => "may be removed",
            _ => "needed until a rotation",
        };
        vec![key.id.to_string(), key.wraps.to_string(), used.to_owned()]
    });
    Grid::new(&KEYS).page(&rows.collect::<Vec<_>>())
}
