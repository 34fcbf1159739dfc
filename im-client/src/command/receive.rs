//! `im-client receive`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use msrp::AcceptTypes;
use restante_im_client::client::{Event, Events, Options};
use restante_im_client::{Account, Client};

use super::shown::{Shown, shown};
use crate::args::Receive;

pub(crate) async fn run(
    account: Account,
    options: Options,
    receive: Receive,
) -> anyhow::Result<()> {
    let options = Options {
        accept_types: AcceptTypes::of(receive.accept_types.split_ascii_whitespace()),
        max_message_octets: receive.max_size,
        folder: folder(receive.save.as_deref(), options.folder)?,
        reject: receive.reject,
        ..options
    };
    let (client, mut events) = Client::open(account, options).await?;
    client.register(receive.expires).await?;
    let limit = receive.limit.unwrap_or(Duration::MAX);
    let received = tokio::select! {
        received = show(&client, &mut events, &receive) => received?,
        () = tokio::time::sleep(limit) => events.messages_seen(),
        _ = tokio::signal::ctrl_c() => events.messages_seen(),
    };
    let deregistered = client.register(Duration::ZERO).await;
    client.close().await;
    deregistered?;
    match receive.count {
        Some(count) if received < count => bail!("{received} of {count} messages came in time"),
        _ => Ok(()),
    }
}

/// The folder to keep messages in, made if it is not there; the usual one if none is named.
pub(super) fn folder(named: Option<&Path>, usual: PathBuf) -> anyhow::Result<PathBuf> {
    let Some(folder) = named else {
        return Ok(usual);
    };
    let made = std::fs::create_dir_all(folder);
    made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder.to_owned())
}

/// Shows messages until enough of them came and their session ended.
async fn show(client: &Client, events: &mut Events, receive: &Receive) -> anyhow::Result<usize> {
    let mut refresh = tokio::time::interval(receive.expires / 2);
    refresh.tick().await;
    loop {
        tokio::select! {
            event = events.next() => match event {
                None => bail!("the client was closed"),
                Some(event) => print(event, receive)?,
            },
            _ = refresh.tick() => { client.register(receive.expires).await?; }
        }
        let enough = receive
            .count
            .is_some_and(|count| events.messages_seen() >= count);
        if enough && events.open_sessions() == 0 {
            return Ok(events.messages_seen());
        }
    }
}

fn print(event: Event, receive: &Receive) -> anyhow::Result<()> {
    let mut message = match event {
        Event::Message(message) => Shown::of_push(message),
        Event::Large(message) => Shown::of_large(*message),
        Event::Pager(message) => Shown::of_pager(message),
        Event::SessionOpened { from } => {
            if !receive.json {
                eprintln!("session from {}", shown(&from));
            }
            return Ok(());
        }
        Event::SessionEnded { reason } => {
            if !receive.json {
                eprintln!("session ended: {reason}");
            }
            return Ok(());
        }
    };
    if let Some(folder) = &receive.save {
        let saved = message.save(folder);
        saved.with_context(|| format!("cannot save it in {}", folder.display()))?;
    }
    match receive.json {
        true => println!("{}", message.to_json()),
        false => print!("{message}"),
    }
    Ok(())
}
