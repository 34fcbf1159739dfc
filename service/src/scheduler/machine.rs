//! The scheduler's decisions: single flight, triggers, back-off, pacing. Time and randomness are
//! passed in. See [`Phase`] for the states of a mailbox.

use std::time::{Duration, Instant};

use rand::Rng;
use storage::model::{ClaimToken, Generation, MailboxId};

use super::edges::{EdgeName, Edges};
use super::pace::Pace;
use super::plans::{Phase, Plan, Plans, Trigger};
use super::policy::{Ending, LONGEST_HOP_PAUSE, Outcome, Policy, Verdict};

/// Sessions at a time after the start; one more with each delivery that succeeds.
const FIRST_WINDOW: usize = 16;

/// How long a mailbox is remembered whose user did not want or could not take it.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Pause after the store could not be asked.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// Claim this mailbox for this edge and hand it over; then tell [`Machine::started`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) mailbox: MailboxId,
    pub(super) edge: EdgeName,
    /// Also without a live registration.
    pub(super) forced: bool,
    /// When it was planned for; none if it goes on at once, by another edge.
    pub(super) due: Option<Instant>,
}

/// What became of a [`Start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Started {
    /// The edge has the job.
    Running(Generation),
    /// Another claim is alive.
    Busy,
    /// Nothing waits, or nobody is registered.
    Nothing,
    /// The user does not want it pushed (DLV-04).
    SwitchedOff,
    /// An operator has suspended deliveries to this user for so long.
    Suspended(Duration),
    /// The user's connection is at that edge.
    Elsewhere(EdgeName),
    /// The edge did not take the job.
    EdgeGone,
    /// The store could not be asked.
    Failed,
}

/// A mailbox that is being delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PushUnderWay {
    pub(crate) mailbox: MailboxId,
    pub(crate) edge: EdgeName,
    /// None while it is being claimed.
    pub(crate) generation: Option<Generation>,
}

/// The answer to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planned {
    /// A push is planned now.
    Started,
    /// One is running and looks again, or is about to start.
    Joined,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Machine<R> {
    policy: Policy,
    rng: R,
    plans: Plans,
    edges: Edges,
    window: usize,
    pace: Pace,
    /// Until then edges may hold claims from before our start.
    adopts_until: Instant,
}

impl<R: Rng> Machine<R> {
    pub(super) fn new(now: Instant, policy: Policy, rng: R) -> Self {
        Self {
            adopts_until: now + policy.lease,
            pace: Pace::new(now, policy.rate),
            policy,
            rng,
            plans: Plans::default(),
            edges: Edges::default(),
            window: FIRST_WINDOW,
        }
    }

    /// Times and bounds are others from now on; what is planned keeps its time.
    pub(super) fn change_policy(&mut self, now: Instant, policy: Policy) {
        if policy.rate != self.policy.rate {
            self.pace = Pace::new(now, policy.rate);
        }
        self.policy = policy;
    }

    // === triggers ===

    /// A registration was committed (DLV-01). It gives the mailbox new tries, and a push if
    /// something waits.
    pub(super) fn registered(&mut self, now: Instant, mailbox: MailboxId, has_waiting: bool) {
        if let Some(plan) = self.plans.get_mut(mailbox) {
            plan.tries = 0;
            plan.has_user_left = false;
        }
        self.plans.set_home(mailbox, None);
        match self.phase(mailbox) {
            Some(Phase::Blocked { .. }) if !has_waiting => self.plans.remove(mailbox),
            _ if has_waiting => {
                let due = now + self.policy.delay;
                self.trigger(mailbox, Trigger::Registered, due);
                if let Some(plan) = self.plans.get_mut(mailbox) {
                    plan.is_user_back = true;
                }
            }
            _ => {}
        }
    }

    /// A user has de-registered: what is being delivered to him ends after the message in flight
    /// (requirements §3.5), see [`to_stop`](Self::to_stop). What is planned finds nobody.
    pub(super) fn deregistered(&mut self, mailbox: MailboxId) {
        if let Some(plan) = self.plans.get_mut(mailbox) {
            plan.has_user_left = true;
        }
    }

