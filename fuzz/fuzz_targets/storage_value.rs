//! Whatever stands as the value of a row, of any kind: it is refused, or reads the same once written.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| storage::fuzzing::value(octets));
