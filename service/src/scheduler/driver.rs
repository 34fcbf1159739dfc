//! Connects the machine to the store and the edges. One task owns it all.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rand::SeedableRng;
use rand::rngs::StdRng;
use storage::model::{Clock, MailboxId, UnixMillis};
use storage::{Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::edges::EdgeName;
use super::handle::{
    AlreadyAttached, Attachment, Countermand, EdgeStatus, INPUTS, Input, PlanPhase, PlanStatus,
    Scheduler, SchedulerStatus,
};
use super::machine::{Machine, Started};
use super::plans::Phase;
use super::policy::Policy;
use super::start::{Job, Starter};
use crate::now;
use crate::subscription::Distributor;
use crate::suspension::Suspensions;

/// Mailboxes read from the store at a time, and planned ones below which more are read. Those that wait for the end of a
/// suspension do not count: they must not keep the others waiting.
const SCAN_PAGE: usize = 500;

/// Countermands that may wait for one edge.
const COUNTERMANDS: usize = 64;

/// Pause after a scan that failed.
const SCAN_RETRY: Duration = Duration::from_secs(5);

type Task<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Page = Result<Vec<MailboxId>, StoreError>;

/// How far the store has been looked through for what waits (DLV-17).
enum Scan {
    Done,
    /// Go on after this mailbox, not before that time.
    Next(Option<MailboxId>, Instant),
    Reading(Task<Page>),
}

struct Attached {
    jobs: mpsc::Sender<Job>,
    countermands: mpsc::Sender<Countermand>,
    attached_at: UnixMillis,
    capacity: usize,
}

pub(crate) struct Driver<S> {
    machine: Machine<StdRng>,
    policy: Policy,
    /// What is to hold from now on.
    policies: watch::Receiver<Policy>,
    store: Arc<S>,
    clock: Arc<dyn Clock>,
    distributor: Distributor,
    suspensions: Suspensions,
    inputs: mpsc::Receiver<Input>,
    edges: HashMap<EdgeName, Attached>,
    starts: FuturesUnordered<Task<(MailboxId, Started)>>,
    scan: Scan,
    gauges: Gauges,
}

/// Handles looked up once: they are set with every input.
struct Gauges {
    running: metrics::Gauge,
    planned: metrics::Gauge,
    edges: metrics::Gauge,
    lag: metrics::Histogram,
}

impl<S: Store> Driver<S> {
    pub(crate) fn new(
        policies: watch::Receiver<Policy>,
        store: Arc<S>,
        clock: Arc<dyn Clock>,
        distributor: Distributor,
        suspensions: Suspensions,
    ) -> (Self, Scheduler) {
        let policy = policies.borrow().clone();
        let (sender, inputs) = mpsc::channel(INPUTS);
        let scheduler = Scheduler::new(sender, policy.mode);
        let driver = Self {
            machine: Machine::new(now(), policy.clone(), StdRng::from_os_rng()),
            policy,
            policies,
            store,
            clock,
            distributor,
            suspensions,
            inputs,
            edges: HashMap::new(),
            starts: FuturesUnordered::new(),
            scan: Scan::Next(None, now()),
            gauges: Gauges {
                running: metrics::gauge!("restante_pushes_running"),
                planned: metrics::gauge!("restante_pushes_planned"),
                edges: metrics::gauge!("restante_edges_attached"),
                lag: metrics::histogram!("restante_push_lag_seconds"),
            },
        };
        (driver, scheduler)
    }

    /// Runs until the shutdown. Deliveries under way are the edges' to end.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        loop {
            self.start_what_may();
            self.report();
            let timeout = self.machine.next_timeout();
            tokio::select! {
                () = shutdown.cancelled() => return,
                input = self.inputs.recv() => match input {
                    Some(input) => self.on_input(input),
                    None => return,
                },
                Some((mailbox, started)) = self.starts.next() => {
                    self.on_started(mailbox, started);
                }
                page = next_page(&mut self.scan, &self.store, self.machine.imminent()) => {
                    self.on_page(page);
                }
                Ok(()) = self.policies.changed() => self.change_policy(),
                () = sleep_until(timeout.unwrap_or_else(now).into()), if timeout.is_some() => {
                    self.machine.timeout(now());
                }
            }
        }
    }

    /// What is under way and planned goes on as it began.
    fn change_policy(&mut self) {
        let wanted = self.policies.borrow_and_update().clone();
        self.policy = self.policy.changed_to(wanted);
        self.machine.change_policy(now(), self.policy.clone());
    }

    fn on_input(&mut self, input: Input) {
        let now = now();
        match input {
            Input::Registered {
                mailbox,
                has_waiting,
            } => {
                if has_waiting {
                    woken("registered", 1);
                }
                self.machine.registered(now, mailbox, has_waiting);
            }
            Input::Deregistered { mailbox } => {
                self.machine.deregistered(mailbox);
                self.stop_if_left(mailbox);
            }
            Input::MessageStored { mailbox } => {
                woken("deposited", 1);
                self.machine.deposited(now, mailbox);
            }
            Input::Withheld { mailbox } => self.machine.found(now, mailbox),
            Input::Rescan => self.scan = Scan::Next(None, now),
            Input::Ordered {
                mailbox,
                force,
                answer,
            } => {
                woken("ordered", 1);
                let _ = answer.send(self.machine.ordered(now, mailbox, force));
            }
            Input::Attach {
                edge,
                capacity,
                answer,
            } => {
                let _ = answer.send(self.attach(edge, capacity));
            }
            Input::Detached { edge } => self.detach(&edge),
            Input::Hop { edge, pause } => self.machine.hop_reported(now, &edge, pause),
            Input::Renewed { claim, edge } => {
                self.machine
                    .renewed(now, claim.mailbox, claim.generation, &edge);
                self.stop_if_left(claim.mailbox);
            }
            Input::Released { claim, outcome } => {
                self.machine
                    .released(now, claim.mailbox, claim.generation, outcome.as_ref());
            }
            Input::Withdraw { edge, withdrawal } => {
                if let Some(edge) = self.edges.get(&edge) {
                    // Whoever asks notices that nobody answers.
                    let _ = edge
                        .countermands
                        .try_send(Countermand::Withdraw(withdrawal));
                }
            }
            Input::Resumed => self.machine.resumed(now),
            other => self.answer(now, other),
        }
    }

    /// Answers a question.
    fn answer(&self, now: Instant, question: Input) {
        // Who has gone need not know.
        match question {
            Input::Status { answer } => {
                let _ = answer.send(self.status());
            }
            Input::Plan { mailbox, answer } => {
                let _ = answer.send(self.plan(now, mailbox));
            }
            Input::UnderWay { limit, answer } => {
                let _ = answer.send(self.machine.under_way(limit));
            }
            _ => {}
        }
    }

    fn attach(&mut self, edge: EdgeName, capacity: usize) -> Result<Attachment, AlreadyAttached> {
        if self.edges.contains_key(&edge) {
            return Err(AlreadyAttached);
        }
        tracing::info!(event = "edge.attached", %edge, capacity, "edge attached");
        let (sender, jobs) = mpsc::channel(capacity);
        let (countermand_sender, countermands) = mpsc::channel(COUNTERMANDS);
        let attached = Attached {
            jobs: sender,
            countermands: countermand_sender,
            attached_at: self.clock.now(),
            capacity,
        };
        self.edges.insert(Arc::clone(&edge), attached);
        self.machine.edge_attached(edge, capacity);
        Ok(Attachment { jobs, countermands })
    }

    /// Has the edge end the session of a user who has left. What does not reach it is said again with the next
    /// renewal.
    fn stop_if_left(&self, mailbox: MailboxId) {
        let Some((edge, claim)) = self.machine.to_stop(mailbox) else {
            return;
        };
        if let Some(edge) = self.edges.get(&edge) {
            let _ = edge.countermands.try_send(Countermand::Stop(claim));
        }
    }

    fn detach(&mut self, edge: &EdgeName) {
        tracing::info!(event = "edge.detached", %edge, "edge detached");
        self.edges.remove(edge);
        self.machine.edge_stopped(edge);
    }

    /// Starts as much as the machine allows.
    fn start_what_may(&mut self) {
        while let Some(start) = self.machine.poll() {
            if let Some(due) = start.due {
                self.gauges.lag.record(now().saturating_duration_since(due));
            }
            let Some(edge) = self.edges.get(&start.edge) else {
                self.machine.edge_stopped(&start.edge);
                self.machine
                    .started(now(), start.mailbox, Started::EdgeGone);
                continue;
            };
            let starter = Starter {
                store: Arc::clone(&self.store),
                suspensions: self.suspensions.clone(),
                jobs: edge.jobs.clone(),
                takers: self.machine.takers(),
                lease: self.policy.lease,
                mode: self.policy.mode,
                by_device: self.policy.by_device,
            };
            self.starts.push(Box::pin(starter.start(start)));
        }
    }

    fn on_started(&mut self, mailbox: MailboxId, started: Started) {
        if started == Started::EdgeGone {
            let gone = self.edges.iter().filter(|(_, edge)| edge.jobs.is_closed());
            for (name, _) in gone {
                self.machine.edge_stopped(name);
            }
        }
        if started == Started::SwitchedOff && self.machine.is_user_back(mailbox) {
            self.distributor.remind(mailbox);
        }
        self.machine.started(now(), mailbox, started);
        self.stop_if_left(mailbox);
    }

    fn on_page(&mut self, page: Page) {
        let now = now();
        match page {
            Ok(mailboxes) => {
                let last = mailboxes.last().copied();
                woken("restarted", mailboxes.len());
                let spacing = Duration::from_secs(1) / self.policy.restart_rate.max(1);
                for (place, mailbox) in (0_u32..).zip(mailboxes) {
                    self.machine.found(now + spacing * place, mailbox);
                }
                self.scan = match last {
                    Some(last) => Scan::Next(Some(last), now),
                    None => Scan::Done,
                };
            }
            Err(error) => {
                tracing::debug!(%error, "mailboxes that wait could not be read");
                self.scan = Scan::Next(None, now + SCAN_RETRY);
            }
        }
    }

    fn plan(&self, now: Instant, mailbox: MailboxId) -> PlanStatus {
        let (phase, tries) = match self.machine.plan(mailbox) {
            None => (PlanPhase::Idle, 0),
            Some((phase, tries)) => (planned(phase, now), tries),
        };
        PlanStatus {
            phase,
            tries,
            max_tries: self.policy.backoff.len() + 1,
        }
    }

    fn status(&self) -> SchedulerStatus {
        let edges = self.edges.iter().map(|(name, edge)| EdgeStatus {
            name: Arc::clone(name),
            attached_at: edge.attached_at,
            jobs: self.machine.jobs(name),
            capacity: edge.capacity,
        });
        let mut edges: Vec<_> = edges.collect();
        edges.sort_by(|a, b| a.name.cmp(&b.name));
        SchedulerStatus {
            running: self.machine.sessions(),
            planned: self.machine.planned(),
            edges,
        }
    }

    fn report(&self) {
        self.gauges
            .running
            .set(approximate(self.machine.sessions()));
        self.gauges.planned.set(approximate(self.machine.planned()));
        self.gauges.edges.set(approximate(self.edges.len()));
    }
}

