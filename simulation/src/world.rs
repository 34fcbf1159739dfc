//! What all of a history share: chance, the record of what happened, and what was promised.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::clock;
use crate::ledger::Ledger;
use crate::plant::Plant;
use crate::trace::Trace;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct World(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rng: Mutex<StdRng>,
    trace: Mutex<Trace>,
    ledger: Mutex<Ledger>,
    violations: Mutex<Vec<String>>,
    plant: Option<Plant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// The world that follows from a seed.
    #[must_use]
    pub fn new(seed: u64, plant: Option<Plant>) -> Self {
        Self(Arc::new(Shared {
            rng: Mutex::new(StdRng::seed_from_u64(seed)),
            trace: Mutex::default(),
            ledger: Mutex::default(),
            violations: Mutex::default(),
            plant,
        }))
    }

    /// Whether this bug is planted.
    #[must_use]
    pub fn has(&self, plant: Plant) -> bool {
        self.0.plant == Some(plant)
    }

    /// True in so many of a hundred cases.
    pub fn chance(&self, percent: u32) -> bool {
        lock(&self.0.rng).random_range(0..100) < percent
    }

    /// A number of `0..bound`.
    pub fn pick(&self, bound: usize) -> usize {
        lock(&self.0.rng).random_range(0..bound)
    }

    /// A time between these two.
    pub fn between(&self, shortest: Duration, longest: Duration) -> Duration {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let chosen = lock(&self.0.rng).random_range(micros(shortest)..=micros(longest));
        Duration::from_micros(chosen)
    }

    /// As [`World::between`], in milliseconds.
    pub fn millis(&self, shortest: u64, longest: u64) -> Duration {
        self.between(
            Duration::from_millis(shortest),
            Duration::from_millis(longest),
        )
    }

    /// Octets nobody can guess but by the seed.
    pub fn secret(&self) -> [u8; 32] {
        lock(&self.0.rng).random()
    }

    /// Notes what happens.
    pub fn note(&self, event: impl AsRef<str>) {
        lock(&self.0.trace).add(clock::elapsed(), event.as_ref());
    }

    /// Notes that a promise is broken.
    pub fn violated(&self, promise: impl Into<String>) {
        let promise = promise.into();
        self.note(format!("VIOLATED: {promise}"));
        lock(&self.0.violations).push(promise);
    }

    /// What was promised to whom.
    pub fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.0.ledger)
    }

    /// What happened.
    pub fn trace(&self) -> MutexGuard<'_, Trace> {
        lock(&self.0.trace)
    }

    /// The promises broken so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        lock(&self.0.violations).clone()
    }
}
