//! Random histories over a model of the store and its edges.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

const EDGES: [&str; 2] = ["a", "b"];

#[derive(Clone, Debug)]
enum Step {
    Registered(u64),
    Deposited(u64),
    Ordered(u64),
    /// The oldest unanswered start gets its answer.
    Answer(Answer),
    /// The job of this mailbox ends.
    Release(u64, Ending),
    Attach(usize, usize),
    Stop(usize),
    /// Edges that are attached renew; then time passes.
    Pass(u64),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Granted,
    Nothing,
    Busy,
    Failed,
    EdgeGone,
}

fn mailbox() -> impl Strategy<Value = u64> {
    1_u64..6
}

/// With `faults`, everything may go wrong; without, deliveries merely end.
fn step(faults: bool) -> BoxedStrategy<Step> {
    let mut endings = vec![Ending::Completed, Ending::HopDown, Ending::Interrupted];
    let mut answers = vec![
        Answer::Granted,
        Answer::Granted,
        Answer::Busy,
        Answer::Failed,
    ];
    if faults {
        endings.extend([
            Ending::Unavailable,
            Ending::Busy,
            Ending::Rejected,
            Ending::Broken,
            Ending::EdgeDraining,
        ]);
        answers.extend([Answer::Nothing, Answer::EdgeGone]);
    }
    let ending = proptest::sample::select(endings);
    let answer = proptest::sample::select(answers);
    let common = prop_oneof![
        mailbox().prop_map(Step::Registered),
        mailbox().prop_map(Step::Deposited),
        mailbox().prop_map(Step::Ordered),
        answer.prop_map(Step::Answer),
        (mailbox(), ending).prop_map(|(mailbox, ending)| Step::Release(mailbox, ending)),
        (0_u64..20_000).prop_map(Step::Pass),
        (0..EDGES.len(), 1_usize..4).prop_map(|(edge, room)| Step::Attach(edge, room)),
    ];
    match faults {
        false => common.boxed(),
        true => prop_oneof![8 => common, 1 => (0..EDGES.len()).prop_map(Step::Stop)].boxed(),
    }
}

/// What the world around the machine knows.
struct World {
    scene: Scene,
    attached: BTreeSet<EdgeName>,
    /// Started, not answered.
    starting: Vec<Start>,
    /// Running jobs with the ends of their leases as the store has them.
    running: BTreeMap<MailboxId, (Generation, EdgeName, Instant)>,
    /// Triggered since their last start.
    triggered: BTreeSet<MailboxId>,
    counts_deposits: bool,
}

impl World {
    fn new(counts_deposits: bool) -> Self {
        Self {
            scene: Scene::new(policy()),
            attached: BTreeSet::new(),
            starting: Vec::new(),
            running: BTreeMap::new(),
            triggered: BTreeSet::new(),
            counts_deposits,
        }
    }

    fn step(&mut self, step: Step) {
        let now = self.scene.now;
        match step {
            Step::Registered(mailbox) => {
                self.triggered.insert(MailboxId(mailbox));
                self.scene.machine.registered(now, MailboxId(mailbox), true);
            }
            Step::Ordered(mailbox) => {
                self.triggered.insert(MailboxId(mailbox));
                self.scene.machine.ordered(now, MailboxId(mailbox), false);
            }
            Step::Deposited(mailbox) => {
                if self.counts_deposits {
                    self.triggered.insert(MailboxId(mailbox));
                }
                self.scene.machine.deposited(now, MailboxId(mailbox));
            }
            Step::Answer(answer) => self.answer(answer),
            Step::Release(mailbox, ending) => self.release(MailboxId(mailbox), ending),
            Step::Attach(which, room) => {
                self.attached.insert(edge(EDGES[which]));
                self.scene.machine.edge_attached(edge(EDGES[which]), room);
            }
            Step::Stop(which) => {
                self.attached.remove(&edge(EDGES[which]));
                self.scene.machine.edge_stopped(&edge(EDGES[which]));
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(millis)),
        }
        self.poll();
    }

    fn poll(&mut self) {
        while let Some(start) = self.scene.machine.poll() {
            let is_starting = self.starting.iter().any(|s| s.mailbox == start.mailbox);
            assert!(!is_starting, "{start:?} twice");
            if let Some((.., lease_until)) = self.running.remove(&start.mailbox) {
                assert!(
                    lease_until <= self.scene.now,
                    "{start:?} while a claim is alive"
                );
            }
            assert!(self.attached.contains(&start.edge), "{start:?} for nobody");
            self.triggered.remove(&start.mailbox);
            self.starting.push(start);
        }
    }

    fn answer(&mut self, answer: Answer) {
        if self.starting.is_empty() {
            return;
        }
        let start = self.starting.remove(0);
        let now = self.scene.now;
        let started = match answer {
            Answer::Granted => {
                let generation = self.scene.grant(start.mailbox);
                let lease_until = now + policy().lease;
                let job = (generation, start.edge, lease_until);
                self.running.insert(start.mailbox, job);
                return;
            }
            Answer::Nothing => Started::Nothing,
            Answer::Busy => Started::Busy,
            Answer::Failed => Started::Failed,
            Answer::EdgeGone => Started::EdgeGone,
        };
        self.scene.machine.started(now, start.mailbox, started);
    }

    fn release(&mut self, mailbox: MailboxId, ending: Ending) {
        if let Some((generation, edge, lease_until)) = self.running.remove(&mailbox) {
            // A release that comes after its claim ran out tells nothing of the edge.
            if ending == Ending::EdgeDraining && lease_until > self.scene.now {
                self.attached.remove(&edge);
            }
            self.scene.release(mailbox, generation, ending);
        }
    }

    fn pass(&mut self, time: Duration) {
        let now = self.scene.now;
        for (mailbox, (generation, edge, lease_until)) in &mut self.running {
            if self.attached.contains(edge) && *lease_until > now {
                *lease_until = now + policy().lease;
                self.scene.machine.renewed(now, *mailbox, *generation, edge);
            }
        }
        self.scene.pass(time);
    }

    /// From here on all goes well: every trigger must lead to a start.
    fn settle(&mut self) {
        self.step(Step::Attach(0, 100));
        for _ in 0..200 {
            while !self.starting.is_empty() {
                self.answer(Answer::Granted);
            }
            let running: Vec<_> = self.running.keys().copied().collect();
            for mailbox in running {
                self.release(mailbox, Ending::Completed);
            }
            if let Some(next) = self.scene.machine.next_timeout() {
                self.scene
                    .pass(next.saturating_duration_since(self.scene.now));
            }
            self.poll();
        }
        assert_eq!(self.triggered, BTreeSet::new(), "lost wake-ups");
        assert_eq!(
            self.scene.machine.sessions(),
            self.starting.len() + self.running.len()
        );
    }
}

proptest! {
    /// Single flight, and no registration or order without a push after it, whatever goes wrong.
    #[test]
    fn registrations_and_orders_lead_to_one_job_each(
        steps in prop::collection::vec(step(true), 0..150),
    ) {
        let mut world = World::new(false);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
    }

    /// The same for deposits, as long as users do not refuse and edges stay.
    #[test]
    fn deposits_lead_to_a_job_too(steps in prop::collection::vec(step(false), 0..150)) {
        let mut world = World::new(true);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
    }
}
