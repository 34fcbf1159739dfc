//! What can be typed: the global options and the commands.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use command_line::{Completions, Man};

use crate::command::config::ConfigCommand;
use crate::command::console::ConsoleArgs;
use crate::command::dead::DeadCommand;
use crate::command::events::EventsCommand;
use crate::command::explain::ExplainArgs;
use crate::command::group::GroupCommand;
use crate::command::import::ImportCommand;
use crate::command::job::JobCommand;
use crate::command::keys::KeysCommand;
use crate::command::list::ListArgs;
use crate::command::log_filter::LogFilterArgs;
use crate::command::maintenance::{BackupArgs, BackupsArgs, CheckArgs, CompactArgs};
use crate::command::order::{HoldArgs, OrderArgs};
use crate::command::purge::PurgeArgs;
use crate::command::push::PushArgs;
use crate::command::recall::RecallArgs;
use crate::command::retry::RetryArgs;
use crate::command::sessions::SessionsArgs;
use crate::command::settings::SettingsCommand;
use crate::command::shape::ShapeArgs;
use crate::command::show::ShowArgs;
use crate::command::subscriptions::SubscriptionsCommand;
use crate::command::summary::SummaryArgs;
use crate::command::suspend::SuspendCommand;
use crate::command::top::TopArgs;
use crate::command::trace::TraceArgs;
use crate::command::user::UserCommand;
use crate::command::watch::WatchArgs;
use crate::credentials::Credentials;
use crate::exit::EXIT_CODES;
use crate::moment::parse_timeout;
use crate::server::Server;

const EXAMPLES: &str = "\
Examples:
  restantectl status                                   is the service well?
  restantectl list --to bob@example.org                what waits for Bob, what became of the rest?
  restantectl show 17@store.example --timeline         why was this one not delivered?
  restantectl push bob@example.org                     deliver to Bob now
  restantectl user add bob@example.org                 give Bob a mailbox
  restantectl --server https://store:7401 --ca authority.pem --cert me.pem --key me.key status
  restantectl list --state refused -o jsonl | restantectl redeliver - --dry-run

An ID or ADDRESS of `-` stands for those on standard input, one per line; lines of `list -o jsonl`
are understood too. Commands that change messages take the filters of `list` instead, --yes for more than one message, and
the word ALL for every one; the --reason of any command is in the audit log of the service. Fields of -o json and jsonl are described in restantectl/JSON.md; they only grow.

";

/// See and steer what Restante keeps for its users.
#[derive(Debug, Parser)]
#[command(name = "restantectl", version, max_term_width = 100)]
#[command(after_help = format!("{EXAMPLES}{EXIT_CODES}"))]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command has.
#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// Operators' listener of the storage service: http://HOST:PORT, https://HOST:PORT or unix:/PATH
    #[arg(long, global = true, value_name = "URL", env = "RESTANTE_SERVER")]
    #[arg(default_value = "http://127.0.0.1:7401")]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) credentials: Credentials,
    /// How to write what was found
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "table"
    )]
    pub(crate) output: Format,
    /// How long to wait for each answer of the server
    #[arg(long, global = true, value_name = "SPAN", default_value = "10s", value_parser = parse_timeout)]
    pub(crate) timeout: Duration,
    /// Why: for the audit log of the service, and kept with what is changed
    #[arg(long, global = true, value_name = "TEXT", default_value = "")]
    #[arg(hide_default_value = true)]
    pub(crate) reason: String,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people; control characters and bidirectional overrides are escaped
    Table,
    /// One JSON document
    Json,
    /// One JSON record per line
    Jsonl,
    /// The octets of one message and nothing else; only with `show ID --body` or `--part`
    Raw,
}

/// The commands, those that only read first.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(visible_alias = "mailq")]
    List(ListArgs),
    Show(ShowArgs),
    Summary(SummaryArgs),
    /// Show whether the service is ready, its edges and its pushes
    ///
    /// Exits with 1 if the service answers but is not ready.
    #[command(after_help = "\
Examples:
  restantectl status
  restantectl status -o json | jq .edges
  restantectl --server unix:/run/restante/operators.sock status")]
    Status,
    Console(ConsoleArgs),
    Watch(WatchArgs),
    Explain(ExplainArgs),
    Shape(ShapeArgs),
    Top(TopArgs),
    Trace(TraceArgs),
    Sessions(SessionsArgs),
    /// Follow what happens to messages
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl events watch
  restantectl events watch --from-beginning --kind expired -o jsonl")]
    Events(EventsCommand),
    /// See and rotate the master keys of an encrypted store
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl keys status
  restantectl keys rotate")]
    Keys(KeysCommand),
    Backups(BackupsArgs),
    Backup(BackupArgs),
    Check(CheckArgs),
    Compact(CompactArgs),
    LogFilter(LogFilterArgs),
    /// See the configuration of processes that run, and have it read again
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl config show
  restantectl config reload --reason 'larger mailboxes, ticket 4711'")]
    Config(ConfigCommand),
    /// See who is told what waits
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl subscriptions list
  restantectl subscriptions list bob@example.org")]
    Subscriptions(SubscriptionsCommand),
    Push(PushArgs),
    Retry(RetryArgs),
    /// Keep deliveries to a user or a domain from being begun for a while
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl suspend add --to bob@example.org --duration 10m --reason 'client loops'
  restantectl suspend list
  restantectl suspend cancel --to bob@example.org")]
    Suspend(SuspendCommand),
    /// See dead letters, deliver them again or drop them
    ///
    /// A message is a dead letter when its client has refused it for good, or on `push.max_refusals` registrations.
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl dead list --domain example.org
  restantectl dead redeliver 17@store.example
  restantectl dead drop --before 7d --yes")]
    Dead(DeadCommand),
    /// Make settled messages deliverable again, with the same Message-ID
    ///
    /// Works on delivered and refused messages while their content is retained and their lifetime lasts. If the user is registered, the service plans a push.
    #[command(after_help = "\
