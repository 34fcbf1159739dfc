//! `restante-bench`: what the scripts in this folder need beside the binaries under test.
//!
//! `push` plays the core and all clients of B5. `flat` runs the store of B6 in its own process.

mod flat;
mod push;

use clap::Parser;

/// Programs of the benchmarks.
#[derive(Debug, Parser)]
enum Arguments {
    /// Store messages, register their users, and take what is pushed (B5)
    Push(push::PushArgs),
    /// Measure single operations of a store that holds so many messages (B6)
    Flat(flat::FlatArgs),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse() {
        Arguments::Push(args) => push::run(args),
        Arguments::Flat(args) => flat::run(args),
    }
}
