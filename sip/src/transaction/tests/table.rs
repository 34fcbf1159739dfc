//! Every machine as a table: each state with each event, and what comes of it on an unreliable transport.
//!
//! A line reads `state + event -> state: effects`, or `-> why it is ignored`. Timers a state does not know are all
//! stale; they stand together in the last line of the state.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use super::super::step::{ClientEvent, Context, Effect, ServerEvent, Step};
use super::super::timer::{Timer, Timers};
use super::super::{invite_client, invite_server, non_invite_client, non_invite_server};

const TIMERS: [Timer; Timer::COUNT] = [
    Timer::A,
    Timer::B,
    Timer::C,
    Timer::D,
    Timer::E,
    Timer::F,
    Timer::G,
    Timer::H,
    Timer::I,
    Timer::J,
    Timer::K,
    Timer::L,
    Timer::M,
    Timer::Trying,
    Timer::Cancelled,
    Timer::Answer,
];

fn context() -> Context {
    Context {
        now: Instant::now(),
        timers: Timers::default(),
        reliable: false,
    }
}

/// The name of a state or timer without its data.
fn name(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(']).next().unwrap_or_default().to_owned()
}

fn effect(effect: Effect, now: Instant) -> String {
    match effect {
        Effect::Start(timer, at) => format!("{timer:?} in {} ms", (at - now).as_millis()),
        other => format!("{other:?}"),
    }
}

/// One line per event, the stale timers last.
fn rows<S: Copy + Debug, E: Copy + Debug>(
    state: S,
    events: &[E],
    timer: impl Fn(Timer) -> E,
    step: impl Fn(S, E, &Context) -> Step<S>,
) -> String {
    let context = context();
    let mut rows = String::new();
    let mut stale = Vec::new();
    let row = |label: &str, result: Step<S>| {
        let effects: Vec<_> = result
            .effects
            .iter()
            .map(|each| effect(each, context.now))
            .collect();
        let effects = if effects.is_empty() {
            String::new()
        } else {
            format!(": {}", effects.join(", "))
        };
        let outcome = result
            .ignored
            .map_or(name(&result.state) + &effects, |why| name(&why));
        format!("{} + {label} -> {outcome}\n", name(&state))
    };
    for event in events {
        rows += &row(&name(event), step(state, *event, &context));
    }
    for letter in TIMERS {
        let result = step(state, timer(letter), &context);
        match result.ignored {
            Some(_) => stale.push(name(&letter)),
            None => rows += &row(&format!("timer {}", name(&letter)), result),
        }
    }
    rows + &format!("{} + timers {} -> Stale\n", name(&state), stale.join(" "))
}

const CLIENT: [ClientEvent; 5] = [
    ClientEvent::Provisional,
    ClientEvent::Success,
    ClientEvent::Failure,
    ClientEvent::Cancelled,
    ClientEvent::TransportFailure,
];

const SERVER: [ServerEvent; 5] = [
    ServerEvent::Request,
    ServerEvent::Ack,
    ServerEvent::Provisional,
    ServerEvent::Success,
    ServerEvent::Failure,
];

#[test]
fn invite_client_follows_its_table() {
    use invite_client::State;
    let now = Instant::now();
    let states = [
        State::Calling {
            interval: Duration::from_millis(500),
        },
        State::Proceeding {
            silent_until: now,
            cancelled: false,
        },
        State::Completed,
        State::Accepted,
        State::Terminated,
    ];
    let table: String = states
        .map(|state| rows(state, &CLIENT, ClientEvent::Timer, State::step))
        .concat();
    assert_eq!(table, include_str!("invite_client.txt"));
}

#[test]
fn non_invite_client_follows_its_table() {
    use non_invite_client::State;
    let states = [
        State::Trying {
            interval: Duration::from_millis(500),
        },
        State::Proceeding,
        State::Completed,
        State::Terminated,
    ];
    let table: String = states
        .map(|state| rows(state, &CLIENT, ClientEvent::Timer, State::step))
        .concat();
    assert_eq!(table, include_str!("non_invite_client.txt"));
}

#[test]
fn invite_server_follows_its_table() {
    use invite_server::State;
    let states = [
        State::Proceeding { answered: false },
        State::Proceeding { answered: true },
        State::Completed {
            interval: Duration::from_secs(2),
        },
        State::Confirmed,
        State::Accepted {
            interval: Some(Duration::from_millis(500)),
        },
        State::Accepted { interval: None },
        State::Terminated,
    ];
    let table: String = states
        .map(|state| rows(state, &SERVER, ServerEvent::Timer, State::step))
        .concat();
    assert_eq!(table, include_str!("invite_server.txt"));
}

#[test]
fn non_invite_server_follows_its_table() {
    use non_invite_server::State;
    let states = [
        State::Trying,
        State::Proceeding,
        State::Completed,
        State::Terminated,
    ];
    let table: String = states
        .map(|state| rows(state, &SERVER, ServerEvent::Timer, State::step))
        .concat();
    assert_eq!(table, include_str!("non_invite_server.txt"));
}
