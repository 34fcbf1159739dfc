//! `restantectl`, the operators' command line of Restante.
//!
//! It asks and steers a running storage service over gRPC (`MailboxService`, `OperatorService`,
//! `AccountService`, `SettingsAdminService`, `WaitingService`, `GroupService`, `JobService`, `ImportService`). It is not a way around that service: it opens no store and speaks no SIP.
//!
//! The path of every command: [`args`] says what was typed, [`command`] does it through [`client`],
//! [`output`] writes what came of it, [`exit`] turns what went wrong into a sentence and a code.

mod args;
mod client;
mod command;
mod credentials;
mod exit;
mod moment;
mod output;
mod server;
mod target;

use std::process::ExitCode;

use clap::Parser;

use args::Cli;
use exit::{Code, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explained(&error),
    };
    match run(cli) {
        Ok(()) => Code::Done.into(),
        Err(failure) => {
            failure.say();
            failure.code().into()
        }
    }
}

/// One thread is enough: a command waits for one answer at a time.
fn run(cli: Cli) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let outcome = runtime.block_on(command::run(cli));
    // A read of standard input that has begun ends with the next key: nobody waits for that.
    runtime.shutdown_background();
    outcome
}

/// Help and version are answers; everything else that clap objects to is wrong usage.
fn explained(error: &clap::Error) -> ExitCode {
    // Nothing is left to be told if the terminal is gone.
    let _ = error.print();
    match error.use_stderr() {
        true => Code::Usage.into(),
        false => Code::Done.into(),
    }
}
