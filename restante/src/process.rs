//! One process, or all of them in one: configured, bound, served, drained.

use std::net::SocketAddr;
use std::num::NonZero;
use std::time::Duration;
use std::{env, io, thread};

use console::Console;
use daemon::admin::Admin;
use daemon::exit::{Code, Fatal};
use daemon::metrics::Metrics;
use daemon::readiness::Readiness;
use futures_util::future::{OptionFuture, select_all};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::args::Serve;
use crate::config::Config;
use crate::entrance;

/// How much longer than its `drain_time` a process may take to end: last outcomes and answers, closing the store.
const LAST_STEPS: Duration = Duration::from_secs(10);

/// What tokio reads the number of its workers from.
const WORKERS_VARIABLE: &str = "TOKIO_WORKER_THREADS";

/// What a process can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Storage,
    SipEdge,
    ControllingEdge,
}

impl Role {
    /// In the order in which they start; they end in the other direction.
    pub(crate) const ALL: [Self; 3] = [Self::Storage, Self::SipEdge, Self::ControllingEdge];

    fn name(self) -> &'static str {
        match self {
            Self::Storage => "storage",
            Self::SipEdge => "sip-edge",
            Self::ControllingEdge => "controlling-edge",
        }
    }

    fn admin(self, config: &Config) -> (&'static str, SocketAddr) {
        match self {
            Self::Storage => ("storage.admin_listen", config.service.admin_listen()),
            Self::SipEdge => (
                "sip-edge.admin_listen",
                config.sip_edge.process.admin_listen,
            ),
            Self::ControllingEdge => (
                "controlling-edge.admin_listen",
                config.controlling_edge.process.admin_listen,
            ),
        }
    }

    /// How long it may take to finish its work (requirements §3.12).
    fn grace(self, config: &Config) -> Duration {
        let drain_time = match self {
            Self::Storage => config.service.process.drain_time,
            Self::SipEdge => config.sip_edge.limits.drain_time,
            Self::ControllingEdge => config.controlling_edge.limits.drain_time,
        };
        drain_time + LAST_STEPS
    }
}

/// Runs until a signal, or until something fails.
///
/// # Errors
/// The first thing that failed, with its exit code.
pub(crate) fn run(roles: &[Role], serve: &Serve) -> Result<(), Fatal> {
    let is_laptop = roles.len() > 1;
    let config = Config::load(serve.config.as_deref(), is_laptop)?;
    if serve.check {
        println!("the configuration is sound");
        return Ok(());
    }
    daemon::log::init(&config.log)?;
    let runtime =
        runtime().map_err(|error| Fatal::new(Code::Bug, format!("no runtime: {error}")))?;
    runtime.block_on(live(roles, config))
}

/// A runtime whose workers are half the processors, unless the environment says how many: with one for
/// each, they spend a tenth of their time on waking one another (docs/benchmarks.md, B2), and the
/// threads of the store and the process on the other end of the deposit stream want processors too.
fn runtime() -> io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if env::var_os(WORKERS_VARIABLE).is_none() {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        builder.worker_threads(processors.div_ceil(2));
    }
    builder.enable_all().build()
}

async fn live(roles: &[Role], config: Config) -> Result<(), Fatal> {
    let metrics = Metrics::install(crate::metrics::of(roles))?;
    let readiness = Readiness::new();
    let first = roles.first().copied().unwrap_or(Role::Storage);
    let (key, address) = first.admin(&config);
    let listener = daemon::listen::tcp(key, address)?;
    let admin = Admin::spawn(listener, readiness.clone(), metrics)
        .map_err(|error| Fatal::new(Code::Unavailable, format!("{key}: {error}")))?;
    log_listener("admin", admin.address());

    let shutdown = CancellationToken::new();
    daemon::shutdown::on_signals(&shutdown)
        .map_err(|error| Fatal::new(Code::Bug, format!("signals cannot be caught: {error}")))?;
    let process = match roles {
        [role] => role.name(),
        _ => "all",
    };
    let exporter = daemon::trace::init(&config.tracing, process)?;
    let outcome = serve(roles, config, &readiness, &shutdown).await;
    if let Some(exporter) = exporter {
        exporter.stop().await;
    }
    admin.stop();
    outcome
}

/// A part that serves until its token is cancelled.
struct Part {
    role: Role,
    grace: Duration,
    stop: CancellationToken,
    task: JoinHandle<Result<(), Fatal>>,
}

