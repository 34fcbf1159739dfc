//! The commands: one file each; those that change one message by one verb share [`order`].

pub(crate) mod config;
pub(crate) mod console;
pub(crate) mod dead;
pub(crate) mod events;
pub(crate) mod explain;
mod filter;
pub(crate) mod group;
pub(crate) mod import;
mod interruption;
pub(crate) mod job;
pub(crate) mod keys;
pub(crate) mod limit;
pub(crate) mod list;
pub(crate) mod log_filter;
pub(crate) mod maintenance;
pub(crate) mod order;
mod pages;
mod process;
pub(crate) mod purge;
pub(crate) mod push;
pub(crate) mod recall;
pub(crate) mod retry;
mod selection;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod shape;
pub(crate) mod show;
mod status;
pub(crate) mod subscriptions;
pub(crate) mod summary;
pub(crate) mod suspend;
pub(crate) mod top;
pub(crate) mod trace;
pub(crate) mod user;
pub(crate) mod watch;

use std::fmt::Display;

use clap::CommandFactory as _;
use command_line::Section;

use crate::args::{Cli, Command, Format, Globals};
use crate::client::{Client, Order};
use crate::exit::{Failure, complain};
use crate::output::Output;

/// Does what was typed.
pub(crate) async fn run(cli: Cli) -> Result<(), Failure> {
    let mut session = Session {
        output: Output::new(cli.globals.output),
        globals: cli.globals,
    };
    let is_show = matches!(cli.command, Command::Show(_));
    if session.globals.output == Format::Raw && !is_show {
        return Err(Failure::RawNeedsOneContent);
    }
    match cli.command {
        Command::List(args) => list::run(args, &mut session).await,
        Command::Show(args) => show::run(&args, &mut session).await,
        Command::Summary(args) => summary::run(&args, &mut session).await,
        Command::Status => status::run(&mut session).await,
        Command::Console(args) => console::run(&args, &mut session).await,
        Command::Push(args) => push::run(&args, &mut session).await,
        Command::Redeliver(args) => order::run(Order::Redeliver, &args, &mut session).await,
        Command::Hold(args) => order::run(args.verb(), &args.order, &mut session).await,
        Command::Unhold(args) => order::run(Order::Unhold, &args, &mut session).await,
        Command::Expire(args) => order::run(Order::Expire, &args, &mut session).await,
        Command::Delete(args) => order::run(Order::Delete, &args, &mut session).await,
        Command::Recall(args) => recall::run(args, &mut session).await,
        Command::User(command) => user::run(command, &mut session).await,
        Command::Group(command) => group::run(command, &mut session).await,
        Command::Job(command) => job::run(command, &mut session).await,
        Command::Import(command) => import::run(command, &mut session).await,
        Command::Keys(command) => keys::run(command, &mut session).await,
        Command::Backup(_) => maintenance::backup(&mut session).await,
        Command::Backups(_) => maintenance::backups(&mut session).await,
        Command::Check(_) => maintenance::check(&mut session).await,
        Command::Compact(_) => maintenance::compact(&mut session).await,
        Command::LogFilter(args) => log_filter::run(args, &mut session).await,
        Command::Config(command) => config::run(command, &mut session).await,
        Command::Settings(command) => settings::run(command, &mut session).await,
        Command::Subscriptions(command) => subscriptions::run(command, &mut session).await,
        Command::Events(command) => events::run(command, &mut session).await,
        Command::Watch(args) => watch::run(&args, &mut session).await,
        Command::Explain(args) => explain::run(&args, &mut session).await,
        Command::Shape(args) => shape::run(&args, &mut session).await,
        Command::Top(args) => top::run(&args, &mut session).await,
        Command::Trace(args) => trace::run(&args, &mut session).await,
        Command::Sessions(args) => sessions::run(&args, &mut session).await,
        Command::Retry(args) => retry::run(&args, &mut session).await,
        Command::Purge(args) => purge::run(&args, &mut session).await,
        Command::Suspend(command) => suspend::run(command, &mut session).await,
        Command::Dead(command) => dead::run(command, &mut session).await,
        Command::Completions(completions) => {
            session.output.octets(&completions.of(Cli::command()))?;
            session.output.flush()
        }
        Command::Man(man) => man
            .write(Cli::command(), Section::User)
            .map_err(Failure::File),
    }
}

/// What every command works with.
pub(crate) struct Session {
    globals: Globals,
    output: Output,
}

impl Session {
    /// Connects to the server; what was typed should be checked before.
    async fn connect(&self) -> Result<Client, Failure> {
        let Globals {
            server,
            credentials,
            timeout,
            reason,
            ..
        } = &self.globals;
        let client = Client::connect(server, credentials, *timeout).await?;
        Ok(client.because(reason))
    }
}

/// Counts what failed among the items of one command and reports each failure as it happens.
#[derive(Debug, Default)]
struct Tally {
    failed: usize,
}

impl Tally {
    /// Reports that `what` failed.
    fn fail(&mut self, what: &dyn Display, why: &dyn Display) {
        self.failed += 1;
        complain(&format_args!("{what}: {why}"));
    }

    /// The end of the command, after `total` items.
    fn result(&self, total: usize) -> Result<(), Failure> {
        match self.failed {
            0 => Ok(()),
            failed => Err(Failure::SomeFailed { failed, total }),
        }
    }
}

/// Marks a failure that ended a series, so that people know how far it went.
fn stopped(done: usize, total: usize, source: Failure) -> Failure {
    match total {
        0 | 1 => source,
        _ => Failure::Stopped {
            done,
            total,
            source: Box::new(source),
        },
    }
}
