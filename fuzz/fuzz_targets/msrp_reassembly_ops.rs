//! Chunks in any order, with any ranges and flags. Alone: a reassembly completes exactly when every octet is there and
//! the end was announced, counts gaps as an array does, and its collector holds the octets that came last. Through
//! decoder and inbox: messages start once and end once, never exceed the limits, and each SEND gets the one answer it
//! asked for.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use restante_fuzz::{
    chunks::{self, Chunk},
    inbox::{self, Send},
};

#[derive(Arbitrary, Debug)]
enum Run {
    Alone(Vec<Chunk>),
    Session(Vec<Send>),
}

fuzz_target!(|run: Run| match run {
    Run::Alone(chunks) => chunks::run(&chunks),
    Run::Session(sends) => inbox::run(&sends),
});
