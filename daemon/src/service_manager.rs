//! What a service manager is told by the protocol of `sd_notify(3)`, as units with `Type=notify` want it: that the process
//! is ready, how it is, that it lives, and that it ends.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::readiness::{Follower, Readiness};

/// Whom the manager wants to be told: a socket.
const SOCKET_VARIABLE: &str = "NOTIFY_SOCKET";

/// Tells the manager until it is stopped. Dropping it leaves the telling to go on.
#[derive(Debug)]
pub struct ServiceManager {
    ended: CancellationToken,
    telling: JoinHandle<()>,
}

impl ServiceManager {
    /// Begins to tell, if there is a manager: `READY=1` when the process is ready for the first time, `STATUS` with the
    /// worst condition and its changes, `WATCHDOG=1` twice as often as asked for, which says that the runtime is not
    /// stuck, and once `shutdown` is cancelled `STOPPING=1`, with the time `grace` that the drain may take.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn follow(
        readiness: &Readiness,
        shutdown: &CancellationToken,
        grace: Duration,
    ) -> Option<Self> {
        std::env::var_os(SOCKET_VARIABLE)?;
        let ended = CancellationToken::new();
        let life = Life {
            shutdown: shutdown.clone(),
            ended: ended.clone(),
        };
        Some(Self {
            ended,
            telling: tokio::spawn(tell_all(readiness.follow(), life, grace)),
        })
    }

    /// Ends the telling, after `STOPPING=1`.
    pub async fn stop(self) {
        self.ended.cancel();
        // A panic in it has been reported, and is no reason to end in another way.
        let _ = self.telling.await;
    }
}

/// Steps in the life of a process; each token is cancelled when it is taken.
struct Life {
    shutdown: CancellationToken,
    ended: CancellationToken,
}

async fn tell_all(mut follower: Follower, life: Life, grace: Duration) {
    let mut snapshot = follower.snapshot();
    let mut watchdog = sd_notify::watchdog_enabled().map(beat);
    let mut is_told_ready = false;
    while !life.shutdown.is_cancelled() {
        let mut message = vec![Message::Status(snapshot.worst().to_string())];
        if !is_told_ready && snapshot.is_ready() {
            is_told_ready = true;
            message.push(Message::Ready);
        }
        tell(message).await;
        snapshot = loop {
            tokio::select! {
                () = life.shutdown.cancelled() => break snapshot,
                () = life.ended.cancelled() => return tell(stopping(grace)).await,
                Some(changed) = follower.changed() => break changed,
                () = next(&mut watchdog) => tell(vec![Message::Watchdog]).await,
            }
        };
    }
    tell(stopping(grace)).await;
    loop {
        tokio::select! {
            () = life.ended.cancelled() => return,
            () = next(&mut watchdog) => tell(vec![Message::Watchdog]).await,
        }
    }
}

fn stopping(grace: Duration) -> Vec<Message> {
    vec![
        Message::Stopping,
        Message::ExtendTimeout(grace),
        Message::Status("draining".to_owned()),
    ]
}

/// A beat for a manager that waits so long for one.
fn beat(limit: Duration) -> Interval {
    let mut beat = interval((limit / 2).max(Duration::from_millis(1)));
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beat
}

/// The next beat; never, if none is asked for.
async fn next(beat: &mut Option<Interval>) {
    match beat {
        Some(beat) => {
            beat.tick().await;
        }
        None => std::future::pending().await,
    }
}

/// One assignment of a notification.
#[derive(Debug)]
enum Message {
    Ready,
    Status(String),
    Watchdog,
    Stopping,
    ExtendTimeout(Duration),
}

impl Message {
    fn state(&self) -> NotifyState<'_> {
        match self {
            Self::Ready => NotifyState::Ready,
            Self::Status(text) => NotifyState::Status(text),
            Self::Watchdog => NotifyState::Watchdog,
            Self::Stopping => NotifyState::Stopping,
            Self::ExtendTimeout(time) => {
                NotifyState::ExtendTimeoutUsec(time.as_micros().try_into().unwrap_or(u32::MAX))
            }
        }
    }
}

/// One notification. A manager that reads none makes its sender wait, which is not to be a worker of the runtime.
async fn tell(message: Vec<Message>) {
    let sending = tokio::task::spawn_blocking(move || {
        let states: Vec<_> = message.iter().map(Message::state).collect();
        sd_notify::notify(&states)
    });
    if let Ok(Err(error)) = sending.await {
        tracing::warn!(event = "process.manager_not_told", %error, "the service manager cannot be told");
    }
}
