//! Single transitions that a table does not show well, and random event sequences.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::step::{ClientEvent, Context, Effect, Effects, Ignored, ServerEvent, Step};
use super::super::timer::{Timer, Timers};
use super::super::timer_queue::TimerQueue;
use super::super::{invite_client, invite_server, non_invite_client, non_invite_server};

fn context(now: Instant, reliable: bool) -> Context {
    Context {
        now,
        timers: Timers::default(),
        reliable,
    }
}

/// The intervals between the requests a machine sends while nobody answers, in milliseconds.
fn silence<S: Copy>(
    begin: Step<S>,
    step: impl Fn(S, ClientEvent, &Context) -> Step<S>,
    start: Instant,
) -> Vec<u128> {
    let mut run = Run::new(begin);
    let mut sent = Vec::new();
    let mut last = start;
    while let Some((at, timer)) = run.next_timer() {
        let effects =
            run.apply(|state| step(state, ClientEvent::Timer(timer), &context(at, false)));
        if effects.iter().any(|effect| effect == Effect::SendRequest) {
            sent.push((at - last).as_millis());
            last = at;
        }
    }
    sent
}

/// A machine with the timers it has asked for.
struct Run<S> {
    state: S,
    queue: TimerQueue<u8>,
    seen: Vec<Effect>,
}

impl<S: Copy> Run<S> {
    fn new(begin: Step<S>) -> Self {
        let mut run = Self {
            state: begin.state,
            queue: TimerQueue::new(),
            seen: Vec::new(),
        };
        run.apply(|_| begin);
        run
    }

    fn apply(&mut self, step: impl FnOnce(S) -> Step<S>) -> Effects {
        let step = step(self.state);
        self.state = step.state;
        for effect in step.effects.iter() {
            if let Effect::Start(timer, at) = effect {
                self.queue.start(timer, at, 0);
            }
            self.seen.push(effect);
        }
        step.effects
    }

    fn next_timer(&mut self) -> Option<(Instant, Timer)> {
        let at = self.queue.next()?;
        self.queue.fired(at).map(|(timer, _)| (at, timer))
    }

    fn count(&self, wanted: impl Fn(&Effect) -> bool) -> usize {
        self.seen.iter().filter(|effect| wanted(effect)).count()
    }
}

#[test]
fn unanswered_invite_doubles_its_interval_until_timer_b() {
    let start = Instant::now();
    let begin = invite_client::begin(&context(start, false));
    let sent = silence(begin, invite_client::State::step, start);
    assert_eq!(sent, [500, 1000, 2000, 4000, 8000, 16000]);
}

#[test]
fn unanswered_request_slows_down_to_t2_until_timer_f() {
    let start = Instant::now();
    let begin = non_invite_client::begin(&context(start, false));
    let sent = silence(begin, non_invite_client::State::step, start);
    assert_eq!(
        sent,
        [500, 1000, 2000, 4000, 4000, 4000, 4000, 4000, 4000, 4000]
    );
}

#[test]
fn reliable_transports_retransmit_no_request() {
    let start = Instant::now();
    let invite = invite_client::begin(&context(start, true));
    let other = non_invite_client::begin(&context(start, true));
    let b = Effect::Start(Timer::B, start + Duration::from_secs(32));
    let f = Effect::Start(Timer::F, start + Duration::from_secs(32));
    assert_eq!(invite.effects, [Effect::SendRequest, b].into());
    assert_eq!(other.effects, [Effect::SendRequest, f].into());
}

#[test]
fn reliable_transports_leave_no_state_behind() {
    let context = context(Instant::now(), true);
    let proceeding = invite_client::State::Proceeding {
        silent_until: context.now,
        cancelled: false,
    };
    let failed = proceeding.step(ClientEvent::Failure, &context);
    assert_eq!(
        failed,
        Step::to(
            invite_client::State::Terminated,
            [Effect::SendAck, Effect::Deliver]
        )
    );
    let answered = non_invite_client::State::Proceeding.step(ClientEvent::Success, &context);
    assert_eq!(
        answered,
        Step::to(non_invite_client::State::Terminated, [Effect::Deliver])
    );
    let answer = non_invite_server::State::Trying.step(ServerEvent::Success, &context);
    assert_eq!(
        answer,
        Step::to(non_invite_server::State::Terminated, [Effect::SendResponse])
    );
    let completed = invite_server::State::Completed {
        interval: context.timers.t1,
    };
    let acknowledged = completed.step(ServerEvent::Ack, &context);
    assert_eq!(acknowledged, Step::to(invite_server::State::Terminated, []));
}

