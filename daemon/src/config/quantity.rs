//! Durations and sizes, which are never bare numbers.

use std::time::Duration;

use super::node::Node;
use super::value::{Rejection, Value};

/// Units of time and their length in milliseconds.
const TIME: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Units of size in octets. Powers of ten are left out: `KB` means two things.
const SIZE: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A number of octets, written `64KiB` or `10MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(pub u64);

impl Octets {
    /// The number of octets.
    pub fn get(self) -> u64 {
        self.0
    }

    /// The number for use with memory, `usize::MAX` where it does not fit.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl Value for Octets {
    fn expected() -> String {
        "a size with a unit, such as `512B`, `64KiB` or `10MiB`".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        let octets = node.text().and_then(|text| amount(text, &SIZE));
        octets.map(Self).ok_or_else(|| Rejection::of::<Self>(node))
    }
}

impl Value for Duration {
    fn expected() -> String {
        "a duration with a unit, such as `500ms`, `30s`, `10m`, `24h` or `7d`".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        let milliseconds = node.text().and_then(|text| amount(text, &TIME));
        milliseconds
            .map(Self::from_millis)
            .ok_or_else(|| Rejection::of::<Self>(node))
    }
}

/// The sum of `<digits><unit>` parts such as `1h30m`, in the unit whose factor is 1.
fn amount(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_where(after, |c| c.is_ascii_digit());
        let factor = units
            .iter()
            .find(|(name, _)| *name == unit.trim())
            .map(|(_, factor)| factor)?;
        sum = sum.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        rest = after;
    }
    Some(sum)
}

/// `text` before and from the first character for which `stop` holds.
fn split_where(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}