    /// The session of a mailbox if its edge is to end it, since the user has left.
    pub(super) fn to_stop(&self, mailbox: MailboxId) -> Option<(EdgeName, ClaimToken)> {
        let plan = self.plans.get(mailbox)?;
        match &plan.phase {
            Phase::Running {
                edge, generation, ..
            } if plan.has_user_left => {
                let generation = *generation;
                let claim = ClaimToken {
                    mailbox,
                    generation,
                };
                Some((EdgeName::clone(edge), claim))
            }
            _ => None,
        }
    }

    /// Whether a registration is among what made us look at the mailbox; once for each. Its user is
    /// to be told what waits if it is not pushed; of deposits he hears anyway (DLV-04).
    pub(super) fn is_user_back(&mut self, mailbox: MailboxId) -> bool {
        let plan = self.plans.get_mut(mailbox);
        plan.is_some_and(|plan| std::mem::take(&mut plan.is_user_back))
    }

    /// A message was deposited for a registered user (DLV-17).
    pub(super) fn deposited(&mut self, now: Instant, mailbox: MailboxId) {
        if let Some(pause) = self.policy.on_deposit {
            self.trigger(mailbox, Trigger::Deposited, now + pause);
        }
    }

    /// An operator wants it delivered (DLV-15).
    pub(super) fn ordered(&mut self, now: Instant, mailbox: MailboxId, force: bool) -> Planned {
        let is_running = self.is_session(mailbox);
        self.trigger(mailbox, Trigger::Ordered, now);
        if let Some(plan) = self.plans.get_mut(mailbox) {
            plan.tries = 0;
            plan.forced |= force;
        }
        self.timeout(now);
        match is_running {
            true => Planned::Joined,
            false => Planned::Started,
        }
    }

    /// Found in the store after a restart, or kept from being forwarded by a suspension.
    pub(super) fn found(&mut self, due: Instant, mailbox: MailboxId) {
        if self.plans.get(mailbox).is_none() {
            self.plans.enter(mailbox, Phase::Waiting { due });
        }
    }

    /// A suspension is over before its time: whoever waits for the end of one is looked at again, and so is who is
    /// starting and may have seen it.
    pub(super) fn resumed(&mut self, now: Instant) {
        for plan in self.plans.starting() {
            plan.is_resumed = true;
        }
        let waiting = self.plans.all();
        let suspended = waiting
            .filter(|(_, plan)| plan.is_suspended && matches!(plan.phase, Phase::Waiting { .. }));
        let suspended: Vec<_> = suspended.map(|(mailbox, _)| mailbox).collect();
        for mailbox in suspended {
            self.wait(mailbox, now);
        }
    }

    fn trigger(&mut self, mailbox: MailboxId, trigger: Trigger, due: Instant) {
        match self.phase(mailbox) {
            None => self.plans.enter(mailbox, Phase::Waiting { due }),
            Some(Phase::Starting { .. } | Phase::Running { .. }) => {
                if let Some(plan) = self.plans.get_mut(mailbox) {
                    plan.look_again(trigger);
                }
            }
            Some(Phase::Ready) => {}
            // A deposit waits for what is planned, back-off included, and does not unblock.
            _ if trigger == Trigger::Deposited => {}
            Some(Phase::Waiting { due: planned }) => {
                let due = due.min(*planned);
                self.plans.enter(mailbox, Phase::Waiting { due });
            }
            Some(Phase::Blocked { .. }) => self.plans.enter(mailbox, Phase::Waiting { due }),
        }
        if let Some(plan) = self.plans.get_mut(mailbox) {
            plan.planned_by = plan.planned_by.max(trigger);
        }
    }

    // === edges ===

    pub(super) fn edge_attached(&mut self, edge: EdgeName, capacity: usize) {
        self.edges.attached(edge, capacity);
    }