#[test]
fn an_early_timer_c_is_stale() {
    let context = context(Instant::now(), false);
    let silent_until = context.now + Duration::from_secs(1);
    let state = invite_client::State::Proceeding {
        silent_until,
        cancelled: false,
    };
    let step = state.step(ClientEvent::Timer(Timer::C), &context);
    assert_eq!(step, Step::ignore(state, Ignored::Stale));
}

#[test]
fn trying_leaves_once_and_only_if_nobody_answered() {
    let context = context(Instant::now(), false);
    let begin = invite_server::begin(&context);
    let trying = begin
        .state
        .step(ServerEvent::Timer(Timer::Trying), &context);
    assert_eq!(trying.effects, [Effect::SendTrying].into());
    let ringing = begin.state.step(ServerEvent::Provisional, &context);
    let late = ringing
        .state
        .step(ServerEvent::Timer(Timer::Trying), &context);
    assert_eq!(late, Step::ignore(ringing.state, Ignored::Stale));
}

#[test]
fn success_is_retransmitted_until_its_ack() {
    let start = Instant::now();
    let mut run = Run::new(invite_server::begin(&context(start, true)));
    run.apply(|state| state.step(ServerEvent::Success, &context(start, true)));
    while let Some((at, timer)) = run.next_timer() {
        if at > start + Duration::from_secs(5) {
            break;
        }
        run.apply(|state| state.step(ServerEvent::Timer(timer), &context(at, true)));
    }
    assert_eq!(run.count(|effect| *effect == Effect::SendResponse), 4);
    run.apply(|state| state.step(ServerEvent::Ack, &context(start, true)));
    while let Some((at, timer)) = run.next_timer() {
        run.apply(|state| state.step(ServerEvent::Timer(timer), &context(at, true)));
    }
    assert_eq!(run.count(|effect| *effect == Effect::SendResponse), 4);
    assert_eq!(run.count(|effect| *effect == Effect::ReportExpired), 0);
    assert_eq!(run.state, invite_server::State::Terminated);
}

/// An event of the network or the transaction user, or the passing of time.
#[derive(Clone, Copy, Debug)]
enum Input<E> {
    Event(E),
    NextTimer,
}

fn client_inputs() -> impl Strategy<Value = Vec<Input<ClientEvent>>> {
    let input = prop_oneof![
        Just(Input::Event(ClientEvent::Provisional)),
        Just(Input::Event(ClientEvent::Success)),
        Just(Input::Event(ClientEvent::Failure)),
        Just(Input::Event(ClientEvent::Cancelled)),
        Just(Input::Event(ClientEvent::TransportFailure)),
        Just(Input::NextTimer),
        Just(Input::NextTimer),
    ];
    proptest::collection::vec(input, 0..24)
}

fn server_inputs() -> impl Strategy<Value = Vec<Input<ServerEvent>>> {
    let input = prop_oneof![
        Just(Input::Event(ServerEvent::Request)),
        Just(Input::Event(ServerEvent::Ack)),
        Just(Input::Event(ServerEvent::Provisional)),
        Just(Input::Event(ServerEvent::Success)),
        Just(Input::Event(ServerEvent::Failure)),
        Just(Input::NextTimer),
        Just(Input::NextTimer),
    ];
    proptest::collection::vec(input, 0..24)
}

