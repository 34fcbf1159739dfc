//! The timers of RFC 3261 Table 4, by their letters, and the values they take.
//!
//! Nothing here runs: a machine asks for a timer to be started, the layer keeps it in its queue and hands the letter
//! back when the time has come.

use std::time::Duration;

/// A timer of RFC 3261 Table 4 or RFC 6026 §8.1; the three without a letter in the standard stand last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// INVITE request retransmission, unreliable transports only (RFC 3261 §17.1.1.2).
    A,
    /// INVITE transaction timeout (RFC 3261 §17.1.1.2).
    B,
    /// Longest silence after a provisional response to an INVITE (RFC 3261 §16.6).
    C,
    /// Wait for retransmitted final responses to an INVITE (RFC 3261 §17.1.1.2).
    D,
    /// Non-INVITE request retransmission, unreliable transports only (RFC 3261 §17.1.2.2).
    E,
    /// Non-INVITE transaction timeout (RFC 3261 §17.1.2.2).
    F,
    /// Retransmission of a final response to an INVITE (RFC 3261 §17.2.1).
    G,
    /// Wait for the ACK of a final response other than 2xx (RFC 3261 §17.2.1).
    H,
    /// Wait for retransmitted ACKs (RFC 3261 §17.2.1).
    I,
    /// Wait for retransmitted non-INVITE requests (RFC 3261 §17.2.2).
    J,
    /// Wait for retransmitted responses to a non-INVITE request (RFC 3261 §17.1.2.2).
    K,
    /// Wait for retransmitted INVITEs after a 2xx (RFC 6026 §8.7).
    L,
    /// Wait for retransmitted 2xx responses (RFC 6026 §8.4).
    M,
    /// The transaction user has not answered an INVITE yet: send a 100 (RFC 3261 §17.2.1).
    Trying,
    /// A cancelled INVITE has got no final response (RFC 3261 §9.1).
    Cancelled,
    /// Retransmission of a 2xx until its ACK (RFC 3261 §13.3.1.4).
    Answer,
}

impl Timer {
    /// Number of variants.
    pub(super) const COUNT: usize = Timer::Answer as usize + 1;

    /// Whether each firing doubles the interval; all other timers always run for the same time.
    pub(super) fn backs_off(self) -> bool {
        matches!(self, Timer::A | Timer::E | Timer::G | Timer::Answer)
    }
}

/// The values all timers are derived from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate, 500 ms (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// Longest retransmission interval of non-INVITE requests and INVITE responses, 4 s.
    pub t2: Duration,
    /// Longest time a message stays in the network, 5 s.
    pub t4: Duration,
    /// Silence after which an INVITE is answered with 100, 200 ms (RFC 3261 §17.2.1).
    pub trying: Duration,
    /// Timer C, above 3 minutes (RFC 3261 §16.6).
    pub silence: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying: Duration::from_millis(200),
            silence: Duration::from_secs(185),
        }
    }
}

impl Timers {
    /// The default proportions on another `t1`: what tests shorten.
    #[must_use]
    pub fn scaled(t1: Duration) -> Self {
        let scale = |default: Duration| default.mul_f64(t1.as_secs_f64() / 0.5);
        let Self {
            t1: _,
            t2,
            t4,
            trying,
            silence,
        } = Self::default();
        Self {
            t1,
            t2: scale(t2),
            t4: scale(t4),
            trying: scale(trying),
            silence: scale(silence),
        }
    }

    /// The first run of `timer` (RFC 3261 Table 4); zero means that the state it ends is left at once.
    #[must_use]
    pub fn duration(&self, timer: Timer, reliable: bool) -> Duration {
        match timer {
            Timer::A | Timer::E | Timer::G | Timer::Answer => self.t1,
            Timer::B | Timer::F | Timer::H | Timer::L | Timer::M | Timer::Cancelled => self.t1 * 64,
            Timer::C => self.silence,
            Timer::D | Timer::J if !reliable => self.t1 * 64,
            Timer::I | Timer::K if !reliable => self.t4,
            Timer::D | Timer::I | Timer::J | Timer::K => Duration::ZERO,
            Timer::Trying => self.trying,
        }
    }
}
