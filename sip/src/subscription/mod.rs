//! The notifier's side of a subscription (RFC 6665 §4.2): when a NOTIFY is due, with which CSeq and
//! Subscription-State, and when the subscription is over.
//!
//! A machine without I/O: time is an argument, what to send comes out. What a NOTIFY says is the
//! caller's; here it is only known whether there is something to say. The dialog may change hands: each
//! owner has an *epoch* and numbers its requests within it, so that a successor's CSeqs are greater
//! without a record of each one.

mod pace;
mod state;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

pub use pace::Pace;
pub use state::{EndReason, SubscriptionState};

use crate::StatusCode;

/// NOTIFYs of one epoch.
const PER_EPOCH: u32 = 1 << 16;

/// What the subscriber is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owed {
    Nothing,
    /// Something has changed: one NOTIFY, at the pace.
    News,
    /// The state at once: a SUBSCRIBE was accepted, or the notifier is a new one (RFC 6665 §4.2.1.2).
    Answer,
}

/// A NOTIFY that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its CSeq number.
    pub cseq: u32,
    /// Its Subscription-State.
    pub state: SubscriptionState,
    /// It answers a SUBSCRIBE or introduces a new notifier: it is sent even if nothing has changed.
    pub is_owed: bool,
}

/// What [`Notifier::poll`] finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polled {
    /// Nothing before this moment; `None`: nothing until something happens.
    Idle(Option<Instant>),
    /// Send this.
    Send(Due),
    /// The numbers of this epoch are used up: give it another one.
    EpochSpent,
}

/// How a NOTIFY ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A final response.
    Status(StatusCode),
    /// No final response within Timer F.
    NoAnswer,
    /// It could not be sent, or the connection failed.
    NotSent,
}

/// Whether a subscription goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Goes,
    /// It is over, and nothing more is to be sent.
    Over,
}

/// One subscription of a notifier.
#[derive(Clone, Debug)]
pub struct Notifier {
    epoch: u32,
    /// Number of the last NOTIFY within the epoch.
    sent: u16,
    expires_at: Instant,
    /// When the last NOTIFY left; before the first one none.
    last_sent: Option<Instant>,
    began_at: Instant,
    /// The subscriber is not spoken to before: its hop failed.
    pause_until: Option<Instant>,
    owed: Owed,
    /// Whether the NOTIFY numbered `sent` waits for its answer.
    is_pending: bool,
    end: Option<EndReason>,
    /// The NOTIFY that said so has left.
    has_ended: bool,
    interval: Duration,
}

/// After a failed hop the next try comes so much later.
const RETRY: Duration = Duration::from_secs(32);

impl Notifier {
    /// A subscription that this owner has just got: the subscriber is owed the state. `interval` is the
    /// time between two NOTIFYs about changes (RFC 3842 §3.11).
    #[must_use]
    pub fn new(epoch: u32, now: Instant, expires_at: Instant, interval: Duration) -> Self {
        Self {
            epoch,
            sent: 0,
            expires_at,
            last_sent: None,
            began_at: now,
            pause_until: None,
            owed: Owed::Answer,
            is_pending: false,
            end: None,
            has_ended: false,
            interval,
        }
    }

    /// The epoch its numbers belong to.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// A SUBSCRIBE was accepted: it ends then, and the subscriber is owed the state.
    pub fn refreshed(&mut self, expires_at: Instant) {
        self.expires_at = expires_at;
        self.owed = Owed::Answer;
        self.pause_until = None;
    }

    /// Another epoch of the same owner.
    pub fn renumbered(&mut self, epoch: u32) {
        self.epoch = epoch;
        self.sent = 0;
        self.is_pending = false;
    }

    /// There is something to tell.
    pub fn changed(&mut self) {
        self.owed = self.owed.max(Owed::News);
    }

    /// The subscription is to end now, with a last NOTIFY.
    pub fn end(&mut self, reason: EndReason) {
        self.end.get_or_insert(reason);
        self.owed = Owed::Answer;
    }

    /// Nothing was to be told after all: the number of the last [`Due`] was not used.
    pub fn not_needed(&mut self) {
        self.sent = self.sent.saturating_sub(1);
        self.is_pending = false;
    }

    /// What is to be done at `now`. A NOTIFY that comes out counts as sent.
    pub fn poll(&mut self, now: Instant) -> Polled {
        if self.has_ended {
            return Polled::Idle(None);
        }
        if self.end.is_none() && self.expires_at <= now {
            self.end(EndReason::Timeout);
        }
        match self.next_due() {
            Some(due) if due <= now => self.send(now),
            later => Polled::Idle(later),
        }
    }

    /// When [`Notifier::poll`] will find something, as far as is known now.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        if self.has_ended {
            return None;
        }
        let paced = self.last_sent.map(|last| last + self.interval);
        let at_once = self.last_sent.unwrap_or(self.began_at);
        let owed = match self.owed {
            Owed::Nothing => None,
            // One at a time: what changes meanwhile is told by the next one.
            Owed::News if self.is_pending => None,
            Owed::News => Some(
                paced
                    .unwrap_or(at_once)
                    .max(self.pause_until.unwrap_or(at_once)),
            ),
            Owed::Answer => Some(at_once),
        };
        let end = self.end.is_none().then_some(self.expires_at);
        owed.into_iter().chain(end).min()
    }

    fn send(&mut self, now: Instant) -> Polled {
        if u32::from(self.sent) + 1 >= PER_EPOCH {
            return Polled::EpochSpent;
        }
        self.sent += 1;
        let is_owed = self.owed == Owed::Answer;
        self.owed = Owed::Nothing;
        self.is_pending = true;
        self.last_sent = Some(now);
        let state = match self.end {
            Some(reason) => SubscriptionState::Terminated(reason),
            None => SubscriptionState::Active(self.expires_at.saturating_duration_since(now)),
        };
        self.has_ended = self.end.is_some();
        Polled::Send(Due {
            cseq: self.epoch.saturating_mul(PER_EPOCH) + u32::from(self.sent),
            state,
            is_owed,
        })
    }

    /// How the NOTIFY with that CSeq ended. Only the last one counts: an older one may have gone to a
    /// target that a refresh has replaced.
    pub fn handle_outcome(&mut self, cseq: u32, outcome: Outcome, now: Instant) -> Verdict {
        if self.has_ended {
            return Verdict::Over;
        }
        if cseq % PER_EPOCH != u32::from(self.sent) || cseq / PER_EPOCH != self.epoch {
            return Verdict::Goes;
        }
        self.is_pending = false;
        match outcome {
            Outcome::Status(status) if status.is_success() => Verdict::Goes,
            Outcome::NoAnswer => self.over(),
            Outcome::Status(status) if ends_usage(status) => self.over(),
            Outcome::Status(_) | Outcome::NotSent => {
                self.pause_until = Some(now + RETRY);
                self.owed = self.owed.max(Owed::News);
                Verdict::Goes
            }
        }
    }

    fn over(&mut self) -> Verdict {
        self.has_ended = true;
        Verdict::Over
    }
}

/// Answers to a NOTIFY after which there is no subscription (RFC 6665 §4.2.2, RFC 5057 §5.1). A 408 is what a
/// proxy says of a subscriber who does not answer.
fn ends_usage(status: StatusCode) -> bool {
    matches!(
        status.code(),
        404 | 405 | 408 | 410 | 416 | 480..=485 | 489 | 501 | 502 | 604
    )
}
