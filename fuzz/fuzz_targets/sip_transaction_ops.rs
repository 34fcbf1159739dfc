//! Any sequence of requests, answers, losses, copies, forgeries and waiting between two transaction layers: a server
//! transaction never sends two different finals, a client transaction has one outcome, the tables never exceed their
//! limits, and once everybody has answered, both layers come to rest with empty tables.

#![no_main]

use libfuzzer_sys::fuzz_target;
use restante_fuzz::exchange::Run;

fuzz_target!(|run: Run| run.play());
