//! The tasks of a process: served until shutdown, then given a time to finish.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::exit::{Code, Fatal};

/// The name of a task in logs.
type Name = Cow<'static, str>;

/// Named tasks that run as long as the process. Dropping them ends them.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<Result<(), Fatal>>,
    names: HashMap<Id, Name>,
}

/// How a drain went.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it says whether anything was left"]
pub struct Drained {
    /// Tasks that had not finished in time and were ended.
    pub left: Vec<Name>,
    /// The first failure while draining.
    pub failure: Option<Fatal>,
}

impl Tasks {
    /// No tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task. It should finish its work and return once the shutdown token is cancelled.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn<F>(&mut self, name: impl Into<Name>, task: F)
    where
        F: Future<Output = Result<(), Fatal>> + Send + 'static,
    {
        let handle = self.set.spawn(task);
        self.names.insert(handle.id(), name.into());
    }

    /// Waits for the shutdown, or until no task is left.
    ///
    /// # Errors
    /// With the first failure of a task; a panic is [`Code::Bug`]. The other tasks go on.
    pub async fn supervise(&mut self, shutdown: &CancellationToken) -> Result<(), Fatal> {
        loop {
            let ended = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                ended = self.set.join_next_with_id() => ended,
            };
            match ended {
                Some(ended) => self.outcome(ended)?,
                None => return Ok(()),
            }
        }
    }

    /// Waits until all tasks have finished, at most for `grace`; then ends those that are left
    /// and logs their names.
    pub async fn drain(mut self, grace: Duration) -> Drained {
        let deadline = Instant::now() + grace;
        let mut failure = None;
        while let Ok(Some(ended)) = timeout_at(deadline, self.set.join_next_with_id()).await {
            if let Err(fatal) = self.outcome(ended) {
                failure.get_or_insert(fatal);
            }
        }
        let mut left: Vec<_> = self.names.into_values().collect();
        left.sort();
        for task in &left {
            tracing::warn!(event = "process.task_left", %task, grace_ms = grace.as_millis(), "task did not finish in time");
        }
        self.set.shutdown().await;
        Drained { left, failure }
    }

    fn outcome(&mut self, ended: Result<(Id, Result<(), Fatal>), JoinError>) -> Result<(), Fatal> {
        match ended {
            Ok((id, outcome)) => {
                let task = self.names.remove(&id).unwrap_or_default();
                tracing::debug!(%task, "task finished");
                outcome
            }
            Err(error) => {
                let task = self.names.remove(&error.id()).unwrap_or_default();
                let end = if error.is_panic() {
                    "panicked"
                } else {
                    "was cancelled"
                };
                Err(Fatal::new(
                    Code::Bug,
                    format!("the task `{task}` {end}; please report this"),
                ))
            }
        }
    }
}

/// Waits until the many short tasks of `tracker` have finished, at most until `deadline`. Returns and
/// logs how many were left; they go on. `what` names them, as in `transactions`.
pub async fn settle(tracker: &TaskTracker, what: &'static str, deadline: Instant) -> usize {
    tracker.close();
    if timeout_at(deadline, tracker.wait()).await.is_ok() {
        return 0;
    }
    let left = tracker.len();
    tracing::warn!(
        event = "process.work_left",
        what,
        left,
        "not finished in time"
    );
    left
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    const GRACE: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn drain_waits_for_tasks_that_finish_in_time() {
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::new();
        let seen = shutdown.clone();
        tasks.spawn("slow", async move {
            seen.cancelled().await;
            tokio::time::sleep(GRACE / 2).await;
            Ok(())
        });
        shutdown.cancel();
        assert_eq!(tasks.supervise(&shutdown).await, Ok(()));
        let started = Instant::now();
        assert_eq!(
            tasks.drain(GRACE).await,
            Drained {
                left: Vec::new(),
                failure: None
            }
        );
        assert_eq!(started.elapsed().as_secs(), GRACE.as_secs() / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn drain_names_and_ends_what_is_left() {
        let dropped = CancellationToken::new();
        let guard = dropped.clone().drop_guard();
        let mut tasks = Tasks::new();
        tasks.spawn("stuck", async move {
            let _guard = guard;
            pending().await
        });
        tasks.spawn("quick", async { Ok(()) });
        assert_eq!(tasks.drain(GRACE).await.left, ["stuck"]);
        assert!(dropped.is_cancelled());
    }

    #[tokio::test]
    async fn the_first_failure_ends_the_supervision() {
        let mut tasks = Tasks::new();
        let failure = Fatal::new(Code::Io, "the disk fails");
        let told = failure.clone();
        tasks.spawn("storage", async move { Err(told) });
        tasks.spawn("edge", pending());
        assert_eq!(
            tasks.supervise(&CancellationToken::new()).await,
            Err(failure)
        );
        assert_eq!(tasks.drain(Duration::ZERO).await.left, ["edge"]);
    }

    #[tokio::test]
    async fn a_panic_is_a_bug_with_the_name_of_the_task() {
        let mut tasks = Tasks::new();
        tasks.spawn("sweeper", async { panic!("as meant") });
        let fatal = tasks
            .supervise(&CancellationToken::new())
            .await
            .expect_err("panicked");
        assert_eq!(fatal.code, Code::Bug);
        assert!(fatal.sentence.contains("`sweeper` panicked"), "{fatal}");
    }

    #[tokio::test]
    async fn supervision_ends_when_no_task_is_left() {
        let mut tasks = Tasks::new();
        tasks.spawn("once", async { Ok(()) });
        assert_eq!(tasks.supervise(&CancellationToken::new()).await, Ok(()));
    }

    #[tokio::test(start_paused = true)]
    async fn settle_counts_what_is_left() {
        let tracker = TaskTracker::new();
        tracker.spawn(pending::<()>());
        tracker.spawn(async {});
        let deadline = Instant::now() + GRACE;
        assert_eq!(settle(&tracker, "transactions", deadline).await, 1);
        assert_eq!(settle(&tracker, "transactions", deadline).await, 1);
        assert_eq!(Instant::now(), deadline, "both in the same time");
        let nothing = TaskTracker::new();
        assert_eq!(settle(&nothing, "transactions", deadline).await, 0);
    }
}
