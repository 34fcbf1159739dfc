//! `restante-bench`: what the scripts in this folder need beside the binaries under test.
//!
//! `push` plays the core and all clients of B5. `flat` runs the store of B6 in its own process. `storm` plays the
//! core, subscribers and senders of the waiting indication. `fan-out` plays the sender and the core of B7.

mod fan_out;
mod flat;
mod peer;
mod push;
mod storm;
mod text;
mod wire;

use clap::Parser;

/// Programs of the benchmarks.
#[derive(Debug, Parser)]
enum Arguments {
    /// Store messages, register their users, and take what is pushed (B5)
    Push(push::PushArgs),
    /// Measure single operations of a store that holds so many messages (B6)
    Flat(flat::FlatArgs),
    /// Subscribe users to their waiting indication and send them messages at a rate (storm, B8)
    Storm(storm::StormArgs),
    /// Send messages to a group and take the copies, or take plain messages (B7)
    FanOut(fan_out::FanOutArgs),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse() {
        Arguments::Push(args) => push::run(args),
        Arguments::Flat(args) => flat::run(args),
        Arguments::Storm(args) => storm::run(args),
        Arguments::FanOut(args) => fan_out::run(args),
    }
}
