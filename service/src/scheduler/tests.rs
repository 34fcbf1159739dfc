//! The machine under its rules, one by one and in random histories.

mod histories;
mod rules;

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use storage::model::{Generation, MailboxId};

use crate::config::DeliveryMode;

use super::edges::EdgeName;
use super::machine::{Machine, Start, Started};
use super::policy::{Ending, Outcome, Policy};

const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Policy {
    Policy {
        delay: SECOND,
        on_deposit: Some(5 * SECOND),
        lease: 60 * SECOND,
        max_sessions: 100,
        backoff: vec![30 * SECOND, 120 * SECOND, 600 * SECOND],
        hop_pause: 10 * SECOND,
        rate: 0,
        restart_rate: 100,
        mode: DeliveryMode::Auto,
        by_device: false,
    }
}

fn edge(name: &str) -> EdgeName {
    EdgeName::from(name)
}

fn outcome(ending: Ending) -> Outcome {
    Outcome {
        ending,
        reason: String::new(),
        retry_after: None,
    }
}

/// A machine with its time.
struct Scene {
    machine: Machine<StdRng>,
    now: Instant,
    generation: u64,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        let now = Instant::now();
        Self {
            machine: Machine::new(now, policy, StdRng::seed_from_u64(7)),
            now,
            generation: 0,
        }
    }

    /// A scene with one edge.
    fn with_edge() -> Self {
        let mut scene = Self::new(policy());
        scene.machine.edge_attached(edge("a"), 100);
        scene
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.machine.timeout(self.now);
    }

    /// The next start, which must be of this mailbox.
    fn start_of(&mut self, mailbox: MailboxId) -> Start {
        let start = self.machine.poll().expect("a start");
        assert_eq!(start.mailbox, mailbox);
        start
    }

    /// Lets the store grant the claim.
    fn grant(&mut self, mailbox: MailboxId) -> Generation {
        self.generation += 1;
        let generation = Generation(self.generation);
        let started = Started::Running(generation);
        self.machine.started(self.now, mailbox, started);
        generation
    }

    fn run(&mut self, mailbox: MailboxId) -> Generation {
        self.start_of(mailbox);
        self.grant(mailbox)
    }

    fn release(&mut self, mailbox: MailboxId, generation: Generation, ending: Ending) {
        self.machine
            .released(self.now, mailbox, generation, Some(&outcome(ending)));
    }
}