    /// Detached or draining: its jobs go on until they end or their leases run out.
    pub(super) fn edge_stopped(&mut self, edge: &EdgeName) {
        self.edges.stopped(edge);
    }

    /// What an edge says of its next hop: paused for so long, or open.
    pub(super) fn hop_reported(&mut self, now: Instant, edge: &EdgeName, pause: Option<Duration>) {
        let until = pause.map(|pause| now + pause.min(LONGEST_HOP_PAUSE));
        self.edges.pause(edge, until);
    }

    pub(super) fn jobs(&self, edge: &EdgeName) -> usize {
        self.edges.jobs(edge)
    }

    /// Edges that a job may be given to.
    pub(super) fn takers(&self) -> Vec<EdgeName> {
        self.edges.takers()
    }

    // === deliveries ===

    /// What became of a start.
    pub(super) fn started(&mut self, now: Instant, mailbox: MailboxId, started: Started) {
        let Some(Phase::Starting { edge }) = self.phase(mailbox).cloned() else {
            return;
        };
        if let Started::Running(generation) = started {
            let lease_until = now + self.policy.lease;
            let phase = Phase::Running {
                edge,
                generation,
                lease_until,
            };
            return self.plans.enter(mailbox, phase);
        }
        self.edges.job_ends(&edge);
        // Not where the edge has gone, or the store has failed: these are not to be tried as fast as they fail.
        if matches!(
            started,
            Started::Elsewhere(_) | Started::Suspended(_) | Started::SwitchedOff | Started::Nothing
        ) {
            self.pace.give_back();
        }
        match started {
            Started::Running(_) | Started::EdgeGone => self.plans.enter(mailbox, Phase::Ready),
            Started::Nothing | Started::SwitchedOff => self.done(now, mailbox),
            Started::Busy => self.wait(mailbox, now + self.policy.busy_pause()),
            Started::Failed => self.wait(mailbox, now + STORE_PAUSE),
            Started::Suspended(left) => {
                let plan = self.plans.get_mut(mailbox);
                let is_resumed = plan.is_some_and(|plan| {
                    plan.is_suspended = !plan.is_resumed;
                    plan.is_resumed
                });
                let left = if is_resumed { Duration::ZERO } else { left };
                self.wait(mailbox, now + left);
            }
            Started::Elsewhere(home) => {
                // It has had its turn to wait.
                self.plans.set_home(mailbox, Some(home));
                self.plans.enter_first(mailbox);
            }
        }
    }

    /// The store has renewed a claim. One from before our start is taken up.
    pub(super) fn renewed(
        &mut self,
        now: Instant,
        mailbox: MailboxId,
        generation: Generation,
        edge: &EdgeName,
    ) {
        match self.phase(mailbox) {
            Some(Phase::Starting { .. }) => return,
            Some(Phase::Running {
                generation: known, ..
            }) if *known == generation => {}
            Some(Phase::Running { .. }) => return,
            // A renewal that was under way while its claim was released must not revive it.
            _ if now >= self.adopts_until => return,
            _ => {
                self.edges.job_begins(edge);
                // The claim may be of a user who fetches one message, or of a session that is over: what is planned
                // is still due.
                if let Some(plan) = self.plans.get_mut(mailbox) {
                    plan.look_again(plan.planned_by);
                }
            }
        }
        let phase = Phase::Running {
            edge: edge.clone(),
            generation,
            lease_until: now + self.policy.lease,
        };
        self.plans.enter(mailbox, phase);
    }

    /// The store has taken a claim back; `None`: it had been superseded, by an order.
    pub(super) fn released(
        &mut self,
        now: Instant,
        mailbox: MailboxId,
        generation: Generation,
        outcome: Option<&Outcome>,
    ) {
        let Some(edge) = self.end_session(mailbox, Some(generation)) else {
            return;
        };
        let Some(outcome) = outcome else {
            return self.wait(mailbox, now);
        };
        match outcome.ending {
            Ending::EdgeDraining => self.edges.stopped(&edge),
            Ending::Completed => self.window = (self.window + 1).min(self.policy.max_sessions),
            _ => {}
        }
        let tries = self.plans.get(mailbox).map_or(0, |plan| plan.tries);
        let verdict = self
            .policy
            .verdict(outcome.ending, outcome.retry_after, tries);
        self.follow(now, (mailbox, &edge), verdict);
    }