/// Mailboxes came up for delivery because of this.
fn woken(trigger: &'static str, mailboxes: usize) {
    metrics::counter!("restante_wakeups_total", "trigger" => trigger)
        .increment(u64::try_from(mailboxes).unwrap_or(u64::MAX));
}

fn planned(phase: &Phase, now: Instant) -> PlanPhase {
    match phase {
        Phase::Waiting { due } => PlanPhase::Waiting(due.saturating_duration_since(now)),
        Phase::Ready => PlanPhase::Ready,
        Phase::Starting { .. } | Phase::Running { .. } => PlanPhase::Running,
        Phase::Blocked { .. } => PlanPhase::Blocked,
    }
}

/// A gauge's value; exact up to 4 billion.
fn approximate(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}

/// The next page of mailboxes with something to deliver and a live binding; never returns while
/// nothing is to be read or enough is planned. May be dropped and called again.
async fn next_page<S: Store>(scan: &mut Scan, store: &Arc<S>, planned: usize) -> Page {
    if let Scan::Next(after, not_before) = scan {
        if planned >= SCAN_PAGE {
            std::future::pending::<()>().await;
        }
        sleep_until((*not_before).into()).await;
        let (after, store) = (*after, Arc::clone(store));
        let read = async move { store.reachable_with_waiting(after, SCAN_PAGE).await };
        *scan = Scan::Reading(Box::pin(read));
    }
    match scan {
        Scan::Reading(read) => read.as_mut().await,
        Scan::Done | Scan::Next(..) => std::future::pending().await,
    }
}
