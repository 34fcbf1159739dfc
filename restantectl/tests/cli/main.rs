//! The real binary against a fake of the operators' services: what it asks, what it writes, how it
//! ends.

#![expect(
    clippy::unwrap_used,
    reason = "what a test relies on and lacks fails the test"
)]

mod dead;
mod dry_run;
mod fake;
mod fan_out;
mod golden;
mod list;
mod order;
mod push;
mod recall;
mod run;
mod sample;
mod selection;
mod server;
mod settings;
mod show;
mod status;
mod summary;
mod top;
mod user;
mod waiting;
