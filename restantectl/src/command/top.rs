//! `top`: the service, redrawn every few seconds.

use std::io::{IsTerminal, Write, stdin, stdout};
use std::pin::pin;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use clap::Args;
use tokio::io::AsyncReadExt;
use tokio::time::{MissedTickBehavior, interval};

use super::{Session, sessions, shape, status};
use crate::args::Format;
use crate::client::Client;
use crate::exit::Failure;
use crate::moment::parse_timeout;
use crate::output::record::{SessionRecord, StatusRecord};

/// Messages looked at for each picture.
const SAMPLE: usize = 5_000;

/// Sessions shown.
const SESSIONS: usize = 20;

/// Clears the screen and goes to its beginning.
const CLEAR: &str = "\x1b[H\x1b[2J\x1b[3J";

/// Watch the service: readiness, edges, what waits by age, sessions; `q` quits
///
/// Where standard output is no terminal, or is asked for JSON, it shows one picture and ends.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl top
  restantectl top --every 1s
  restantectl top | head                    one picture")]
pub(crate) struct TopArgs {
    /// How often it is drawn
    #[arg(long, value_name = "SPAN", default_value = "2s", value_parser = parse_timeout)]
    every: Duration,
}

pub(crate) async fn run(args: &TopArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    if session.output.format() != Format::Table {
        let status: StatusRecord = client.status().await?.into();
        return session.output.single(&status, status::text);
    }
    if !stdout().is_terminal() {
        let picture = picture(&mut client).await?;
        session.output.octets(picture.as_bytes())?;
        return session.output.flush();
    }
    // Without a key there is Ctrl-C, which only works where a terminal is not raw.
    let raw = stdin().is_terminal().then(RawMode::enter);
    let watched = watch(args.every, &mut client).await;
    drop(raw);
    watched
}

async fn watch(every: Duration, client: &mut Client) -> Result<(), Failure> {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut keys = tokio::io::stdin();
    let mut key = [0];
    let mut is_open = stdin().is_terminal();
    // Heard from before the first picture on, also while one is made.
    let mut interrupt = pin!(tokio::signal::ctrl_c());
    loop {
        tokio::select! {
            biased;
            _ = &mut interrupt => return Ok(()),
            _ = ticks.tick() => {
                // Lines end as a terminal in raw mode wants them.
                let picture = picture(client).await?.replace('\n', "\r\n");
                let mut out = stdout().lock();
                let drawn = out.write_all(CLEAR.as_bytes()).and_then(|()| out.write_all(picture.as_bytes()));
                drawn.and_then(|()| out.flush()).map_err(Failure::Output)?;
            }
            read = keys.read(&mut key), if is_open => match (read, key) {
                // Ctrl-C is a key here.
                (Ok(1), [b'q' | b'Q' | 3]) => return Ok(()),
                (Ok(1), _) => {}
                _ => is_open = false,
            },
        }
    }
}

/// The terminal gives keys as they are pressed, until this is dropped.
struct RawMode;

impl RawMode {
    fn enter() -> Self {
        // Without it `q` needs an Enter, which is no reason to fail.
        let _ = crossterm::terminal::enable_raw_mode();
        Self
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = crossterm::terminal::disable_raw_mode();
    }
}

async fn picture(client: &mut Client) -> Result<String, Failure> {
    let status: StatusRecord = client.status().await?.into();
    let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut picture = format!("{now}   q quits\n\n{}", status::text(&status));
    picture.push_str("\nWaiting, by minutes of age\n");
    picture.push_str(&shape::by_state(SAMPLE, client).await?);
    let reply = client.sessions().await?;
    let (pushes, uploads) = (reply.pushes.len(), reply.uploads.len());
    picture.push_str(&format!("\nSessions: {pushes} pushes, {uploads} uploads\n"));
    let pushes = reply.pushes.into_iter().map(SessionRecord::from);
    let uploads = reply.uploads.into_iter().map(SessionRecord::from);
    let shown: Vec<_> = pushes.chain(uploads).take(SESSIONS).collect();
    if !shown.is_empty() {
        picture.push_str(&sessions::page(&shown));
    }
    Ok(picture)
}
