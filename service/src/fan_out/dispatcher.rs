//! Hands legs to edges: whenever one may have become claimable and an edge has room for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use storage::Store;
use storage::model::{ClaimedLeg, JobClass, JobNumber, LegOutcome, LegToken, Owner};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::edges::{Capacity, Edges, Pace};

/// Legs of one claim.
const CLAIM: usize = 128;
/// Batches on their way to one edge: more than its capacity never are.
const QUEUE: usize = 256;
/// What the store could not do is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// The store is asked at least so often: an operator's sweep or another clock may have made a leg due.
const IDLE: Duration = Duration::from_secs(30);

/// What an edge is told.
#[derive(Debug)]
pub(super) enum Order {
    /// Send these.
    Legs(Vec<ClaimedLeg>),
    /// End these.
    Cancel(Vec<LegToken>),
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Dispatcher(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    wake: Notify,
    lease: Duration,
}

struct State {
    edges: Edges,
    queues: HashMap<String, mpsc::Sender<Order>>,
    pace: Pace,
}

/// When to look again.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    AtOnce,
    At(Instant),
}

impl Dispatcher {
    pub(crate) fn new(legs_per_second: u32, lease: Duration) -> Self {
        let now = Instant::now().into_std();
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                edges: Edges::default(),
                queues: HashMap::new(),
                pace: Pace::new(legs_per_second, now),
            }),
            wake: Notify::new(),
            lease,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.0.state.lock();
        state.unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lease(&self) -> Duration {
        self.0.lease
    }

    /// A leg may have become claimable.
    pub(crate) fn wake(&self) {
        self.0.wake.notify_one();
    }

    /// What an attached edge is told; `None` if one of that name is attached.
    pub(super) fn attach(&self, owner: &Owner) -> Option<mpsc::Receiver<Order>> {
        let mut state = self.lock();
        if !state.edges.attach(owner, Capacity::default()) {
            return None;
        }
        let (sender, orders) = mpsc::channel(QUEUE);
        state.queues.insert(owner.edge.clone(), sender);
        state.gauge();
        Some(orders)
    }

    pub(super) fn detach(&self, edge: &str) {
        let mut state = self.lock();
        state.edges.detach(edge);
        state.queues.remove(edge);
        state.gauge();
    }

    pub(super) fn resize(&self, edge: &str, capacity: Capacity) {
        self.lock().edges.resize(edge, capacity);
        self.wake();
    }

    /// The edge holds these, from before its stream broke perhaps.
    pub(super) fn held(&self, edge: &str, legs: impl IntoIterator<Item = (LegToken, JobClass)>) {
        self.lock().edges.hold(edge, legs);
    }

    /// The edge holds these no more: they are settled or lost.
    pub(super) fn gone(&self, edge: &str, legs: &[LegToken]) {
        let mut state = self.lock();
        state.edges.drop_legs(edge, legs);
        state.gauge();
        drop(state);
        self.wake();
    }

    /// Edges that hold legs of this job are told to end them.
    pub(crate) fn cancelled(&self, job: JobNumber) {
        let state = self.lock();
        for (edge, legs) in state.edges.legs_of(job) {
            if let Some(queue) = state.queues.get(&edge)
                && queue.try_send(Order::Cancel(legs)).is_err()
            {
                tracing::debug!(%edge, "an edge is too slow to be told of a cancelled job");
            }
        }
        drop(state);
        self.wake();
    }

    /// Hands out legs until the shutdown.
    pub(crate) async fn run<S: Store>(self, store: Arc<S>, shutdown: CancellationToken) {
        // What nobody has attached to yet is a zero, not a gap.
        self.lock().gauge();
        let working = async {
            loop {
                let until = match self.hand_out(&*store).await {
                    Next::AtOnce => continue,
                    Next::At(at) => at,
                };
                tokio::select! {
                    () = self.0.wake.notified() => {}
                    () = sleep_until(until) => {}
                }
            }
        };
        tokio::select! {
            () = working => {}
            () = shutdown.cancelled() => {}
        }
    }

    /// One claim of each class: neither keeps the other waiting.
    async fn hand_out<S: Store>(&self, store: &S) -> Next {
        let pager = self.hand_out_of(store, JobClass::Pager).await;
        let large = self.hand_out_of(store, JobClass::Large).await;
        pager.min(large)
    }

    /// One claim for one edge.
    async fn hand_out_of<S: Store>(&self, store: &S, class: JobClass) -> Next {
        let now = Instant::now();
        let idle = Next::At(now + IDLE);
        let (owner, wanted) = {
            let mut state = self.lock();
            let Some((owner, room)) = state.edges.roomiest(class) else {
                return idle;
            };
            match state.pace.allow(room.min(CLAIM), now.into_std()) {
                Ok(wanted) => (owner, wanted),
                Err(at) => return Next::At(at.into()),
            }
        };
        let claimed = store
            .claim_legs(owner.clone(), class, wanted, self.0.lease)
            .await;
        let batch = match claimed {
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(event = "fan_out.not_claimed", %error, "no legs claimed");
                return Next::At(now + RETRY);
            }
        };
        if !batch.legs.is_empty() {
            let count = u64::try_from(batch.legs.len()).unwrap_or(u64::MAX);
            metrics::counter!("restante_legs_claimed_total").increment(count);
            self.send(store, &owner, class, batch.legs).await;
        }
        match batch.again_in {
            Some(Duration::ZERO) => Next::AtOnce,
            Some(pause) => Next::At(now + pause.min(IDLE)),
            None => idle,
        }
    }

    /// Legs for an edge that is gone are given back at once.
    async fn send<S: Store>(
        &self,
        store: &S,
        owner: &Owner,
        class: JobClass,
        legs: Vec<ClaimedLeg>,
    ) {
        let tokens: Vec<_> = legs.iter().map(|leg| leg.token).collect();
        let refused = {
            let mut state = self.lock();
            state.pace.spend(legs.len());
            let held = tokens.iter().map(|token| (*token, class));
            state.edges.hold(&owner.edge, held);
            let queue = state.queues.get(&owner.edge);
            let sent = queue.map(|queue| queue.try_send(Order::Legs(legs)));
            let is_sent = matches!(sent, Some(Ok(())));
            if !is_sent {
                state.edges.drop_legs(&owner.edge, &tokens);
            }
            state.gauge();
            !is_sent
        };
        if refused {
            let returned = tokens.into_iter().map(|leg| (leg, LegOutcome::Returned));
            if let Err(error) = store.settle_legs(returned.collect()).await {
                tracing::warn!(event = "fan_out.not_returned", %error, "legs not given back, their leases will lapse");
            }
        }
    }
}

impl State {
    fn gauge(&self) {
        let number = |count| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        metrics::gauge!("restante_fan_out_edges_attached").set(number(self.edges.count()));
        metrics::gauge!("restante_legs_in_flight").set(number(self.edges.in_flight()));
    }
}
