//! `im-client`: the reference IM client on the command line.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser as _};
use command_line::Section;

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
        tls,
        chunk_size,
        command,
    } = arguments;
    let account = restante_im_client::Account { user, proxy };
    let options = restante_im_client::client::Options {
        local,
        port,
        setup: setup.into(),
        secure: tls,
        chunk_octets: chunk_size,
        ..Default::default()
    };
    match command {
        Command::Send(send) => command::send::run(account, options, assert_identity, *send).await,
        Command::Register(register) => command::register::run(account, options, register).await,
        Command::Publish(publish) => {
            command::publish::run(account, options, assert_identity, publish).await
        }
        Command::Subscribe(subscribe) => {
            command::subscribe::run(account, options, assert_identity, subscribe).await
        }
        Command::List(list) => command::list::list(&account, &options, assert_identity, list).await,
        Command::Delete(delete) => {
            command::list::delete(&account, &options, assert_identity, delete).await
        }
        Command::Fetch(fetch) => {
            command::fetch::run(account, options, assert_identity, fetch).await
        }
        Command::Receive(receive) => command::receive::run(account, options, receive).await,
        Command::Load(load) => command::load::run(account, load).await,
        Command::LoadLarge(load) => command::load_large::run(account, options, load).await,
        Command::Completions(completions) => io::stdout()
            .write_all(&completions.of(Arguments::command()))
            .context("standard output"),
        Command::Man(man) => man
            .write(Arguments::command(), Section::User)
            .context("cannot write"),
    }
}
