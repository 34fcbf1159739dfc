//! How the rest of the service talks to the scheduler.

use std::time::Duration;

use storage::model::{ClaimToken, Claimant, MailboxId, Registered, Sequence, UnixMillis};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Planned;
use super::edges::EdgeName;
use super::machine::PushUnderWay;
use super::policy::Outcome;
use super::start::{Job, is_reachable};
use crate::config::DeliveryMode;

/// Inputs that may wait for the driver; senders wait when it is full.
pub(super) const INPUTS: usize = 4_096;

/// How long an edge is waited for that shall promise something.
const WITHDRAWAL_PATIENCE: Duration = Duration::from_secs(3);

/// What the driver is told.
pub(super) enum Input {
    Registered {
        mailbox: MailboxId,
        has_waiting: bool,
    },
    Deregistered {
        mailbox: MailboxId,
    },
    MessageStored {
        mailbox: MailboxId,
    },
    /// What would have been forwarded to its user has not been.
    Withheld {
        mailbox: MailboxId,
    },
    /// Triggers were dropped: look for what waits in the store.
    Rescan,
    Ordered {
        mailbox: MailboxId,
        force: bool,
        answer: oneshot::Sender<Planned>,
    },
    Attach {
        edge: EdgeName,
        capacity: usize,
        answer: oneshot::Sender<Result<Attachment, AlreadyAttached>>,
    },
    Detached {
        edge: EdgeName,
    },
    Hop {
        edge: EdgeName,
        pause: Option<Duration>,
    },
    Renewed {
        claim: ClaimToken,
        edge: EdgeName,
    },
    Released {
        claim: ClaimToken,
        outcome: Option<Outcome>,
    },
    Withdraw {
        edge: EdgeName,
        withdrawal: Withdrawal,
    },
    Status {
        answer: oneshot::Sender<SchedulerStatus>,
    },
    /// A suspension is over before its time.
    Resumed,
    Plan {
        mailbox: MailboxId,
        answer: oneshot::Sender<PlanStatus>,
    },
    UnderWay {
        limit: usize,
        answer: oneshot::Sender<Vec<PushUnderWay>>,
    },
}

/// An edge of that name is attached already; the older stream wins until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AlreadyAttached;

/// The jobs of one attached edge. [`Scheduler::detached`] must follow.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) jobs: mpsc::Receiver<Job>,
    /// About jobs that are out of `jobs`: whoever reads both reads `jobs` first.
    pub(crate) countermands: mpsc::Receiver<Countermand>,
}

/// What takes back something of a job.
#[derive(Debug)]
pub(crate) enum Countermand {
    /// One of its messages.
    Withdraw(Withdrawal),
    /// All that follows the message in flight: the user has de-registered (requirements §3.5).
    Stop(ClaimToken),
}

/// A message that an edge shall not begin to send under a claim (requirements §3.13).
#[derive(Debug)]
pub(crate) struct Withdrawal {
    pub(crate) claim: ClaimToken,
    pub(crate) sequence: Sequence,
    pub(crate) answer: oneshot::Sender<Withdrawn>,
}

/// What an edge says to a [`Withdrawal`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// It does not begin to send it.
    Promised,
    /// It has begun.
    Begun,
    /// It does not hold that claim: its job has not come yet, it has given it back, or it is a new process.
    NotHeld,
}

/// The scheduler at a glance.
#[derive(Clone, Debug, Default)]
pub(crate) struct SchedulerStatus {
    pub(crate) running: usize,
    pub(crate) planned: usize,
    pub(crate) edges: Vec<EdgeStatus>,
}

/// What is planned for one mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PlanStatus {
    pub(crate) phase: PlanPhase,
    /// Failed tries of this registration.
    pub(crate) tries: usize,
    /// How many there may be.
    pub(crate) max_tries: usize,
}

/// Where a mailbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlanPhase {
    /// Nothing is planned.
    #[default]
    Idle,
    /// To be begun after so long.
    Waiting(Duration),
    /// To be begun as soon as an edge is free.
    Ready,
    /// An edge has it.
    Running,
    /// Tried in vain.
    Blocked,
}

/// One attached edge.
#[derive(Clone, Debug)]
pub(crate) struct EdgeStatus {
    pub(crate) name: EdgeName,
    pub(crate) attached_at: UnixMillis,
    pub(crate) jobs: usize,
    pub(crate) capacity: usize,
}

/// Handle to the scheduler. Once its driver has ended, which is when the service drains, what it is
/// told is forgotten: after the restart everything that waits is planned anew.
#[derive(Clone, Debug)]
pub(crate) struct Scheduler {
    inputs: mpsc::Sender<Input>,
    mode: DeliveryMode,
}

