//! B6: what single operations cost in a store that holds so many messages.
//!
//! The store runs in this process, as the storage service opens it, on a folder that stays: the
//! script starts the service on it afterwards. Messages of 300 octets, ten per mailbox; compactions run
//! as they come. Each operation is measured for itself, with `--callers` at a time, on mailboxes drawn at
//! random; processor time is that of the whole process, compactions included.

mod load;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Map, Value, json};
use storage::config::SenderLimits;
use storage::model::{
    ClaimGrant, ClaimRequest, DepositOutcome, ListQuery, PageToken, ReleaseOutcome, Sequence,
    SystemClock,
};
use storage::{RocksStore, Store, StoreConfig};
use tokio::task::JoinSet;

use load::{MAILBOX_MESSAGES, address, message};

/// How one asks for it.
#[derive(Args, Clone, Debug)]
pub(crate) struct FlatArgs {
    /// Folder of the store
    #[arg(long)]
    data: PathBuf,
    /// Messages to store before anything is measured
    #[arg(long)]
    stored: u64,
    /// Seconds for each operation
    #[arg(long, default_value_t = 24)]
    seconds: u64,
    /// Operations at a time
    #[arg(long, default_value_t = 16)]
    callers: u64,
    /// Deposits at a time while the store is filled
    #[arg(long, default_value_t = 1_024)]
    fillers: u64,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Deposit,
    /// A claim with its release.
    Claim,
    Summary,
    /// All messages of one mailbox.
    ListMailbox,
    /// A hundred messages of all, from anywhere.
    ListPage,
}

impl Operation {
    const ALL: [Self; 5] = [
        Self::Deposit,
        Self::Claim,
        Self::Summary,
        Self::ListMailbox,
        Self::ListPage,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Claim => "claim",
            Self::Summary => "summary",
            Self::ListMailbox => "list_mailbox",
            Self::ListPage => "list_page",
        }
    }
}

struct Bench {
    store: RocksStore,
    /// Message-ID numbers begin here.
    first: u64,
    /// Number of the next message.
    next: AtomicU64,
    mailboxes: u64,
}

pub(crate) fn run(args: FlatArgs) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(measure(args))
}

async fn measure(args: FlatArgs) -> anyhow::Result<()> {
    let config = StoreConfig {
        data_dir: args.data.clone(),
        // A thousand senders for all that is stored.
        sender: SenderLimits {
            messages: None,
            octets: None,
        },
        ..StoreConfig::default()
    };
    let bench = Arc::new(Bench {
        store: RocksStore::open(config, SystemClock)?,
        first: 0,
        next: AtomicU64::new(0),
        mailboxes: (args.stored / MAILBOX_MESSAGES).max(1),
    });
    let begun = Instant::now();
    let first = fill(&bench, &args).await?;
    let fill_seconds = begun.elapsed().as_secs_f64();
    let bench = Arc::into_inner(bench).map(|bench| Arc::new(Bench { first, ..bench }));
    let bench = bench.ok_or_else(|| anyhow::anyhow!("a filler is still at work"))?;
    let mut report = Map::new();
    report.insert("stored".into(), args.stored.into());
    report.insert(
        "fill_per_second".into(),
        json!(args.stored as f64 / fill_seconds),
    );
    for operation in Operation::ALL {
        let figures = Arc::clone(&bench).figures(operation, &args).await?;
        report.insert(operation.name().into(), figures);
    }
    report.insert("rss_mib".into(), json!(usage::resident_mib()?));
    bench.store.close().await;
    println!("{}", Value::Object(report));
    Ok(())
}

/// Stores the messages; the number of the first one.
async fn fill(bench: &Arc<Bench>, args: &FlatArgs) -> anyhow::Result<u64> {
    let mut callers = JoinSet::new();
    for _ in 0..args.fillers {
        let (bench, stored) = (Arc::clone(bench), args.stored);
        callers.spawn(async move {
            let mut least = u64::MAX;
            loop {
                let number = bench.next.fetch_add(1, Ordering::Relaxed);
                if number >= stored {
                    return anyhow::Ok(least);
                }
                least = least.min(bench.deposit(number, number % bench.mailboxes).await?);
            }
        });
    }
    let mut least = u64::MAX;
    while let Some(done) = callers.join_next().await {
        least = least.min(done??);
    }
    Ok(least)
}

