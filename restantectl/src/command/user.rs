//! `user`: who has a mailbox, and under which addresses.

mod change;
mod data;
mod export_list;
mod list;

use clap::{Args, Subcommand};

use super::Session;
use crate::exit::Failure;
use crate::target::{Address, Given, all};

use change::{Action, Change};
use data::{UserEraseArgs, UserExportArgs, UserSummaryArgs};
use export_list::ExportListArgs;
use list::UserListArgs;

/// What can be done with users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Give users a mailbox
    ///
    /// A user whom a message or a registration has made becomes a provisioned one; nothing changes for
    /// one who is provisioned already.
    #[command(after_help = "\
Examples:
  restantectl user add bob@example.org
  restantectl user add - --dry-run < new-users.txt           one address per line
  restantectl user add - < new-users.txt")]
    Add(AddArgs),
    List(UserListArgs),
    ExportList(ExportListArgs),
    Summary(UserSummaryArgs),
    Export(UserExportArgs),
    Erase(UserEraseArgs),
    /// Show, add and remove further addresses of a user
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl user alias add bob@example.org +4930123456
  restantectl user alias remove bob@example.org +4930123456")]
    Alias(AliasCommand),
    /// Forget users with their aliases and registrations
    ///
    /// Refused while a user has undelivered messages: expire or delete those first. Settled messages
    /// keep their retention. With `provisioning = open` the next message makes a new mailbox.
    #[command(after_help = "\
Examples:
  restantectl user delete bob@example.org
  restantectl user delete - --dry-run < gone.txt
  restantectl user delete - --yes < gone.txt")]
    Delete(DeleteArgs),
}

/// What can be done with aliases.
#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Let further addresses lead to the mailbox of a user
    ///
    /// Mail that an address has had, while it belonged to nobody, joins the mailbox and is pushed if the
    /// user is registered.
    #[command(after_help = "\
Examples:
  restantectl user alias add bob@example.org +4930123456 robert@example.org
  restantectl user alias add bob@example.org - < numbers.txt")]
    Add(AliasArgs),
    /// Take aliases away from a user
    ///
    /// Mail that is stored already stays in the mailbox.
    #[command(after_help = "\
Examples:
  restantectl user alias remove bob@example.org +4930123456")]
    Remove(AliasArgs),
}

/// Whom to add.
#[derive(Args, Debug)]
pub(crate) struct AddArgs {
    /// Addresses of the users; `-` reads them from standard input
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<Given<Address>>,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Whom to delete.
#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    /// Addresses the users were made for; `-` reads them from standard input
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<Given<Address>>,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete more than one user
    #[arg(long)]
    yes: bool,
}

/// Whose aliases, and which.
#[derive(Args, Debug)]
pub(crate) struct AliasArgs {
    /// The user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// The aliases; `-` reads them from standard input
    #[arg(value_name = "ALIAS", required = true)]
    aliases: Vec<Given<Address>>,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(command: UserCommand, session: &mut Session) -> Result<(), Failure> {
    match command {
        UserCommand::Add(args) => {
            let changes = of_users(&args.addresses, Action::Add)?;
            change::run(changes, args.dry_run, session).await
        }
        UserCommand::List(args) => list::run(args, session).await,
        UserCommand::ExportList(args) => export_list::run(&args, session).await,
        UserCommand::Summary(args) => data::summary(args, session).await,
        UserCommand::Export(args) => data::export(&args, session).await,
        UserCommand::Erase(args) => data::erase(&args, session).await,
        UserCommand::Alias(AliasCommand::Add(args)) => {
            let dry_run = args.dry_run;
            let changes = args.changes(Action::AddAlias)?;
            change::run(changes, dry_run, session).await
        }
        UserCommand::Alias(AliasCommand::Remove(args)) => {
            let dry_run = args.dry_run;
            let changes = args.changes(Action::RemoveAlias)?;
            change::run(changes, dry_run, session).await
        }
        UserCommand::Delete(args) => {
            let changes = of_users(&args.addresses, Action::Delete)?;
            if changes.len() > 1 && !args.yes && !args.dry_run {
                return Err(Failure::Unconfirmed {
                    verb: "user delete",
                    count: changes.len(),
                    items: "users",
                });
            }
            change::run(changes, args.dry_run, session).await
        }
    }
}

fn of_users(users: &[Given<Address>], action: Action) -> Result<Vec<Change>, Failure> {
    let users = all(users)?.into_iter();
    let change = |user| Change {
        user,
        action: action.clone(),
    };
    Ok(users.map(change).collect())
}

impl AliasArgs {
    fn changes(&self, action: fn(Address) -> Action) -> Result<Vec<Change>, Failure> {
        let aliases = all(&self.aliases)?.into_iter();
        let change = |alias| Change {
            user: self.address.clone(),
            action: action(alias),
        };
        Ok(aliases.map(change).collect())
    }
}
