//! `restante`: the server binary. It joins the libraries of the processes; what they do is theirs.

// They panic when standard output is closed.
#![deny(clippy::print_stdout)]

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use command_line::Section;
use daemon::exit::{Code, Fatal, report};

mod args;
mod config;
mod entrance;
mod log_events;
mod maintenance;
mod metrics;
mod print;
mod process;
mod ready;
mod reload;

use args::{Arguments, Command, ConfigCommand};
use print::{print, unwritten};
use process::Role;

/// Deposits are many short-lived allocations on many threads; measured in docs/benchmarks.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => report(run(arguments.command)),
        Err(error) => {
            // Help and version are errors to clap that belong to standard output.
            let is_mistake = error.use_stderr();
            // Nothing can be told if the terminal is gone.
            let _ = error.print();
            if is_mistake {
                Code::Usage.into()
            } else {
                ExitCode::SUCCESS
            }
        }
    }
}

fn run(command: Command) -> Result<(), Fatal> {
    match command {
        Command::All(serve) => process::run(&Role::ALL, &serve),
        Command::Storage {
            command: Some(command),
            ..
        } => maintenance::run(command),
        Command::Storage {
            serve,
            command: None,
        } => process::run(&[Role::Storage], &serve),
        Command::SipEdge(serve) => process::run(&[Role::SipEdge], &serve),
        Command::ControllingEdge(serve) => process::run(&[Role::ControllingEdge], &serve),
        Command::Config { command } => print(configuration(command)?),
        Command::Metrics => print(metrics::document()),
        Command::LogEvents => print(log_events::document()),
        Command::Ready(ready) => ready::run(&ready),
        Command::Completions(completions) => print(completions.of(Arguments::command())),
        Command::Man(man) => man
            .write(Arguments::command(), Section::Administration)
            .map_err(|error| unwritten(&error.to_string())),
    }
}

fn configuration(command: ConfigCommand) -> Result<String, Fatal> {
    Ok(match command {
        ConfigCommand::Default => config::default_file(),
        ConfigCommand::Reference => config::reference(),
        ConfigCommand::Show { config } => {
            let loaded = config::Config::load(config.as_deref(), false)?;
            config::shown(&loaded.settings)
        }
    })
}
