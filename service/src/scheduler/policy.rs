//! What follows from how a delivery ended (requirements §3.5).

use std::time::Duration;

use crate::config::DeliveryMode;

/// After this a hop that is said to be down is tried again through an edge, which knows better: one
/// user's answer must not stop everybody's deliveries for as long as it likes.
pub(super) const LONGEST_HOP_PAUSE: Duration = Duration::from_secs(60);

/// The shortest wait that a client gets by its Retry-After.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// How a delivery ended, as the edge says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    /// For the timeline, such as `INVITE 480`; empty if all went well.
    pub(crate) reason: String,
    /// The peer's Retry-After.
    pub(crate) retry_after: Option<Duration>,
}

/// The rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// All that was there has been offered.
    Completed,
    /// 408, 480, 487, other 5xx, timeouts.
    Unavailable,
    /// 486, 600, 603.
    Busy,
    /// 488, 606, 415.
    Unsupported,
    /// 403, 404, 410, 604, 482.
    Rejected,
    /// The session broke after it was set up.
    Broken,
    /// The next hop is down or answered 503.
    HopDown,
    /// The client ended the session early, or its user has de-registered.
    EndedByClient,
    /// The edge wants no more jobs.
    EdgeDraining,
    /// The edge lost the claim or the store: nothing that the client did.
    Interrupted,
}

/// What happens to the mailbox next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing until the next trigger.
    Done,
    /// Another try of this registration, so much later.
    Retry(Duration),
    /// Nothing until the next registration or order.
    UntilRegistered,
    /// Again at once, by another edge; no try is spent.
    Elsewhere,
    /// Again after so long; no try is spent.
    Again(Duration),
    /// Again when the next hop may be used again; no try is spent.
    PauseHop(Duration),
}

/// The times and bounds of the scheduler.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// From a registration to its push.
    pub(crate) delay: Duration,
    /// From a deposit for a registered user to its push; `None`: such a deposit waits for the next
    /// registration (DLV-17).
    pub(crate) on_deposit: Option<Duration>,
    /// Life of a claim without renewal.
    pub(crate) lease: Duration,
    /// Push sessions at a time, over all edges.
    pub(crate) max_sessions: usize,
    /// Deliveries that begin per second, over all edges; 0: no bound.
    pub(crate) rate: u32,
    /// Pauses before further tries within one registration.
    pub(crate) backoff: Vec<Duration>,
    /// How long a next hop rests that gave no Retry-After.
    pub(crate) hop_pause: Duration,
    /// Mailboxes planned per second after a restart.
    pub(crate) restart_rate: u32,
    /// By what is delivered, and so to whom.
    pub(crate) mode: DeliveryMode,
    /// Each device gets each message.
    pub(crate) by_device: bool,
}

impl Policy {
    /// With what of `wanted` may take effect while the process runs.
    pub(super) fn changed_to(&self, wanted: Self) -> Self {
        let Self {
            lease,
            restart_rate,
            mode,
            by_device,
            ..
        } = *self;
        Self {
            lease,
            restart_rate,
            mode,
            by_device,
            ..wanted
        }
    }

    /// The verdict after `tries` failed tries of this registration, not counting this one.
    pub(super) fn verdict(
        &self,
        ending: Ending,
        retry_after: Option<Duration>,
        tries: usize,
    ) -> Verdict {
        match ending {
            Ending::Completed => Verdict::Done,
            // A client that says when to come back is tried then, within the same tries.
            Ending::Unavailable | Ending::Broken => match self.backoff.get(tries) {
                Some(pause) => Verdict::Retry(retry_after.map_or(*pause, not_at_once)),
                None => Verdict::UntilRegistered,
            },
            Ending::Busy => match (retry_after, self.backoff.get(tries)) {
                (Some(wait), Some(_)) => Verdict::Retry(not_at_once(wait)),
                _ => Verdict::UntilRegistered,
            },
            Ending::Unsupported | Ending::Rejected | Ending::EndedByClient => {
                Verdict::UntilRegistered
            }
            Ending::HopDown => {
                Verdict::PauseHop(retry_after.unwrap_or(self.hop_pause).min(LONGEST_HOP_PAUSE))
            }
            Ending::EdgeDraining => Verdict::Elsewhere,
            Ending::Interrupted => Verdict::Again(self.busy_pause()),
        }
    }

    /// When a mailbox is tried again that another claim still holds.
    pub(super) fn busy_pause(&self) -> Duration {
        (self.lease / 4).max(Duration::from_millis(50))
    }
}

/// A client may ask for less time than we would leave it, but not for none.
fn not_at_once(wait: Duration) -> Duration {
    wait.max(SHORTEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S30: Duration = Duration::from_secs(30);
    const S120: Duration = Duration::from_secs(120);

    fn policy() -> Policy {
        Policy {
            delay: Duration::from_secs(1),
            on_deposit: None,
            lease: Duration::from_secs(60),
            max_sessions: 1,
            backoff: vec![S30, S120],
            hop_pause: Duration::from_secs(5),
            rate: 0,
            restart_rate: 100,
            mode: DeliveryMode::Auto,
            by_device: false,
        }
    }

    #[test]
    fn endings_lead_to_the_verdicts_of_the_table() {
        let wait = Some(Duration::from_secs(40));
        let table = [
            (Ending::Completed, None, 0, Verdict::Done),
            (Ending::Unavailable, None, 0, Verdict::Retry(S30)),
            (Ending::Unavailable, None, 1, Verdict::Retry(S120)),
            (Ending::Unavailable, None, 2, Verdict::UntilRegistered),
            (
                Ending::Unavailable,
                wait,
                0,
                Verdict::Retry(Duration::from_secs(40)),
            ),
            (
                Ending::Unavailable,
                wait,
                1,
                Verdict::Retry(Duration::from_secs(40)),
            ),
            (
                Ending::Unavailable,
                Some(Duration::from_secs(7)),
                0,
                Verdict::Retry(Duration::from_secs(7)),
            ),
            (
                Ending::Busy,
                Some(Duration::ZERO),
                1,
                Verdict::Retry(SHORTEST_WAIT),
            ),
            (Ending::Unavailable, wait, 2, Verdict::UntilRegistered),
            (Ending::Broken, None, 0, Verdict::Retry(S30)),
            (Ending::Busy, None, 0, Verdict::UntilRegistered),
            (
                Ending::Busy,
                wait,
                0,
                Verdict::Retry(Duration::from_secs(40)),
            ),
            (Ending::Unsupported, None, 0, Verdict::UntilRegistered),
            (Ending::Rejected, wait, 0, Verdict::UntilRegistered),
            (Ending::EndedByClient, None, 0, Verdict::UntilRegistered),
            (
                Ending::HopDown,
                None,
                2,
                Verdict::PauseHop(Duration::from_secs(5)),
            ),
            (
                Ending::HopDown,
                wait,
                0,
                Verdict::PauseHop(Duration::from_secs(40)),
            ),
            (
                Ending::HopDown,
                Some(Duration::from_secs(u64::from(u32::MAX))),
                0,
                Verdict::PauseHop(LONGEST_HOP_PAUSE),
            ),
            (Ending::EdgeDraining, None, 0, Verdict::Elsewhere),
            (
                Ending::Interrupted,
                None,
                2,
                Verdict::Again(Duration::from_secs(15)),
            ),
        ];
        for (ending, retry_after, tries, verdict) in table {
            let found = policy().verdict(ending, retry_after, tries);
            assert_eq!(found, verdict, "{ending:?} {retry_after:?} {tries}");
        }
    }
}
