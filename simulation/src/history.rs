//! One history: trouble, then peace, then the reckoning.

use std::time::Duration;

use tokio::runtime::Builder;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::client::Client;
use crate::clock;
use crate::edge_host::EdgeHost;
use crate::ledger::{Entry, Letter};
use crate::misfortune::Victims;
use crate::network::Switch;
use crate::plant::Plant;
use crate::sender::{self, Sender};
use crate::store_host::{Found, StoreHost};
use crate::world::World;
use storage::model::{Job, JobState, Leg, LegState, State};

/// How long the trouble lasts at least and at most.
const TROUBLE: (Duration, Duration) = (Duration::from_secs(20), Duration::from_secs(60));

/// In which time everything accepted has come to its user once all is mended: a lease, the longest pause of the
/// scheduler and a transaction that had begun before.
const SETTLING: Duration = Duration::from_secs(120);

/// In which time every copy of a message to many has its outcome once all is mended: a lease, and the pause before
/// another try of one that has failed as often as it can in the time of trouble.
const COPYING: Duration = Duration::from_secs(240);

/// How long a session waits for an answer that never comes (requirements §3.1); what it waits for may have expired.
const UNANSWERED: Duration = Duration::from_secs(31);

/// In which time a message comes to a user who is there, while nothing is broken (DLV-17): the pause before a push,
/// and what stands in line.
const PROMPT: Duration = Duration::from_secs(10);

/// Lifetimes that senders give to some of their messages: short enough for their end to be seen, with the minute
/// between two sweeps, within [`SETTLING`].
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));

/// What has left the store before its end may be on its way for so long: a transaction, and the patience for one.
const ON_ITS_WAY: Duration = Duration::from_secs(50);

/// Messages to each user in the time of peace.
const IN_PEACE: usize = 3;

/// How a history ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The promises that were broken.
    pub violations: Vec<String>,
    /// The same for two runs of one seed.
    pub hash: u64,
    /// All that happened.
    pub trace: Vec<String>,
    /// Messages that were accepted.
    pub accepted: usize,
}

/// Lives through the history of a seed. For a process of its own: see [`crate::runner`].
///
/// # Panics
/// If the runtime cannot be made, or the simulation itself is broken.
#[must_use]
pub fn run(seed: u64, plant: Option<Plant>) -> Report {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build();
    let world = World::new(seed, plant);
    let history = Box::pin(live(world.clone()));
    runtime.expect("a runtime").block_on(history);
    let (hash, trace) = {
        let trace = world.trace();
        (trace.hash(), trace.lines().to_vec())
    };
    let ledger = world.ledger();
    let accepted = ledger
        .entries()
        .filter(|(_, entry)| entry.accepted.is_some());
    Report {
        violations: world.violations(),
        hash,
        trace,
        accepted: accepted.count(),
    }
}

struct Cast {
    senders: Vec<Sender>,
    /// Where messages to many are accepted.
    focuses: Vec<EdgeHost>,
    victims: Victims,
}

impl Cast {
    async fn assemble(world: &World) -> Self {
        let switch = Switch::new(world.clone());
        let store = StoreHost::new(world.clone(), switch.clone());
        let edges = 2 + u8::try_from(world.pick(2)).unwrap_or_default();
        let edges: Vec<_> = (0..edges)
            .map(|place| EdgeHost::new(world.clone(), switch.clone(), place))
            .collect();
        for edge in &edges {
            edge.start().await;
        }
        let focuses: Vec<_> = (0..u8::try_from(world.pick(3)).unwrap_or_default())
            .map(|place| {
                let next_hop = &edges[world.pick(edges.len())];
                EdgeHost::controlling(world.clone(), switch.clone(), place, next_hop)
            })
            .collect();
        for focus in &focuses {
            focus.start().await;
        }
        let client = |user| Client::new(world.clone(), switch.clone(), user, edges.clone());
        let clients: Vec<_> = (0..1 + world.pick(3)).map(client).collect();
        for client in clients.iter().filter(|_| world.chance(70)) {
            client.come_back();
        }
        let senders = 1 + u8::try_from(world.pick(3)).unwrap_or_default();
        let sender = |place| {
            let around = (world.clone(), &switch);
            Sender::new(around, place, edges.clone(), store.clone())
        };
        Self {
            senders: (0..senders).map(sender).collect(),
            focuses: focuses.clone(),
            victims: Victims {
                world: world.clone(),
                switch,
                store,
                edges: [edges, focuses].concat(),
                clients,
            },
        }
    }
}

