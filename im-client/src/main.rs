//! `im-client`: the reference IM client on the command line.

use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod command;

use args::{Arguments, Command};

/// Exit code of `sysexits.h` for a peer that cannot be reached or refuses.
const UNAVAILABLE: u8 = 69;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("im-client: {error:#}");
            ExitCode::from(UNAVAILABLE)
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        user,
        proxy,
        local,
        port,
        assert_identity,
        setup,
        command,
    } = arguments;
    let account = restante_im_client::Account { user, proxy };
    let options = restante_im_client::client::Options {
        local,
        port,
        asserts_identity: assert_identity,
        setup: setup.into(),
        ..Default::default()
    };
    match command {
        Command::Send(send) => command::send::run(account, options, send).await,
        Command::Register(register) => command::register::run(account, options, register).await,
        Command::Receive(receive) => command::receive::run(account, options, receive).await,
        Command::Load(load) => command::load::run(account, load).await,
    }
}