/// Feeds `inputs`, then lets time pass until nothing runs; returns the events with their steps.
fn drive<S: Copy, E: Copy>(
    begin: Step<S>,
    inputs: Vec<Input<E>>,
    timer_event: impl Fn(Timer) -> E,
    step: impl Fn(S, E, Instant) -> Step<S>,
    start: Instant,
) -> (S, Vec<(E, Step<S>)>) {
    let mut run = Run::new(begin);
    let mut now = start;
    let mut steps = Vec::new();
    let rest = std::iter::repeat_n(Input::NextTimer, 1000);
    for input in inputs.into_iter().chain(rest) {
        let event = match input {
            Input::Event(event) => event,
            Input::NextTimer => match run.next_timer() {
                Some((at, timer)) => {
                    now = now.max(at);
                    timer_event(timer)
                }
                None => continue,
            },
        };
        let result = step(run.state, event, now);
        run.apply(|_| result);
        steps.push((event, result));
    }
    (run.state, steps)
}

/// How often a transaction user was told how its request ended; later copies of a 2xx count once.
fn outcomes<S>(steps: &[(ClientEvent, Step<S>)], copies_count_once: bool) -> usize {
    let told = |wanted: ClientEvent| {
        let is_told = |step: &Step<S>| step.effects.iter().any(|effect| effect == Effect::Deliver);
        steps
            .iter()
            .filter(|(event, step)| *event == wanted && is_told(step))
            .count()
    };
    let ended =
        |effect: Effect| matches!(effect, Effect::ReportTimeout | Effect::ReportUnreachable);
    let ends = steps
        .iter()
        .flat_map(|(_, step)| step.effects.iter())
        .filter(|each| ended(*each))
        .count();
    let successes = told(ClientEvent::Success);
    let successes = if copies_count_once {
        successes.min(1)
    } else {
        successes
    };
    successes + told(ClientEvent::Failure) + ends
}

proptest! {
    #[test]
    fn invite_client_always_ends_with_one_outcome(inputs in client_inputs(), reliable: bool) {
        let start = Instant::now();
        let begin = invite_client::begin(&context(start, reliable));
        let step = |state: invite_client::State, event, now| state.step(event, &context(now, reliable));
        let (state, steps) = drive(begin, inputs, ClientEvent::Timer, step, start);
        prop_assert_eq!(state, invite_client::State::Terminated);
        prop_assert_eq!(outcomes(&steps, true), 1);
    }

    #[test]
    fn non_invite_client_always_ends_with_one_outcome(inputs in client_inputs(), reliable: bool) {
        let start = Instant::now();
        let begin = non_invite_client::begin(&context(start, reliable));
        let step = |state: non_invite_client::State, event, now| state.step(event, &context(now, reliable));
        let (state, steps) = drive(begin, inputs, ClientEvent::Timer, step, start);
        prop_assert_eq!(state, non_invite_client::State::Terminated);
        prop_assert_eq!(outcomes(&steps, false), 1);
    }

    #[test]
    fn invite_server_ends_once_it_was_answered(mut inputs in server_inputs(), reliable: bool) {
        inputs.push(Input::Event(ServerEvent::Failure));
        let start = Instant::now();
        let begin = invite_server::begin(&context(start, reliable));
        let step = |state: invite_server::State, event, now| state.step(event, &context(now, reliable));
        let (state, steps) = drive(begin, inputs, ServerEvent::Timer, step, start);
        prop_assert_eq!(state, invite_server::State::Terminated);
        prop_assert_eq!(finals(&steps), 1);
    }

    #[test]
    fn non_invite_server_ends_once_it_was_answered(mut inputs in server_inputs(), reliable: bool) {
        inputs.push(Input::Event(ServerEvent::Success));
        let start = Instant::now();
        let begin = Step::to(non_invite_server::State::Trying, []);
        let step = |state: non_invite_server::State, event, now| state.step(event, &context(now, reliable));
        let (state, steps) = drive(begin, inputs, ServerEvent::Timer, step, start);
        prop_assert_eq!(state, non_invite_server::State::Terminated);
        prop_assert_eq!(finals(&steps), 1);
    }
}

/// How many different final answers of the transaction user were taken; a 2xx given again is the same answer.
fn finals<S>(steps: &[(ServerEvent, Step<S>)]) -> usize {
    let taken = |wanted: ServerEvent| {
        steps
            .iter()
            .filter(|(event, step)| *event == wanted && step.ignored.is_none())
            .count()
    };
    taken(ServerEvent::Success).min(1) + taken(ServerEvent::Failure)
}