async fn live(world: World) {
    edge::take_time_from(clock::wall);
    world.note("the history begins");
    let cast = Cast::assemble(&world).await;
    sleep(world.millis(0, 2_000)).await;
    let letters = trouble(&world, &cast).await;
    cast.victims.mend().await;
    settle(&world, &cast, letters).await;
    if world.violations().is_empty() {
        sleep(UNANSWERED).await;
        peace(&world, &cast).await;
    }
    reckon(&world, &cast).await;
}

/// Messages are sent while things break. Returns those who are still at it.
async fn trouble(world: &World, cast: &Cast) -> JoinSet<()> {
    let mut writing = JoinSet::new();
    for sender in &cast.senders {
        let (sender, world, focuses) = (sender.clone(), world.clone(), cast.focuses.clone());
        let (users, letters) = (cast.victims.clients.len(), 3 + world.pick(8));
        writing.spawn(async move {
            let mut user = 0;
            for _ in 0..letters {
                // Often several to one user, one upon the other: a session has more than its window then.
                if !world.chance(40) {
                    user = world.pick(users);
                    sleep(world.between(Duration::ZERO, sender::PAUSE)).await;
                }
                if !focuses.is_empty() && world.chance(25) {
                    let focus = &focuses[world.pick(focuses.len())];
                    sender.send_to_many(focus, &some(&world, users)).await;
                } else {
                    let lifetime = world
                        .chance(20)
                        .then(|| world.between(LIFETIMES.0, LIFETIMES.1));
                    sender.send(user, lifetime).await;
                }
            }
        });
    }
    let trouble = world.between(TROUBLE.0, TROUBLE.1);
    // What it has broken when the time is over is mended by whoever goes on.
    let _ = timeout(trouble, cast.victims.clone().strike()).await;
    writing
}

/// Some of so many users, at least one.
fn some(world: &World, users: usize) -> Vec<usize> {
    let first = world.pick(users);
    let others = (0..users).filter(|user| *user != first && world.chance(60));
    [first].into_iter().chain(others).collect()
}

/// All senders come to their end, and all that was accepted comes to its user.
async fn settle(world: &World, cast: &Cast, mut letters: JoinSet<()>) {
    let written = async { while letters.join_next().await.is_some() {} };
    if timeout(SETTLING, written).await.is_err() {
        world.violated("messages are not accepted although nothing is broken");
    }
    for client in &cast.victims.clients {
        if timeout(SETTLING, client.register()).await.is_err() {
            world.violated("a REGISTER is not answered although nothing is broken");
        }
    }
    let copied = async {
        while !cast
            .victims
            .store
            .jobs()
            .await
            .iter()
            .all(|(job, _)| is_completed(job))
        {
            sleep(Duration::from_secs(1)).await;
        }
    };
    if timeout(COPYING, copied).await.is_err() {
        world.violated("CFP-18: a message to many is not copied to all although nothing is broken");
    }
    let settled = async {
        while !world.ledger().is_settled(clock::elapsed()) || !is_all_over(cast).await {
            sleep(Duration::from_millis(250)).await;
        }
    };
    if timeout(SETTLING, settled).await.is_err() {
        world
            .violated("P2: what was accepted does not come to its user, or is not settled, although nothing is broken");
    }
}

fn is_completed(job: &Job) -> bool {
    job.state == JobState::Completed
}

/// Whether every message on disk is settled.
async fn is_all_over(cast: &Cast) -> bool {
    let stored = cast.victims.store.messages().await;
    stored.iter().all(|message| sender::is_over(message.state))
}

