//! What the participating and the controlling function do alike: whom they believe, in which order
//! they look at a request, how they refuse and sign, and how they treat the hop that takes their own
//! requests.
//!
//! What a request *means* is not here; that is what the two edges differ in.

pub mod attempt;
pub mod bind;
pub mod call;
pub mod checks;
pub mod config;
pub mod control;
pub mod dialogs;
pub mod duplicate;
pub mod event;
#[cfg(any(test, feature = "example"))]
pub mod example;
pub mod identity;
pub mod leg_name;
pub mod lifetime;
pub mod mark;
pub mod next_hop;
pub mod open_session;
mod own_delivery;
pub mod privacy;
pub mod profile;
pub mod reception;
pub mod refuse;
pub mod report;
pub mod response;
pub mod sending;
pub mod signature;
pub mod site;
pub mod status;
pub mod surroundings;
pub mod trust;
pub mod user_agent;
pub mod way;
pub mod xcap;

use std::sync::OnceLock;
use std::time::SystemTime;

use net::sip::Source;

/// Shows another time than the operating system.
static WALL_CLOCK: OnceLock<fn() -> SystemTime> = OnceLock::new();

/// The wall clock; the pure decisions get it as an argument.
#[must_use]
pub fn now() -> SystemTime {
    WALL_CLOCK
        .get()
        .map_or_else(SystemTime::now, |clock| clock())
}

/// Takes the time of all edges of this process from `clock`, for the simulation. The first call counts.
pub fn take_time_from(clock: fn() -> SystemTime) {
    // A second clock is none.
    let _ = WALL_CLOCK.set(clock);
}

/// Transport and address of a peer, as it is stored and logged.
#[must_use]
pub fn peer(source: &Source) -> String {
    format!(
        "{} {}",
        source.transport.as_str().to_ascii_lowercase(),
        source.remote
    )
}
