//! What the four machines have in common: their inputs, their effects and the table of values they run on.
//!
//! A machine changes nothing but its own state. What has to happen outside is said in [`Effects`] and carried out by
//! the layer, in their order.

use std::time::{Duration, Instant};

use super::timer::{Timer, Timers};

/// What a client machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientEvent {
    /// A 1xx response arrived.
    Provisional,
    /// A 2xx response arrived.
    Success,
    /// A 300–699 response arrived.
    Failure,
    /// The transaction user gave up on the request and a CANCEL is under way.
    Cancelled,
    Timer(Timer),
    /// The transport could not send what it was given.
    TransportFailure,
}

/// What a server machine is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerEvent {
    /// The request arrived again.
    Request,
    /// An ACK arrived: of this transaction, or of the dialog its 2xx made.
    Ack,
    /// The transaction user answers 1xx.
    Provisional,
    /// The transaction user answers 2xx.
    Success,
    /// The transaction user answers 300–699.
    Failure,
    Timer(Timer),
}

/// What the layer has to do for a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Send the request.
    SendRequest,
    /// Send the ACK of a final response other than 2xx (RFC 3261 §17.1.1.3).
    SendAck,
    /// Send the response the transaction user gave last.
    SendResponse,
    /// Send a 100 of the layer's own.
    SendTrying,
    /// Hand the response to the transaction user.
    Deliver,
    /// Fire `Timer` at that time.
    Start(Timer, Instant),
    /// Tell the transaction user that no response came.
    ReportTimeout,
    /// Tell the transaction user that the request could not be sent.
    ReportUnreachable,
    /// Tell the transaction user that its final response to an INVITE was never acknowledged.
    ReportExpired,
}

/// Why an event changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ignored {
    /// A timer of a state the machine has left.
    Stale,
    /// A message that this state absorbs.
    Absorbed,
    /// The transaction user asked for what the state does not allow.
    OutOfOrder,
}

/// Effects of one step, at most four, in the order of execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Effects([Option<Effect>; 4]);

impl Effects {
    pub(super) fn iter(self) -> impl Iterator<Item = Effect> {
        self.0.into_iter().flatten()
    }
}

impl<const N: usize> From<[Effect; N]> for Effects {
    fn from(effects: [Effect; N]) -> Self {
        const { assert!(N <= 4) };
        let mut list = Self::default();
        for (place, effect) in list.0.iter_mut().zip(effects) {
            *place = Some(effect);
        }
        list
    }
}

/// Result of one event: the state the machine is in now and what has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step<S> {
    pub(super) state: S,
    pub(super) effects: Effects,
    pub(super) ignored: Option<Ignored>,
}

impl<S> Step<S> {
    pub(super) fn to(state: S, effects: impl Into<Effects>) -> Self {
        Self {
            state,
            effects: effects.into(),
            ignored: None,
        }
    }

    pub(super) fn ignore(state: S, reason: Ignored) -> Self {
        Self {
            state,
            effects: Effects::default(),
            ignored: Some(reason),
        }
    }

    /// Adds `effect` behind the others.
    pub(super) fn then(mut self, effect: Option<Effect>) -> Self {
        if let Some(place) = self.effects.0.iter_mut().find(|place| place.is_none()) {
            *place = effect;
        }
        self
    }
}

/// The moment of an event and the values its timers take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    pub(super) now: Instant,
    pub(super) timers: Timers,
    pub(super) reliable: bool,
}

impl Context {
    /// Starts `timer` with its value of RFC 3261 Table 4.
    pub(super) fn start(&self, timer: Timer) -> Effect {
        self.start_after(timer, self.timers.duration(timer, self.reliable))
    }

    pub(super) fn start_after(&self, timer: Timer, interval: Duration) -> Effect {
        Effect::Start(timer, self.now + interval)
    }

    /// Starts a retransmission timer; reliable transports retransmit nothing.
    pub(super) fn start_if_unreliable(&self, timer: Timer) -> Option<Effect> {
        (!self.reliable).then(|| self.start(timer))
    }

    /// Stays in `state` as long as `timer` runs, or goes straight to `terminated` where it runs for no time.
    pub(super) fn linger<S>(
        &self,
        timer: Timer,
        state: S,
        terminated: S,
        effects: impl Into<Effects>,
    ) -> Step<S> {
        if self.timers.duration(timer, self.reliable).is_zero() {
            Step::to(terminated, effects)
        } else {
            Step::to(state, effects).then(Some(self.start(timer)))
        }
    }
}