/// Messages to users who are there, one upon the other, while nothing is broken: each comes promptly.
async fn peace(world: &World, cast: &Cast) {
    let mut sending = JoinSet::new();
    for user in 0..cast.victims.clients.len() {
        for _ in 0..IN_PEACE {
            let sender = cast.senders[world.pick(cast.senders.len())].clone();
            let (world, pause) = (world.clone(), world.millis(0, 15_000));
            sending.spawn(async move {
                sleep(pause).await;
                let letter = sender.send(user, None).await;
                if !comes_promptly(&world, letter).await {
                    world.violated(format!(
                        "DLV-17: message {letter} waits although its user is there"
                    ));
                }
            });
        }
    }
    while sending.join_next().await.is_some() {}
}

async fn comes_promptly(world: &World, letter: Letter) -> bool {
    let coming = async {
        while !world.ledger().is_seen(letter) {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PROMPT, coming).await.is_ok()
}

/// What is on disk in the end agrees with what senders were told and users have seen.
async fn reckon(world: &World, cast: &Cast) {
    // The last acknowledgements.
    sleep(Duration::from_secs(10)).await;
    let stored = cast.victims.store.messages().await;
    let mut wrong = failed(&cast.victims.store.jobs().await);
    let ledger = world.ledger();
    for (letter, entry) in ledger.entries() {
        let copies = stored
            .iter()
            .filter(|message| message.letter == Some(letter));
        let copies: Vec<_> = copies.collect();
        if copies.len() > 1 {
            wrong.push(format!(
                "P3: message {letter} is stored {} times",
                copies.len()
            ));
        }
        wrong.extend(of_its_lifetime(letter, entry, &copies));
        // One that has a lifetime may have ended before it could come, but not as delivered.
        let may_be_unseen =
            entry.lifetime.is_some() && copies.iter().all(|copy| copy.state != State::Delivered);
        if entry.accepted.is_some() && entry.seen.is_none() && !may_be_unseen {
            wrong.push(format!(
                "P2: message {letter} was accepted and never came: {copies:?}"
            ));
        }
        if entry.accepted.is_some() && copies.is_empty() {
            wrong.push(format!("P2: message {letter} was accepted and is gone"));
        }
        let is_open = copies.iter().any(|copy| !sender::is_over(copy.state));
        if entry.seen.is_some() && is_open {
            wrong.push(format!(
                "P4: message {letter} came and is not settled: {copies:?}"
            ));
        }
    }
    drop(ledger);
    for wrong in wrong {
        world.violated(wrong);
    }
}

/// Messages end when their lifetime is over, by a clock that may be wrong, and do not come when it is long over
/// (requirements §3.2).
fn of_its_lifetime(letter: Letter, entry: &Entry, copies: &[&Found]) -> Vec<String> {
    let mut wrong = Vec::new();
    let Some(lifetime) = entry.lifetime else {
        let expired = copies.iter().any(|copy| copy.state == State::Expired);
        return expired
            .then(|| format!("P2: message {letter} has no end and has expired"))
            .into_iter()
            .collect();
    };
    for copy in copies {
        let (life, end, settled) = (copy.life, copy.end, copy.settled);
        // Its sender says it in seconds.
        if life.as_secs() != lifetime.as_secs() {
            wrong.push(format!(
                "P2: message {letter}, which is to live for {lifetime:?}, is given {life:?}"
            ));
        }
        if copy.state == State::Expired && settled < end {
            wrong.push(format!(
                "P2: message {letter}, which is to end at {end:?}, has expired at {settled:?}"
            ));
        }
    }
    let late = entry
        .accepted
        .map(|accepted| accepted + lifetime + ON_ITS_WAY);
    if let (Some(late), Some(seen)) = (late, entry.seen)
        && seen > late
    {
        wrong.push(format!(
            "PFM-07: message {letter} came at {seen:?}, long after its end"
        ));
    }
    wrong
}

/// Copies that were given up: nobody here refuses any for good.
fn failed(jobs: &[(Job, Vec<Leg>)]) -> Vec<String> {
    let legs = jobs
        .iter()
        .flat_map(|(job, legs)| legs.iter().map(move |leg| (job.number, leg)));
    let failed = legs.filter(|(_, leg)| leg.state != LegState::Delivered);
    let wrong = failed.map(|(job, leg)| {
        let (target, state, status) = (&leg.target, leg.state, leg.status);
        format!(
            "CFP-18: the copy of {job:?} for {target:?} is {state:?}: {status} {}",
            leg.reason
        )
    });
    wrong.collect()
}
