//! Where each mailbox is, with the indices by time. Every change goes through [`Plans::enter`], so
//! that phase and indices cannot disagree.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use storage::model::{Generation, MailboxId};

use super::edges::EdgeName;
use super::ready::ReadyQueue;

/// What made us want to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trigger {
    Deposited,
    Registered,
    Ordered,
}

/// Where a mailbox is.
///
/// ```text
///            trigger            due          poll             claimed
/// (unknown) ────────► Waiting ──────► Ready ──────► Starting ────────► Running
///     ▲                  ▲  ▲           ▲               │                 │
///     │                  │  └───────────┴──── again ────┴─────────────────┤
///     │                  └──────── registered ──── Blocked ◄── refused ───┤
///     └──────────────────────────────── done ─────────────────────────────┘
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// To be delivered at that time.
    Waiting { due: Instant },
    /// To be delivered as soon as an edge is free.
    Ready,
    /// The driver is claiming it for this edge.
    Starting { edge: EdgeName },
    /// The edge delivers it under a claim that lives until then, as far as we know.
    Running {
        edge: EdgeName,
        generation: Generation,
        lease_until: Instant,
    },
    /// Only a registration or an order helps. Forgotten at that time.
    Blocked { until: Instant },
}

/// One mailbox that we know something about.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) phase: Phase,
    /// Failed tries of this registration.
    pub(super) tries: usize,
    /// The strongest trigger since it was last started, while it waits or is ready.
    pub(super) planned_by: Trigger,
    /// The strongest trigger that came while it was starting or running (DLV-13).
    pub(super) look_again: Option<Trigger>,
    /// When it was to be started, if it has been waiting for that.
    pub(super) due: Option<Instant>,
    /// The edge that holds the user's connection.
    home: Option<EdgeName>,
    /// The edge at which its last claim ran out; only if there is no other.
    pub(super) shunned: Option<EdgeName>,
    /// An operator wants it delivered without a live registration.
    pub(super) forced: bool,
    /// A registration made us want to deliver, and nobody has been told so since.
    pub(super) is_user_back: bool,
    /// The user has de-registered since it was last started.
    pub(super) has_user_left: bool,
    /// It waits for the end of a suspension, or, while it is starting, will do so.
    pub(super) is_suspended: bool,
    /// Since it was last started, a suspension has ended before its time.
    pub(super) is_resumed: bool,
}

/// All plans.
#[derive(Debug, Default)]
pub(super) struct Plans {
    plans: HashMap<MailboxId, Plan>,
    /// Ends of `Waiting`, `Running` and `Blocked`.
    times: BTreeSet<(Instant, MailboxId)>,
    /// Exactly the mailboxes that are `Ready`, longest first.
    ready: ReadyQueue,
    sessions: usize,
    blocked: usize,
    /// Those that wait for the end of a suspension.
    suspended: usize,
}

impl Plans {
    pub(super) fn get(&self, mailbox: MailboxId) -> Option<&Plan> {
        self.plans.get(&mailbox)
    }

    /// For everything but the phase.
    pub(super) fn get_mut(&mut self, mailbox: MailboxId) -> Option<&mut Plan> {
        self.plans.get_mut(&mailbox)
    }

    /// Puts a mailbox, known or not, into a phase.
    pub(super) fn enter(&mut self, mailbox: MailboxId, phase: Phase) {
        self.leave(mailbox);
        if let Some(end) = end_of(&phase) {
            self.times.insert((end, mailbox));
        }
        match &phase {
            Phase::Ready => self.ready.push_back(mailbox, self.home_of(mailbox)),
            Phase::Starting { .. } | Phase::Running { .. } => self.sessions += 1,
            Phase::Blocked { .. } => self.blocked += 1,
            Phase::Waiting { .. } => {}
        }
        let is_waiting = matches!(phase, Phase::Waiting { .. });
        let due = match phase {
            Phase::Waiting { due } => Some(due),
            _ => None,
        };
        match self.plans.get_mut(&mailbox) {
            Some(plan) => {
                plan.phase = phase;
                plan.due = due.or(plan.due);
                plan.is_suspended &= is_waiting;
                self.suspended += usize::from(plan.is_suspended);
            }
            None => {
                let plan = Plan {
                    due,
                    ..Plan::new(phase)
                };
                self.plans.insert(mailbox, plan);
            }
        }
    }

