//! `dead`: dead letters, messages that were refused for good or too often.

use clap::Subcommand;
use proto::v1::MessageState;

use super::filter::Filters;
use super::list::ListArgs;
use super::order::OrderArgs;
use super::show::ShowArgs;
use super::{Session, list, order, show};
use crate::client::Order;
use crate::exit::Failure;

/// In which state they are.
const DEAD: &[MessageState] = &[MessageState::Refused];

/// What can be done with dead letters.
#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List dead letters, with the filters of `list`
    #[command(after_help = "\
Examples:
  restantectl dead list
  restantectl dead list --to bob@example.org --since 1d -o jsonl")]
    List(ListArgs),
    /// Show dead letters, as `show` does
    #[command(after_help = "\
Examples:
  restantectl dead show 17@store.example --timeline")]
    Show(ShowArgs),
    /// Make dead letters deliverable again, with the same Message-ID
    #[command(after_help = "\
Examples:
  restantectl dead redeliver 17@store.example --reason 'client is mended'
  restantectl dead redeliver --domain example.org --error 'MSRP 415' --dry-run")]
    Redeliver(OrderArgs),
    /// Remove the contents of dead letters; their timelines stay for `retention.timeline`
    #[command(after_help = "\
Examples:
  restantectl dead drop 17@store.example
  restantectl dead drop --before 7d --yes --reason 'nobody will miss them'")]
    Drop(OrderArgs),
}

pub(crate) async fn run(command: DeadCommand, session: &mut Session) -> Result<(), Failure> {
    match command {
        DeadCommand::List(args) => {
            are_meant(&args.filters)?;
            list::run_for(args, DEAD, session).await
        }
        DeadCommand::Show(args) => show::run(&args, session).await,
        DeadCommand::Redeliver(args) => {
            are_meant(&args.selection.filters)?;
            order::run_for(Order::Redeliver, Some(DEAD), &args, session).await
        }
        DeadCommand::Drop(args) => {
            are_meant(&args.selection.filters)?;
            order::run_for(Order::Delete, Some(DEAD), &args, session).await
        }
    }
}

/// Other states than that of dead letters cannot be asked for here.
fn are_meant(filters: &Filters) -> Result<(), Failure> {
    match filters.ask_beyond(DEAD) {
        true => Err(Failure::NotDead),
        false => Ok(()),
    }
}
