//! `im-client receive`.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use msrp::AcceptTypes;
use restante_im_client::client::{Event, Events, Options};
use restante_im_client::report::{self, Arrived, Journal};
use restante_im_client::{Account, Client};
use sip::Uri;

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
    let journal = Journal::open(receive.reports.as_deref());
    let user = account.user.clone();
    let mut desk = Desk {
        journal: journal.context("cannot read which messages have come")?,
        user,
        receive: &receive,
    };
    let (client, mut events) = Client::open(account, options).await?;
    client.register(receive.expires).await?;
    let limit = receive.limit.unwrap_or(Duration::MAX);
    let received = tokio::select! {
        received = show(&client, &mut events, &mut desk) => received?,
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
async fn show(client: &Client, events: &mut Events, desk: &mut Desk<'_>) -> anyhow::Result<usize> {
    let receive = desk.receive;
    let mut refresh = tokio::time::interval(receive.expires / 2);
    refresh.tick().await;
    loop {
        tokio::select! {
            event = events.next() => match event {
                None => bail!("the client was closed"),
                Some(event) => desk.take(client, event).await?,
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

/// Where messages come, are shown, and are told of.
struct Desk<'a> {
    journal: Journal,
    user: Uri,
    receive: &'a Receive,
}

impl Desk<'_> {
    async fn take(&mut self, client: &Client, event: Event) -> anyhow::Result<()> {
        let message = match event {
            Event::Message(message) => Shown::of_push(message),
            Event::Large(message) => Shown::of_large(*message),
            Event::Pager(message) => Shown::of_pager(message),
            Event::SessionOpened { from } => {
                if !self.receive.json {
                    eprintln!("session from {}", shown(&from));
                }
                return Ok(());
            }
            Event::SessionEnded { reason } => {
                if !self.receive.json {
                    eprintln!("session ended: {reason}");
                }
                return Ok(());
            }
        };
        let arrived = message.arrived();
        let key = key(&message, &arrived);
        if !key.is_empty() && self.receive.reports.is_some() && self.journal.has_received(&key) {
            eprintln!("again: {}", shown(&key));
            return Ok(());
        }
        self.print(message, &arrived)?;
        self.tell(client, &arrived, &key).await
    }

    fn print(&self, mut message: Shown, arrived: &Arrived) -> anyhow::Result<()> {
        if let Some(folder) = &self.receive.save {
            let saved = message.save(folder);
            saved.with_context(|| format!("cannot save it in {}", folder.display()))?;
        }
        if let Arrived::Report(report) = arrived {
            let about = self.journal.sent(report, SystemTime::now());
            message.is_about(report, about);
        }
        match self.receive.json {
            true => println!("{}", message.to_json()),
            false => print!("{message}"),
        }
        Ok(())
    }

    /// Tells the sender that his message has come, if he wants to know; once.
    async fn tell(&mut self, client: &Client, arrived: &Arrived, key: &str) -> anyhow::Result<()> {
        let now = SystemTime::now();
        if key.is_empty() || self.journal.has_received(key) {
            return Ok(());
        }
        if let Arrived::Asking(request) = arrived
            && let Some(report) = report::delivered(request, &self.user, now, &mut rand::rng())
            && let Err(error) = client.send(&report).await
        {
            // He is told when the message comes again.
            eprintln!("no report was sent: {error}");
            return Ok(());
        }
        let kept = self.journal.add_received(key, now);
        kept.context("cannot keep which message has come")
    }
}

/// What a message is known by that comes again.
fn key(message: &Shown, arrived: &Arrived) -> String {
    match (message.message_id(), arrived) {
        ("", Arrived::Asking(request)) => format!("{} of {}", request.message_id, request.from),
        (id, _) => id.to_owned(),
    }
}
