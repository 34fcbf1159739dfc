//! B5: the core and all clients in one.
//!
//! Sends `--messages` MESSAGEs for `--users` users, then registers each user once, and takes what is pushed,
//! by MESSAGE or in MSRP sessions, until every message has come. The clock runs from the first REGISTER to
//! the last message. One thread does it all, with as little work per message as possible.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::peer::{Peer, Plan, Transport};
use crate::text;

/// How one asks for it.
#[derive(Args, Debug)]
pub(crate) struct PushArgs {
    /// Where requests go
    #[arg(long)]
    target: SocketAddr,
    /// Where the pushes come, by UDP and TCP; MSRP on any port
    #[arg(long)]
    listen: SocketAddr,
    /// How requests go to the target
    #[arg(long, value_enum, default_value = "udp")]
    transport: Transport,
    /// How the users want their messages
    #[arg(long, value_enum, default_value = "message")]
    mode: Mode,
    /// Messages to store
    #[arg(long, default_value_t = 20_000)]
    messages: usize,
    /// Users who have some, and register
    #[arg(long, default_value_t = 5_000)]
    users: usize,
    /// Users with nothing stored who register too, afterwards
    #[arg(long, default_value_t = 0)]
    idle: usize,
    /// Requests under way
    #[arg(long, default_value_t = 100)]
    in_flight: usize,
    /// Seconds over which the users register, one after the other; 0: as fast as they are answered
    #[arg(long, default_value_t = 0)]
    register_seconds: u64,
    /// Say when everything is stored, and wait for a line on standard input before anybody registers
    #[arg(long)]
    pause: bool,
    /// Give up if so many seconds bring no message
    #[arg(long, default_value_t = 20)]
    patience: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    Message,
    Session,
}

pub(crate) fn run(args: PushArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: PushArgs) -> anyhow::Result<()> {
    let peer = Peer::open(Plan {
        target: args.target,
        transport: args.transport,
        listen: args.listen,
        wanted: args.messages,
        place: Box::new(text::number),
    })
    .await?;
    let stored = Instant::now();
    let texts = (0..args.messages).map(|number| text::message(&peer.origin, number, args.users));
    all(&peer, &args, texts, "202", Duration::ZERO).await?;
    let stored = stored.elapsed();
    if args.pause {
        println!("{}", json!({ "stored": args.messages }));
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    }

    let begun = Instant::now();
    let texts = (0..args.users).map(|user| {
        let has_im_tag = args.mode == Mode::Session;
        text::register(&peer.origin, &format!("user-{user}"), has_im_tag)
    });
    let users = u32::try_from(args.users.max(1))?;
    let apart = Duration::from_secs(args.register_seconds) / users;
    let mut latencies = all(&peer, &args, texts, "200", apart).await?;
    let registered = begun.elapsed();
    let patience = Duration::from_secs(args.patience);
    let came = peer.inbox.all(patience).await;
    let pushed = came.map_or_else(|| begun.elapsed(), |last| last - begun);
    let (distinct, repeated) = peer.inbox.counts();

    let idle_begun = Instant::now();
    let texts =
        (0..args.idle).map(|user| text::register(&peer.origin, &format!("idle-{user}"), true));
    let mut idle = all(&peer, &args, texts, "200", Duration::ZERO).await?;
    let idle_took = idle_begun.elapsed();

    let report = json!({
        "stored": args.messages,
        "store_seconds": stored.as_secs_f64(),
        "register_seconds": registered.as_secs_f64(),
        "register_p50_us": quantile(&mut latencies, 50),
        "register_p99_us": quantile(&mut latencies, 99),
        "pushed": distinct,
        "repeated": repeated,
        "push_seconds": pushed.as_secs_f64(),
        "rate_per_second": distinct as f64 / pushed.as_secs_f64(),
        "idle": args.idle,
        "idle_seconds": idle_took.as_secs_f64(),
        "idle_p50_us": quantile(&mut idle, 50),
        "idle_p99_us": quantile(&mut idle, 99),
    });
    println!("{report}");
    anyhow::ensure!(
        distinct == args.messages,
        "{distinct} of {} came",
        args.messages
    );
    Ok(())
}

/// Sends requests, so many at a time and each so long after the one before, and wants this status for
/// each; microseconds until the answers.
async fn all(
    peer: &Arc<Peer>,
    args: &PushArgs,
    texts: impl Iterator<Item = text::Request>,
    status: &'static str,
    apart: Duration,
) -> anyhow::Result<Vec<u64>> {
    let window = Arc::new(Semaphore::new(args.in_flight));
    let mut calls = JoinSet::new();
    let mut latencies = Vec::new();
    let mut due = tokio::time::Instant::now();
    for text in texts {
        tokio::time::sleep_until(due).await;
        due += apart;
        let room = Arc::clone(&window).acquire_owned().await?;
        let peer = Arc::clone(peer);
        calls.spawn(async move {
            let begun = Instant::now();
            let got = peer.call(&text).await?;
            drop(room);
            anyhow::ensure!(got == status, "{got} instead of {status} to\n{}", text.text);
            Ok(u64::try_from(begun.elapsed().as_micros())?)
        });
        while let Some(done) = calls.try_join_next() {
            latencies.push(done??);
        }
    }
    while let Some(done) = calls.join_next().await {
        latencies.push(done??);
    }
    Ok(latencies)
}

fn quantile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    let place = (values.len() * percent / 100).min(values.len().saturating_sub(1));
    values.get(place).copied().unwrap_or_default()
}