Examples:
  restantectl redeliver 17@store.example --reason 'client lost it, ticket 4711'
  restantectl list --to bob@example.org --state refused -o jsonl | restantectl redeliver - --yes")]
    Redeliver(OrderArgs),
    /// Keep stored messages back until `unhold`, or until a time
    ///
    /// Held messages are not offered to their user; they still count and still expire.
    #[command(after_help = "\
Examples:
  restantectl hold 17@store.example --reason 'legal check'
  restantectl hold 17@store.example --until 2026-12-24T18:00:00Z
  restantectl list --from spam@example.net --state stored -o jsonl | restantectl hold - --yes")]
    Hold(HoldArgs),
    /// Offer held messages again
    #[command(after_help = "\
Examples:
  restantectl unhold 17@store.example
  restantectl list --state held -o jsonl | restantectl unhold - --yes")]
    Unhold(OrderArgs),
    /// End undelivered messages now, as if their lifetime were over
    #[command(after_help = "\
Examples:
  restantectl expire 17@store.example --reason 'obsolete'
  restantectl list --state stored --before 30d -o jsonl | restantectl expire - --dry-run")]
    Expire(OrderArgs),
    /// Delete undelivered messages, or the retained content of settled ones
    #[command(after_help = "\
Examples:
  restantectl delete 17@store.example --reason 'asked for by its sender'
  restantectl list --from spam@example.net --limit all -o jsonl | restantectl delete - --dry-run")]
    Delete(OrderArgs),
    Purge(PurgeArgs),
    Recall(RecallArgs),
    /// Manage who has a mailbox, and under which addresses
    ///
    /// With `provisioning = listed` only the users made here have a mailbox. With `open` users come by
    /// themselves, with their first message or registration; what is made here adds to that. Changes
    /// are on disk before they are answered, and the next message sees them.
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl user add bob@example.org                       a mailbox for Bob
  restantectl user alias add bob@example.org +4930123456     his number leads to it too
  restantectl user list
  restantectl user delete bob@example.org")]
    User(UserCommand),
    /// Take messages over from another store
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl import msilo --csv silo.csv --dry-run
  restantectl import msilo --postgres postgres://kamailio@localhost/kamailio --reason 'we move'")]
    Import(ImportCommand),
    /// Manage groups: a message to a group goes to its members
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl group create team@example.org bob@example.org carol@example.org
  restantectl group add team@example.org dave@example.org
  restantectl group show team@example.org
  restantectl group export > groups.jsonl")]
    Group(GroupCommand),
    /// See and end messages to groups and lists, with what became of each copy
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl job list --state running
  restantectl job show 1790000000000042
  restantectl job cancel 1790000000000042 --reason 'sent by mistake'")]
    Job(JobCommand),
    /// See what a user controls, and say something else
    ///
    /// What holds for each setting: the override of an operator while it lives, else the latest
    /// publication of the user's clients that mentions it, else what is preset here, else the default of
    /// the configuration.
    #[command(subcommand)]
    #[command(after_help = "\
Examples:
  restantectl settings get bob@example.org
  restantectl settings set bob@example.org offline-delivery=off
  restantectl settings override bob@example.org message-barring=on --for 2h --reason 'abuse'
  restantectl settings clear bob@example.org")]
    Settings(SettingsCommand),
    /// Write completions for a shell to standard output
    #[command(after_help = "\
Examples:
  restantectl completions bash > /etc/bash_completion.d/restantectl
  restantectl completions zsh > /usr/local/share/zsh/site-functions/_restantectl
  restantectl completions fish > ~/.config/fish/completions/restantectl.fish")]
    Completions(Completions),
    /// Write manual pages, one for each command
    #[command(after_help = "\
Examples:
  restantectl man --out /usr/local/share/man/man1")]
    Man(Man),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_teaches_by_example() {
        each_teaches(&Cli::command(), "restantectl");
    }

    fn each_teaches(parent: &clap::Command, path: &str) {
        for command in parent.get_subcommands() {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().expect("a help text").to_string();
            assert!(help.contains(&path), "{help}");
            each_teaches(command, &path);
        }
    }
}
