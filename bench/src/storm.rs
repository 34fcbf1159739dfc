//! Waiting indication under load, and what an edge holds: the core, all subscribers and all senders in one.
//!
//! Registers `--registrations` users, subscribes `--subscriptions` of them to `message-summary`, and sends
//! MESSAGEs to `--users` users in turn at a fixed rate, whatever the answers: the time of an answer counts
//! from when its request was due. Every NOTIFY is answered at once. At the end the last NOTIFY of every
//! subscription must show as many messages as were accepted for its user. One thread does it all.

mod core;
mod ledger;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval, timeout};

use self::core::{Core, SetUp};

/// How one asks for it.
#[derive(Args, Clone, Debug)]
pub(crate) struct StormArgs {
    /// Where requests go, by TCP
    #[arg(long)]
    target: SocketAddr,
    /// Where NOTIFYs come, by TCP
    #[arg(long)]
    listen: SocketAddr,
    /// Users who register
    #[arg(long, default_value_t = 0)]
    registrations: usize,
    /// Users who subscribe
    #[arg(long, default_value_t = 0)]
    subscriptions: usize,
    /// Users who get messages
    #[arg(long, default_value_t = 20_000)]
    users: usize,
    /// Messages per second
    #[arg(long, default_value_t = 5_000)]
    rate: u64,
    /// For how many seconds
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Connections to the target
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Seconds after the last message within which everybody must know
    #[arg(long, default_value_t = 60)]
    settle: u64,
    /// Say when everything is set up, and wait for a line on standard input before the end
    #[arg(long)]
    stay: bool,
}

/// Requests under way while subscriptions and registrations are made.
const WINDOW: usize = 100;

/// Between two looks at what is due.
const TICK: Duration = Duration::from_millis(2);

/// How long answers are waited for after the last request.
const ANSWERS: Duration = Duration::from_secs(40);

pub(crate) fn run(args: StormArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: StormArgs) -> anyhow::Result<()> {
    let core = Core::open(&args).await?;
    let begun = Instant::now();
    for user in 0..args.registrations {
        core.room(WINDOW).await?;
        core.set_up(SetUp::Register(user), 0);
    }
    core.room(1).await?;
    let registered = begun.elapsed();
    let begun = Instant::now();
    for user in 0..args.subscriptions {
        core.room(WINDOW).await?;
        core.set_up(SetUp::Subscribe(user), 0);
    }
    core.room(1).await?;
    timeout(ANSWERS, core.until(|ledger| ledger.untold() == 0)).await?;
    let subscribed = begun.elapsed();
    let first_notifies = core.ledger().notifies();

    let sent = deposit(&core, &args).await;
    timeout(ANSWERS, core.room(1)).await??;
    let over = Instant::now();
    let settle = Duration::from_secs(args.settle);
    let is_settled = |ledger: &mut ledger::Ledger| ledger.wrong() == 0;
    let settled = timeout(settle, core.until(is_settled)).await.is_ok();
    let settle_seconds = over.elapsed().as_secs_f64();

    let mut report = core.ledger().report(first_notifies);
    for (name, figure) in [
        ("registered", json!(args.registrations)),
        ("register_seconds", json!(registered.as_secs_f64())),
        ("subscribed", json!(args.subscriptions)),
        ("subscribe_seconds", json!(subscribed.as_secs_f64())),
        ("sent", json!(sent)),
        ("settle_seconds", json!(settle_seconds)),
    ] {
        report[name] = figure;
    }
    println!("{report}");
    if args.stay {
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
    }
    anyhow::ensure!(settled, "not every last NOTIFY is right");
    Ok(())
}

/// Sends at the rate; how many.
async fn deposit(core: &Core, args: &StormArgs) -> u64 {
    let all = args.rate * args.seconds;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = Instant::now();
    let mut sent = 0;
    while sent < all {
        ticks.tick().await;
        let due = begun.elapsed().as_nanos() * u128::from(args.rate) / 1_000_000_000;
        let due = u64::try_from(due).unwrap_or(all).min(all);
        while sent < due {
            let when = begun + Duration::from_nanos(sent * 1_000_000_000 / args.rate);
            core.message(sent, when);
            sent += 1;
        }
    }
    sent
}
