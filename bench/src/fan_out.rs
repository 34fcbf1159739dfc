//! B7: a sender to a group, and the core that takes the copies.
//!
//! Sends `--messages` MESSAGEs to one group, each when every member has the copy of the one before, and answers
//! each copy 200 at once. Members are told apart by their addresses, messages by their bodies. Or only takes what
//! somebody else sends to as many addresses (`--plain`). One thread does it all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use serde_json::json;

use crate::peer::{Peer, Place, Plan, Transport};
use crate::text;

/// How one asks for it.
#[derive(Args, Debug)]
pub(crate) struct FanOutArgs {
    /// Where messages to the group go, by TCP
    #[arg(long, required_unless_present = "plain")]
    target: Option<SocketAddr>,
    /// Where copies come, by UDP and TCP
    #[arg(long)]
    listen: SocketAddr,
    /// The group
    #[arg(long, default_value = "sip:team@example.org")]
    group: String,
    /// Its members: `member-0@example.org` and so on
    #[arg(long, default_value_t = 10_000)]
    members: usize,
    /// Messages to the group, one after the other
    #[arg(long, default_value_t = 1)]
    messages: usize,
    /// Octets of each
    #[arg(long, default_value_t = text::BODY)]
    body: usize,
    /// Send nothing; take one plain message to each address
    #[arg(long)]
    plain: bool,
    /// Give up if so many seconds bring no copy
    #[arg(long, default_value_t = 20)]
    patience: u64,
}

/// What one message to the group cost.
struct Sent {
    accepted: Duration,
    all: Duration,
}

pub(crate) fn run(args: FanOutArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: FanOutArgs) -> anyhow::Result<()> {
    let messages = if args.plain { 1 } else { args.messages };
    let wanted = messages * args.members;
    let peer = Peer::open(Plan {
        // Nothing is sent there when there is none.
        target: args.target.unwrap_or(args.listen),
        transport: if args.plain {
            Transport::Udp
        } else {
            Transport::Tcp
        },
        listen: args.listen,
        wanted,
        place: place(args.members),
    })
    .await?;
    let patience = Duration::from_secs(args.patience);
    let mut sent = Vec::new();
    if args.plain {
        println!("listening");
        let last = peer.inbox.all(patience).await.context("not all came")?;
        let begun = peer.inbox.first().unwrap_or(last);
        let all = last - begun;
        sent.push(Sent {
            accepted: Duration::ZERO,
            all,
        });
    } else {
        for number in 0..messages {
            sent.push(one(&peer, &args, number, patience).await?);
        }
    }
    let (distinct, repeated) = peer.inbox.counts();
    let all: Duration = sent.iter().map(|sent| sent.all).sum();
    let accepted = sent.iter().map(|sent| sent.accepted.as_secs_f64() * 1e3);
    println!(
        "{}",
        json!({
            "copies": distinct,
            "repeated": repeated,
            "seconds": all.as_secs_f64(),
            "rate_per_second": distinct as f64 / all.as_secs_f64(),
            "accepted_ms": accepted.collect::<Vec<_>>(),
        })
    );
    Ok(())
}

/// The copy of message `number` for a member of the group.
fn place(members: usize) -> Place {
    Box::new(move |octets| {
        let number = text::number(octets)?;
        let member = text::user(octets)?.strip_prefix("member-")?;
        let member: usize = member.parse().ok()?;
        (member < members).then_some(number * members + member)
    })
}

/// So many octets that no compression makes much smaller.
fn body(number: usize, octets: usize) -> String {
    let mut body = text::marked(number);
    let mut state = number as u64 + 1;
    while body.len() < octets {
        // A linear congruence (Knuth's MMIX); its upper bits are the random ones.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        body.push(char::from(b'0' + (state >> 58) as u8));
    }
    body
}

/// Sends a message to the group and waits for all its copies. The clock runs from when it is sent.
async fn one(
    peer: &Peer,
    args: &FanOutArgs,
    number: usize,
    patience: Duration,
) -> anyhow::Result<Sent> {
    let message = text::message_to(&peer.origin, &args.group, number, &body(number, args.body));
    let begun = Instant::now();
    let status = peer.call(&message).await?;
    let accepted = begun.elapsed();
    anyhow::ensure!(status == "202", "{status} instead of 202");
    let wanted = (number + 1) * args.members;
    let last = peer.inbox.until(wanted, patience).await;
    let (distinct, _) = peer.inbox.counts();
    let last = last.with_context(|| format!("{distinct} of {wanted} copies came"))?;
    Ok(Sent {
        accepted,
        all: last - begun,
    })
}