impl Scheduler {
    pub(super) fn new(inputs: mpsc::Sender<Input>, mode: DeliveryMode) -> Self {
        Self { inputs, mode }
    }

    /// Whether a delivery has somebody to go to.
    pub(crate) fn is_reachable(&self, registered: &Registered) -> bool {
        is_reachable(registered, self.mode)
    }

    /// A registration was committed.
    pub(crate) async fn registered(&self, mailbox: MailboxId, has_waiting: bool) {
        self.tell(Input::Registered {
            mailbox,
            has_waiting,
        })
        .await;
    }

    /// A registration was taken back, and there is nobody left to deliver to.
    pub(crate) async fn deregistered(&self, mailbox: MailboxId) {
        self.tell(Input::Deregistered { mailbox }).await;
    }

    /// A message was deposited, or made deliverable again, for a registered user.
    pub(crate) async fn deposited(&self, mailbox: MailboxId) {
        self.tell(Input::MessageStored { mailbox }).await;
    }

    /// A message was not forwarded to its user, since deliveries to him are suspended: it waits for the end of that.
    pub(crate) async fn withheld(&self, mailbox: MailboxId) {
        self.tell(Input::Withheld { mailbox }).await;
    }

    /// Triggers were dropped.
    pub(crate) async fn rescan(&self) {
        self.tell(Input::Rescan).await;
    }

    /// An operator wants a push; `None` while draining.
    pub(crate) async fn ordered(&self, mailbox: MailboxId, force: bool) -> Option<Planned> {
        self.ask(|answer| Input::Ordered {
            mailbox,
            force,
            answer,
        })
        .await
    }

    /// An edge wants jobs; `None` while draining.
    pub(crate) async fn attach(
        &self,
        edge: EdgeName,
        capacity: usize,
    ) -> Option<Result<Attachment, AlreadyAttached>> {
        self.ask(|answer| Input::Attach {
            edge,
            capacity,
            answer,
        })
        .await
    }

    /// The stream of an edge has ended.
    pub(crate) async fn detached(&self, edge: EdgeName) {
        self.tell(Input::Detached { edge }).await;
    }

    /// An edge tells how long its next hop is paused, if it is.
    pub(crate) async fn hop(&self, edge: EdgeName, pause: Option<Duration>) {
        self.tell(Input::Hop { edge, pause }).await;
    }

    /// The store has renewed a claim.
    pub(crate) async fn renewed(&self, claim: ClaimToken, edge: EdgeName) {
        self.tell(Input::Renewed { claim, edge }).await;
    }

    /// The store has taken a claim back; no outcome: it had been superseded.
    pub(crate) async fn released(&self, claim: ClaimToken, outcome: Option<Outcome>) {
        self.tell(Input::Released { claim, outcome }).await;
    }

    /// Has the edge promise not to begin to send a message under its claim; `None` if it does not answer in
    /// time.
    pub(crate) async fn withdraw(
        &self,
        claimant: &Claimant,
        sequence: Sequence,
    ) -> Option<Withdrawn> {
        let asked = self.ask(|answer| Input::Withdraw {
            edge: EdgeName::from(claimant.edge.as_str()),
            withdrawal: Withdrawal {
                claim: claimant.claim,
                sequence,
                answer,
            },
        });
        timeout(WITHDRAWAL_PATIENCE, asked).await.ok().flatten()
    }

    /// What is going on; empty while draining.
    pub(crate) async fn status(&self) -> SchedulerStatus {
        let status = self.ask(|answer| Input::Status { answer }).await;
        status.unwrap_or_default()
    }

    /// A suspension is over before its time, or ends earlier than it was to.
    pub(crate) async fn resumed(&self) {
        self.tell(Input::Resumed).await;
    }

    /// What is planned for a mailbox; nothing while draining.
    pub(crate) async fn plan(&self, mailbox: MailboxId) -> PlanStatus {
        let plan = self.ask(|answer| Input::Plan { mailbox, answer }).await;
        plan.unwrap_or_default()
    }

    /// Up to `limit` pushes under way; none while draining.
    pub(crate) async fn under_way(&self, limit: usize) -> Vec<PushUnderWay> {
        let under_way = self.ask(|answer| Input::UnderWay { limit, answer }).await;
        under_way.unwrap_or_default()
    }

    /// By what is delivered.
    pub(crate) fn mode(&self) -> DeliveryMode {
        self.mode
    }

    async fn tell(&self, input: Input) {
        // See the type: while draining there is nobody to tell.
        let _ = self.inputs.send(input).await;
    }

    async fn ask<T>(&self, input: impl FnOnce(oneshot::Sender<T>) -> Input) -> Option<T> {
        let (answer, question) = oneshot::channel();
        self.inputs.send(input(answer)).await.ok()?;
        question.await.ok()
    }
}
