//! Octets of MSRP on the wire, both ways: looked up once, they are counted with every piece.

use std::sync::LazyLock;

use metrics::{Counter, counter};

static IN: LazyLock<Counter> = LazyLock::new(|| bytes("in"));
static OUT: LazyLock<Counter> = LazyLock::new(|| bytes("out"));

fn bytes(direction: &'static str) -> Counter {
    counter!("restante_msrp_bytes_total", "direction" => direction)
}

/// So many came in.
pub(super) fn read(octets: usize) {
    IN.increment(octets as u64);
}

/// So many were written.
pub(super) fn written(octets: usize) {
    OUT.increment(octets as u64);
}
