//! What happened, when: shown if a history fails, and hashed to compare two runs of a seed.

use std::fmt::Write as _;
use std::time::Duration;

/// The events of one history.
#[derive(Debug, Default)]
pub struct Trace {
    lines: Vec<String>,
    hash: u64,
}

/// FNV-1a: the same on every machine and in every process.
const PRIME: u64 = 0x0100_0000_01b3;

impl Trace {
    /// Adds one event.
    pub fn add(&mut self, at: Duration, event: &str) {
        let mut line = String::new();
        // A String takes everything.
        let _ = write!(line, "{:>10.3}  {event}", at.as_secs_f64());
        for octet in line.bytes() {
            self.hash = (self.hash ^ u64::from(octet)).wrapping_mul(PRIME);
        }
        self.lines.push(line);
    }

    /// A number that two runs of one seed share.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// All events, a line each.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.lines
    }
}
