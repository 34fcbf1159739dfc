//! Whatever stands as a key in a column family: it is refused, or its names make the same key again.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|octets: &[u8]| storage::fuzzing::key(octets));
