//! Whether the process may be given work: named conditions, of which the worst counts.
//!
//! Ready is not alive: a process that is not ready waits for something and must not be killed for it.
//! A process begins not ready, and a condition begins as "starting" until its owner says otherwise.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tokio::sync::watch;

/// What a condition says. The order is from good to bad.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// As it should be.
    Ready,
    /// Serving, but the operator should know, as with `insecure = true`.
    Warning(Cow<'static, str>),
    /// Not to be given work, and why.
    NotReady(Cow<'static, str>),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("ready"),
            Self::Warning(reason) => write!(f, "ready, warning: {reason}"),
            Self::NotReady(reason) => write!(f, "not ready: {reason}"),
        }
    }
}

/// The conditions of a process, or of one part of it; clones share them.
#[derive(Debug, Clone)]
pub struct Readiness {
    conditions: Arc<watch::Sender<BTreeMap<String, State>>>,
    scope: String,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// No conditions yet, which counts as not ready.
    pub fn new() -> Self {
        Self {
            conditions: Arc::new(watch::Sender::default()),
            scope: String::new(),
        }
    }

    /// The part of the conditions whose names begin with `name/`: one of the processes that
    /// `restante all` runs in one. Its own worst is that of the part; the whole sees it too.
    pub fn scope(&self, name: &str) -> Self {
        let scope = format!("{}{name}/", self.scope);
        Self {
            conditions: Arc::clone(&self.conditions),
            scope,
        }
    }

    /// Adds a condition, or begins an old one of this name anew; it is not ready until told.
    pub fn condition(&self, name: &str) -> Condition {
        let condition = Condition {
            readiness: self.clone(),
            name: format!("{}{name}", self.scope),
        };
        condition.not_ready("starting");
        condition
    }

    /// The conditions as they are now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.conditions.borrow(), &self.scope)
    }

    /// Follows the conditions; the present ones count as seen.
    pub fn follow(&self) -> Follower {
        Follower {
            receiver: self.conditions.subscribe(),
            scope: self.scope.clone(),
        }
    }

    fn set(&self, name: &str, state: State) {
        self.conditions.send_if_modified(|conditions| {
            let changed = conditions.get(name) != Some(&state);
            if changed {
                tracing::info!(event = "readiness.changed", condition = name, %state, "readiness changed");
                conditions.insert(name.to_owned(), state);
            }
            changed
        });
    }
}

/// One condition, to be told by whoever knows.
#[derive(Debug, Clone)]
pub struct Condition {
    readiness: Readiness,
    name: String,
}

impl Condition {
    /// All is well.
    pub fn ready(&self) {
        self.readiness.set(&self.name, State::Ready);
    }

    /// Serving, with something the operator should know.
    pub fn warning(&self, reason: impl Into<Cow<'static, str>>) {
        self.readiness
            .set(&self.name, State::Warning(reason.into()));
    }

    /// Not to be given work, and why.
    pub fn not_ready(&self, reason: impl Into<Cow<'static, str>>) {
        self.readiness
            .set(&self.name, State::NotReady(reason.into()));
    }
}

/// Conditions at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    conditions: BTreeMap<String, State>,
}

impl Snapshot {
    fn of(conditions: &BTreeMap<String, State>, scope: &str) -> Self {
        let ours = conditions.iter().filter_map(|(name, state)| {
            Some((name.strip_prefix(scope)?.to_owned(), state.clone()))
        });
        Self {
            conditions: ours.collect(),
        }
    }

    /// The worst condition; without any, not ready.
    pub fn worst(&self) -> State {
        let worst = self.conditions.values().max().cloned();
        worst.unwrap_or(State::NotReady(Cow::Borrowed("starting")))
    }

    /// Whether work may be given: nothing is worse than a warning.
    pub fn is_ready(&self) -> bool {
        !matches!(self.worst(), State::NotReady(_))
    }
}

/// One line per condition, in the order of their names.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.conditions.is_empty() {
            return writeln!(f, "{}", self.worst());
        }
        self.conditions
            .iter()
            .try_for_each(|(name, state)| writeln!(f, "{name}: {state}"))
    }
}

/// Sees every change, though several at once may be seen as one.
#[derive(Debug, Clone)]
pub struct Follower {
    receiver: watch::Receiver<BTreeMap<String, State>>,
    scope: String,
}

impl Follower {
    /// The conditions as they are now, which count as seen.
    pub fn snapshot(&mut self) -> Snapshot {
        Snapshot::of(&self.receiver.borrow_and_update(), &self.scope)
    }

    /// Waits for a change that was not seen yet. `None` when everyone who could make one is gone.
    pub async fn changed(&mut self) -> Option<Snapshot> {
        self.receiver.changed().await.ok()?;
        Some(self.snapshot())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_known_is_not_ready() {
        let readiness = Readiness::new();
        assert!(!readiness.snapshot().is_ready());
        assert_eq!(readiness.snapshot().to_string(), "not ready: starting\n");
    }

    #[test]
    fn the_worst_condition_counts() {
        let readiness = Readiness::new();
        let (store, listeners) = (
            readiness.condition("store"),
            readiness.condition("listeners"),
        );
        let worst = || {
            (
                readiness.snapshot().worst(),
                readiness.snapshot().is_ready(),
            )
        };
        assert_eq!(worst(), (State::NotReady("starting".into()), false));
        store.ready();
        assert!(!worst().1);
        listeners.warning("insecure");
        assert_eq!(worst(), (State::Warning("insecure".into()), true));
        listeners.ready();
        assert_eq!(worst(), (State::Ready, true));
        store.not_ready("disk full");
        assert_eq!(worst(), (State::NotReady("disk full".into()), false));
    }

    #[test]
    fn a_part_has_its_own_worst_and_the_whole_sees_it() {
        let whole = Readiness::new();
        let (storage, edge) = (whole.scope("storage"), whole.scope("sip-edge"));
        storage.condition("disk").ready();
        edge.condition("storage").not_ready("no connection");
        assert!(storage.snapshot().is_ready());
        assert!(!edge.snapshot().is_ready() && !whole.snapshot().is_ready());
        let expected = "sip-edge/storage: not ready: no connection\nstorage/disk: ready\n";
        assert_eq!(whole.snapshot().to_string(), expected);
        assert_eq!(
            edge.snapshot().to_string(),
            "storage: not ready: no connection\n"
        );
    }

    #[tokio::test]
    async fn followers_see_changes_and_nothing_else() {
        let readiness = Readiness::new();
        let store = readiness.condition("store");
        let mut follower = readiness.follow();
        store.not_ready("starting");
        assert!(!follower.receiver.has_changed().expect("open"));
        store.ready();
        assert!(follower.changed().await.expect("open").is_ready());
        drop((readiness, store));
        assert_eq!(follower.changed().await, None);
    }
}
