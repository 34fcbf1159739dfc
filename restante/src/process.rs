//! One process, or all of them in one: configured, bound, served, drained.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;
use std::{env, io, thread};

use console::Console;
use daemon::admin::Admin;
use daemon::build_info::BUILD;
use daemon::control::{Configured, Control};
use daemon::exit::{Code, Fatal};
use daemon::metrics::Metrics;
use daemon::readiness::Readiness;
use daemon::service_manager::ServiceManager;
use futures_util::future::{OptionFuture, select_all};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::args::Serve;
use crate::config::{Config, Loaded};
use crate::entrance;
use crate::print::print;
use crate::reload::Reloading;

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
    let Loaded { config, settings } = Config::load(serve.config.as_deref(), is_laptop)?;
    if serve.check {
        return print("the configuration is sound\n");
    }
    let log = daemon::log::init(&config.log)?;
    tracing::info!(event = "process.started", process = name(roles), version = %BUILD, "started");
    let runtime =
        runtime().map_err(|error| Fatal::new(Code::Bug, format!("no runtime: {error}")))?;
    let origin = (serve.config.clone(), is_laptop);
    let reloading = Arc::new(Reloading::new(origin, settings, log.filter().clone()));
    let control = Control {
        log: log.filter().clone(),
        configuration: Arc::clone(&reloading) as Arc<dyn Configured>,
    };
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = live(roles, config, (&reloading, control)) => outcome,
            Err(error) = reloading.on_signals() => Err(no_signals(&error)),
            () = log.keep() => Ok(()),
        }
    });
    log.tell_rest();
    outcome
}

/// What the process is called.
fn name(roles: &[Role]) -> &'static str {
    match roles {
        [role] => role.name(),
        _ => "all",
    }
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

async fn live(
    roles: &[Role],
    config: Config,
    steering: (&Reloading, Control),
) -> Result<(), Fatal> {
    let metrics = Metrics::install(crate::metrics::of(roles))?;
    let readiness = Readiness::new();
    // Before anybody can ask: parts add their conditions one by one, and those of the first may all be well before the
    // last has any.
    let start = readiness.condition("start");
    let first = roles.first().copied().unwrap_or(Role::Storage);
    let (key, address) = first.admin(&config);
    let listener = daemon::listen::tcp(key, address)?;
    let admin = Admin::spawn(listener, readiness.clone(), metrics)
        .map_err(|error| Fatal::new(Code::Unavailable, format!("{key}: {error}")))?;
    log_listener("admin", admin.address());

    let shutdown = CancellationToken::new();
    daemon::shutdown::on_signals(&shutdown).map_err(|error| no_signals(&error))?;
    let exporter = daemon::trace::init(&config.tracing, name(roles))?;
    let grace = roles.iter().map(|role| role.grace(&config)).sum();
    let manager = ServiceManager::follow(&readiness, &shutdown, grace);
    let started = || start.ready();
    let outcome = serve(roles, config, steering, (&readiness, &shutdown), started).await;
    if let Some(manager) = manager {
        manager.stop().await;
    }
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
/// edges before the storage they work for. The first fatal error ends all. `started` is called when all are there, with
/// their conditions.
async fn serve(
    roles: &[Role],
    mut config: Config,
    steering: (&Reloading, Control),
    (readiness, shutdown): (&Readiness, &CancellationToken),
    started: impl FnOnce(),
) -> Result<(), Fatal> {
    // Who asks the storage service of a process with all parts asks them all.
    let (reloading, control) = steering;
    let mut control = Some(control);
    let mut parts = Vec::new();
    let mut outcome = Ok(());
    for role in roles {
        match start(*role, &mut config, (reloading, control.take()), readiness).await {
            Ok(part) => parts.push(part),
            Err(fatal) => {
                outcome = Err(fatal);
                break;
            }
        }
    }
    if outcome.is_ok() {
        started();
        tokio::select! {
            () = shutdown.cancelled() => {}
            fatal = first_failure(&mut parts) => outcome = Err(fatal),
        }
    }
    // Also after a failure: whoever waits for the end is told that it comes.
    shutdown.cancel();
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
        tracing::info!(
            event = "process.draining",
            process = role.name(),
            "draining"
        );
        stop.cancel();
        match timeout(grace, &mut task).await {
            Ok(ended) => ended.unwrap_or_else(|error| Err(panicked(role, &error))),
            Err(_) => {
                tracing::warn!(
                    event = "process.not_drained",
                    process = role.name(),
                    "did not finish in time"
                );
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

/// What `serving` comes to. The console beside it ends with it, whether it was told to or something failed.
async fn beside<T>(
    serving: impl Future<Output = T>,
    console: Option<impl Future<Output = ()>>,
    stop: CancellationToken,
) -> T {
    let serving = async {
        let outcome = serving.await;
        stop.cancel();
        outcome
    };
    tokio::join!(serving, OptionFuture::from(console)).0
}

/// Builds a part, which binds all its listeners, and lets it serve.
async fn start(
    role: Role,
    config: &mut Config,
    (reloading, control): (&Reloading, Option<Control>),
    readiness: &Readiness,
) -> Result<Part, Fatal> {
    let readiness = readiness.scope(role.name());
    let stop = CancellationToken::new();
    let task = match role {
        Role::Storage => {
            let mut app = service::App::build(config.service.clone(), &readiness).await?;
            let reconfigure = app.reconfigure();
            reloading.tell(move |config| reconfigure(&config.service));
            if let Some(control) = control {
                app = app.controlled_by(control);
            }
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
            tokio::spawn(beside(app.run(stop.clone()), console, stop.clone()))
        }
        Role::SipEdge => {
            let mut app = sip_edge::App::build(config.sip_edge.clone(), &readiness).await?;
            let reconfigure = app.reconfigure();
            reloading.tell(move |config| reconfigure(&config.sip_edge));
            if let Some(control) = control {
                app = app.controlled_by(control);
            }
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
            let mut app =
                controlling_edge::App::build(config.controlling_edge.clone(), &readiness).await?;
            if let Some(control) = control {
                app = app.controlled_by(control);
            }
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

fn no_signals(error: &io::Error) -> Fatal {
    Fatal::new(Code::Bug, format!("signals cannot be caught: {error}"))
}

fn log_listeners(role: Role, bound: impl IntoIterator<Item = (String, SocketAddr)>) {
    for (name, address) in bound {
        log_listener(&format!("{}/{name}", role.name()), address);
    }
}

/// Where something listens, once it does: scripts and tests read this.
fn log_listener(listener: &str, address: SocketAddr) {
    tracing::info!(event = "process.listening", listener, %address, "listening");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_that_fails_ends_the_console_beside_it() {
        let stop = CancellationToken::new();
        let console = stop.clone().cancelled_owned();
        let serving = async { Err::<(), _>(Fatal::new(Code::Io, "the disk is gone")) };
        let ended = timeout(LAST_STEPS, beside(serving, Some(console), stop)).await;
        assert!(ended.expect("nobody has to stop it").is_err());
    }
}