    fn follow(&mut self, now: Instant, (mailbox, edge): (MailboxId, &EdgeName), verdict: Verdict) {
        match verdict {
            Verdict::Done => self.done(now, mailbox),
            Verdict::Retry(_) | Verdict::UntilRegistered if self.has_new_tries(mailbox) => {
                self.done(now, mailbox);
            }
            Verdict::Retry(pause) => {
                if let Some(plan) = self.plans.get_mut(mailbox) {
                    plan.tries += 1;
                }
                let pause = pause.mul_f64(self.rng.random_range(1.0..1.2));
                self.wait(mailbox, now + pause);
            }
            Verdict::UntilRegistered => self.block(now, mailbox),
            Verdict::Elsewhere => self.plans.enter(mailbox, Phase::Ready),
            Verdict::Again(pause) => self.wait(mailbox, now + pause),
            Verdict::PauseHop(pause) => {
                self.edges.pause_at_least(edge, now + pause);
                if !self.edges.has_open_hop() {
                    self.window = (self.window / 2).max(1);
                }
                self.plans.enter(mailbox, Phase::Ready);
            }
        }
    }

    /// Whether a registration or an order came while it was being delivered.
    fn has_new_tries(&self, mailbox: MailboxId) -> bool {
        let plan = self.plans.get(mailbox);
        plan.is_some_and(|plan| plan.look_again > Some(Trigger::Deposited))
    }

    /// Nothing more to do, unless a trigger came meanwhile (DLV-13).
    fn done(&mut self, now: Instant, mailbox: MailboxId) {
        let again = self.plans.get_mut(mailbox).and_then(|plan| {
            plan.forced &= plan.look_again == Some(Trigger::Ordered);
            plan.look_again.take()
        });
        let pause = match again {
            None => return self.plans.remove(mailbox),
            Some(Trigger::Registered) => self.policy.delay,
            Some(Trigger::Deposited) => self.policy.on_deposit.unwrap_or_default(),
            Some(Trigger::Ordered) => Duration::ZERO,
        };
        self.wait(mailbox, now + pause);
    }

    fn wait(&mut self, mailbox: MailboxId, due: Instant) {
        self.plans.enter(mailbox, Phase::Waiting { due });
    }

    fn block(&mut self, now: Instant, mailbox: MailboxId) {
        if let Some(plan) = self.plans.get_mut(mailbox) {
            plan.look_again = None;
            plan.forced = false;
        }
        let until = now + FORGET_AFTER;
        self.plans.enter(mailbox, Phase::Blocked { until });
    }

    /// Counts a running session out; `None` if this generation is not running.
    fn end_session(
        &mut self,
        mailbox: MailboxId,
        expected: Option<Generation>,
    ) -> Option<EdgeName> {
        let Some(Phase::Running {
            edge, generation, ..
        }) = self.phase(mailbox)
        else {
            return None;
        };
        if expected.is_some_and(|expected| expected != *generation) {
            return None;
        }
        let edge = edge.clone();
        self.edges.job_ends(&edge);
        Some(edge)
    }

    // === time ===

    /// Lets pass what is over by `now`.
    pub(super) fn timeout(&mut self, now: Instant) {
        self.pace.pass(now);
        self.edges.timeout(now);
        while let Some(mailbox) = self.plans.first_over(now) {
            match self.phase(mailbox) {
                Some(Phase::Waiting { .. }) => self.plans.enter(mailbox, Phase::Ready),
                Some(Phase::Running { .. }) => self.lapsed(now, mailbox),
                _ => self.plans.remove(mailbox),
            }
        }
    }