/// Starts the roles one after the other, waits for the end, and drains them in the other direction:
/// edges before the storage they work for. The first fatal error ends all.
async fn serve(
    roles: &[Role],
    mut config: Config,
    readiness: &Readiness,
    shutdown: &CancellationToken,
) -> Result<(), Fatal> {
    let mut parts = Vec::new();
    let mut outcome = Ok(());
    for role in roles {
        match start(*role, &mut config, readiness).await {
            Ok(part) => parts.push(part),
            Err(fatal) => {
                outcome = Err(fatal);
                break;
            }
        }
    }
    if outcome.is_ok() {
        tokio::select! {
            () = shutdown.cancelled() => {}
            fatal = first_failure(&mut parts) => outcome = Err(fatal),
        }
    }
    while let Some(part) = parts.pop() {
        outcome = outcome.and(part.drain().await);
    }
    outcome
}

impl Part {
    async fn drain(self) -> Result<(), Fatal> {
        let Self {
            role,
            grace,
            stop,
            mut task,
        } = self;
        if task.is_finished() {
            return Ok(());
        }
        tracing::info!(process = role.name(), "draining");
        stop.cancel();
        match timeout(grace, &mut task).await {
            Ok(ended) => ended.unwrap_or_else(|error| Err(panicked(role, &error))),
            Err(_) => {
                tracing::warn!(process = role.name(), "did not finish in time");
                task.abort();
                Ok(())
            }
        }
    }
}

/// The error of the first part that ends before it was told to.
async fn first_failure(parts: &mut [Part]) -> Fatal {
    let (ended, at, _) = select_all(parts.iter_mut().map(|part| &mut part.task)).await;
    let role = parts.get(at).map_or(Role::Storage, |part| part.role);
    match ended {
        Ok(Err(fatal)) => fatal,
        Ok(Ok(())) => Fatal::new(Code::Bug, format!("{} ended by itself", role.name())),
        Err(error) => panicked(role, &error),
    }
}

fn panicked(role: Role, error: &JoinError) -> Fatal {
    Fatal::new(
        Code::Bug,
        format!("{} failed, see the log: {error}", role.name()),
    )
}

/// Builds a part, which binds all its listeners, and lets it serve.
async fn start(role: Role, config: &mut Config, readiness: &Readiness) -> Result<Part, Fatal> {
    let readiness = readiness.scope(role.name());
    let stop = CancellationToken::new();
    let task = match role {
        Role::Storage => {
            let app = service::App::build(config.service.clone(), &readiness).await?;
            let console = Console::bind(&config.console, &readiness)?;
            log_listeners(role, app.addresses());
            // In one process the edges work for this storage, whatever port it got. Over TLS they look for a name that
            // its certificate has: what is configured.
            if let Some(data) = app.data_address().filter(|_| !config.service.is_secure()) {
                config.sip_edge.process.storage = format!("http://{data}");
                config.controlling_edge.process.storage = format!("http://{data}");
            }
            let console = console.map(|console| {
                log_listener("storage/console", console.address());
                entrance::serve(console, app.door(), stop.clone())
            });
            let serving = app.run(stop.clone());
            tokio::spawn(async { tokio::join!(serving, OptionFuture::from(console)).0 })
        }
        Role::SipEdge => {
            let app = sip_edge::App::build(config.sip_edge.clone(), &readiness).await?;
            let sip = app.sip_addresses().into_iter();
            let sip = sip.map(|(transport, address)| (format!("sip/{transport}"), address));
            let msrp = ("msrp".to_owned(), app.msrp_address());
            let xcap = app
                .xcap_address()
                .map(|address| ("xcap".to_owned(), address));
            log_listeners(role, sip.chain([msrp]).chain(xcap));
            tokio::spawn(app.run(stop.clone()))
        }
        Role::ControllingEdge => {
            let app =
                controlling_edge::App::build(config.controlling_edge.clone(), &readiness).await?;
            log_listeners(role, app.addresses());
            tokio::spawn(app.run(stop.clone()))
        }
    };
    Ok(Part {
        role,
        grace: role.grace(config),
        stop,
        task,
    })
}

fn log_listeners(role: Role, bound: impl IntoIterator<Item = (String, SocketAddr)>) {
    for (name, address) in bound {
        log_listener(&format!("{}/{name}", role.name()), address);
    }
}

/// Where something listens, once it does: scripts and tests read this.
fn log_listener(listener: &str, address: SocketAddr) {
    tracing::info!(listener, %address, "listening");
}