impl Bench {
    async fn deposit(&self, number: u64, mailbox: u64) -> anyhow::Result<u64> {
        match self.store.deposit(message(number, mailbox)).await? {
            DepositOutcome::Stored(receipt) => Ok(receipt.id.number.0),
            other => anyhow::bail!("not stored: {other:?}"),
        }
    }

    async fn figures(
        self: Arc<Self>,
        operation: Operation,
        args: &FlatArgs,
    ) -> anyhow::Result<Value> {
        let time = Duration::from_secs(args.seconds);
        let (begun, cpu) = (Instant::now(), usage::cpu_seconds()?);
        let mut callers = JoinSet::new();
        for caller in 0..args.callers {
            let bench = Arc::clone(&self);
            callers.spawn(async move {
                let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (caller + 1));
                let mut micros = Vec::new();
                while begun.elapsed() < time {
                    let once = Instant::now();
                    bench.once(operation, random.next()).await?;
                    micros.push(u32::try_from(once.elapsed().as_micros())?);
                }
                anyhow::Ok(micros)
            });
        }
        let mut micros = Vec::new();
        while let Some(done) = callers.join_next().await {
            micros.extend(done??);
        }
        let cpu = usage::cpu_seconds()? - cpu;
        micros.sort_unstable();
        let count = micros.len();
        let quantile =
            |percent: usize| micros.get((count * percent / 100).min(count.saturating_sub(1)));
        Ok(json!({
            "count": count,
            "per_second": count as f64 / begun.elapsed().as_secs_f64(),
            "p50_us": quantile(50),
            "p99_us": quantile(99),
            "cpu_us": cpu * 1e6 / count as f64,
        }))
    }

    async fn once(&self, operation: Operation, random: u64) -> anyhow::Result<()> {
        let mailbox = random % self.mailboxes;
        match operation {
            Operation::Deposit => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                self.deposit(number, mailbox).await?;
            }
            Operation::Claim => self.claim(mailbox).await?,
            Operation::Summary => {
                let id = self.store.mailbox(address(mailbox)).await?;
                let id = id.ok_or_else(|| anyhow::anyhow!("no mailbox {mailbox}"))?;
                anyhow::ensure!(self.store.summary(id).await?.text.new > 0);
            }
            Operation::ListMailbox => {
                let query = ListQuery {
                    served_user: Some(address(mailbox)),
                    page_size: 100,
                    ..ListQuery::default()
                };
                anyhow::ensure!(!self.store.list(query).await?.messages.is_empty());
            }
            Operation::ListPage => {
                let stored = self.mailboxes * MAILBOX_MESSAGES;
                let query = ListQuery {
                    page_size: 100,
                    page_token: Some(PageToken(self.first + random % stored)),
                    ..ListQuery::default()
                };
                anyhow::ensure!(!self.store.list(query).await?.messages.is_empty());
            }
        }
        Ok(())
    }

    /// Claims a mailbox and gives it back; one that another caller has just claimed is left alone.
    async fn claim(&self, mailbox: u64) -> anyhow::Result<()> {
        let id = self.store.mailbox(address(mailbox)).await?;
        let request = ClaimRequest {
            mailbox: id.ok_or_else(|| anyhow::anyhow!("no mailbox {mailbox}"))?,
            edge: "bench".to_owned(),
            lease: Duration::from_secs(60),
        };
        if let ClaimGrant::Granted(token) = self.store.claim(request).await? {
            let outcome = ReleaseOutcome {
                reason: String::new(),
            };
            let released = self.store.release(token, Sequence(u64::MAX), outcome);
            released.await?;
        }
        Ok(())
    }
}

/// Numbers without pattern (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }
}
