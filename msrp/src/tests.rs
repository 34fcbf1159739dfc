//! Tests of the crate, by topic.

mod decoder;
mod encapsulate;
mod inbox;
mod inbox_model;
mod outbox;
mod reassembly;
mod round_trip;
mod sdp;
mod uri;

use bytes::Bytes;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::{Decoder, Event, Path};

/// Our path in the examples of 2.4.
const LOCAL: &str = "msrp://192.0.2.20:2855/k7Qp0x3mZ1uWc9RtE4sHaV;tcp";
/// The peer's path in the examples of 2.4.
const PEER: &str = "msrp://203.0.113.9:49200/b0bS3ss;tcp";

fn path(text: &str) -> Path {
    text.parse().expect("a path of the tests")
}

fn rng() -> StdRng {
    StdRng::seed_from_u64(20_261_120)
}

/// All events of a stream, with adjacent body pieces joined so that the cuts do not show.
fn events(pieces: &[&[u8]]) -> Vec<Event> {
    let mut decoder = Decoder::new();
    let mut events: Vec<Event> = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(event) = decoder.next_event().expect("a readable stream") {
            match (events.last_mut(), event) {
                (Some(Event::Body(held)), Event::Body(next)) => {
                    *held = Bytes::from([held.as_ref(), next.as_ref()].concat());
                }
                (_, event) => events.push(event),
            }
        }
    }
    events
}