    /// The edge is gone: at once again, by another one, but not for ever.
    fn lapsed(&mut self, now: Instant, mailbox: MailboxId) {
        let edge = self.end_session(mailbox, None);
        let tries = self.plans.get(mailbox).map_or(0, |plan| plan.tries);
        let has_new_tries = self.has_new_tries(mailbox);
        if tries >= self.policy.backoff.len() && !has_new_tries {
            return self.block(now, mailbox);
        }
        if let Some(plan) = self.plans.get_mut(mailbox) {
            plan.tries = if has_new_tries { 0 } else { tries + 1 };
            plan.shunned = edge;
        }
        self.plans.set_home(mailbox, None);
        self.plans.enter(mailbox, Phase::Ready);
    }

    /// When [`Machine::timeout`] has something to do.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let is_ready = !self.plans.ready().is_empty();
        let pace = self.pace.next().filter(|_| is_ready);
        let times = [self.plans.next_time(), self.edges.next_timeout(), pace];
        times.into_iter().flatten().min()
    }

    /// The next delivery to start, as far as edges and limits allow.
    pub(super) fn poll(&mut self) -> Option<Start> {
        let limit = self.window.min(self.policy.max_sessions);
        if self.plans.sessions() >= limit || self.pace.next().is_some() {
            return None;
        }
        let (mailbox, edge) = self.startable()?;
        let plan = self.plans.get_mut(mailbox)?;
        let (forced, due) = (plan.forced, plan.due.take());
        plan.look_again = None;
        plan.planned_by = Trigger::Deposited;
        plan.has_user_left = false;
        plan.is_resumed = false;
        self.pace.start();
        self.edges.job_begins(&edge);
        let phase = Phase::Starting { edge: edge.clone() };
        self.plans.enter(mailbox, phase);
        Some(Start {
            mailbox,
            edge,
            forced,
            due,
        })
    }

    fn startable(&self) -> Option<(MailboxId, EdgeName)> {
        // Whom it shuns is a matter of which edge, not of whether there is one.
        let has_room = |home: Option<&EdgeName>| self.edges.choose(home, None).is_some();
        let mailbox = self.plans.ready().first(has_room)?;
        let plan = self.plans.get(mailbox)?;
        let edge = self.edges.choose(plan.home(), plan.shunned.as_ref())?;
        Some((mailbox, edge))
    }

    // === questions ===

    fn phase(&self, mailbox: MailboxId) -> Option<&Phase> {
        self.plans.get(mailbox).map(|plan: &Plan| &plan.phase)
    }

    /// What is known of a mailbox.
    pub(super) fn plan(&self, mailbox: MailboxId) -> Option<(&Phase, usize)> {
        let plan = self.plans.get(mailbox)?;
        Some((&plan.phase, plan.tries))
    }

    /// Mailboxes that are being delivered, at most `limit`.
    pub(super) fn under_way(&self, limit: usize) -> Vec<PushUnderWay> {
        let all = self.plans.all();
        let under_way = all.filter_map(|(mailbox, plan)| {
            let (edge, generation) = match &plan.phase {
                Phase::Starting { edge } => (edge, None),
                Phase::Running {
                    edge, generation, ..
                } => (edge, Some(*generation)),
                _ => return None,
            };
            Some(PushUnderWay {
                mailbox,
                edge: EdgeName::clone(edge),
                generation,
            })
        });
        under_way.take(limit).collect()
    }

    fn is_session(&self, mailbox: MailboxId) -> bool {
        matches!(
            self.phase(mailbox),
            Some(Phase::Starting { .. } | Phase::Running { .. })
        )
    }

    /// Starting or running.
    pub(super) fn sessions(&self) -> usize {
        self.plans.sessions()
    }

    /// Waiting or ready.
    pub(super) fn planned(&self) -> usize {
        self.plans.planned()
    }

    /// The same without those that wait for the end of a suspension.
    pub(super) fn imminent(&self) -> usize {
        self.plans.planned() - self.plans.suspended()
    }
}