    /// Puts a mailbox before all others that are ready.
    pub(super) fn enter_first(&mut self, mailbox: MailboxId) {
        self.enter(mailbox, Phase::Ready);
        self.ready.push_front(mailbox, self.home_of(mailbox));
    }

    /// Notes the edge that holds the connection of a user we know of; `None`: any edge will do.
    pub(super) fn set_home(&mut self, mailbox: MailboxId, home: Option<EdgeName>) {
        if let Some(plan) = self.plans.get_mut(&mailbox) {
            plan.home.clone_from(&home);
            self.ready.set_home(mailbox, home);
        }
    }

    fn home_of(&self, mailbox: MailboxId) -> Option<EdgeName> {
        self.plans.get(&mailbox)?.home.clone()
    }

    /// Forgets a mailbox.
    pub(super) fn remove(&mut self, mailbox: MailboxId) {
        self.leave(mailbox);
        self.plans.remove(&mailbox);
    }

    /// Takes the mailbox out of the indices of its phase.
    fn leave(&mut self, mailbox: MailboxId) {
        let Some(plan) = self.plans.get(&mailbox) else {
            return;
        };
        if let Some(end) = end_of(&plan.phase) {
            self.times.remove(&(end, mailbox));
        }
        match plan.phase {
            Phase::Ready => {
                self.ready.remove(mailbox);
            }
            Phase::Starting { .. } | Phase::Running { .. } => self.sessions -= 1,
            Phase::Blocked { .. } => self.blocked -= 1,
            Phase::Waiting { .. } => self.suspended -= usize::from(plan.is_suspended),
        }
    }

    /// Mailboxes that are ready.
    pub(super) fn ready(&self) -> &ReadyQueue {
        &self.ready
    }

    /// The mailbox whose time is over first, if that is so.
    pub(super) fn first_over(&self, now: Instant) -> Option<MailboxId> {
        let (end, mailbox) = self.times.first()?;
        (*end <= now).then_some(*mailbox)
    }

    pub(super) fn next_time(&self) -> Option<Instant> {
        self.times.first().map(|(end, _)| *end)
    }

    /// Those that are starting, for everything but the phase.
    pub(super) fn starting(&mut self) -> impl Iterator<Item = &mut Plan> {
        let all = self.plans.values_mut();
        all.filter(|plan| matches!(plan.phase, Phase::Starting { .. }))
    }

    /// Everything we know something about.
    pub(super) fn all(&self) -> impl Iterator<Item = (MailboxId, &Plan)> {
        self.plans.iter().map(|(mailbox, plan)| (*mailbox, plan))
    }

    /// Starting or running.
    pub(super) fn sessions(&self) -> usize {
        self.sessions
    }

    /// Waiting or ready.
    pub(super) fn planned(&self) -> usize {
        self.plans.len() - self.sessions - self.blocked
    }

    /// Those of them that wait for the end of a suspension.
    pub(super) fn suspended(&self) -> usize {
        self.suspended
    }
}

impl Plan {
    /// The edge that holds the user's connection.
    pub(super) fn home(&self) -> Option<&EdgeName> {
        self.home.as_ref()
    }

    fn new(phase: Phase) -> Self {
        Self {
            phase,
            tries: 0,
            planned_by: Trigger::Deposited,
            look_again: None,
            due: None,
            home: None,
            shunned: None,
            forced: false,
            is_user_back: false,
            has_user_left: false,
            is_suspended: false,
            is_resumed: false,
        }
    }

    /// Remembers a trigger that came while the mailbox is being delivered.
    pub(super) fn look_again(&mut self, trigger: Trigger) {
        self.look_again = self.look_again.max(Some(trigger));
    }
}

fn end_of(phase: &Phase) -> Option<Instant> {
    match phase {
        Phase::Waiting { due } => Some(*due),
        Phase::Running { lease_until, .. } => Some(*lease_until),
        Phase::Blocked { until } => Some(*until),
        Phase::Ready | Phase::Starting { .. } => None,
    }
}
