//! What a load measured.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The figures of a run, or of one connection of it.
pub struct Report {
    /// Latencies in microseconds of the counted answers with a 2xx.
    latency: Histogram<u64>,
    /// Counted answers by status; 0 stands for requests that were never answered.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests sent again because no answer came in time.
    pub retransmissions: u64,
    /// The time that was counted.
    pub duration: Duration,
}

impl Report {
    pub(super) fn new(duration: Duration) -> Self {
        // One microsecond to one hour at three digits: within the type's bounds by construction.
        let latency = Histogram::new_with_bounds(1, 3_600_000_000, 3).expect("sound bounds");
        Self {
            latency,
            statuses: BTreeMap::new(),
            retransmissions: 0,
            duration,
        }
    }

    pub(super) fn count(&mut self, status: u16, latency: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        if (200..300).contains(&status) {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
            self.latency.saturating_record(micros.max(1));
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        // Both have the same bounds.
        self.latency.add(&other.latency).expect("same bounds");
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.retransmissions += other.retransmissions;
    }

    /// Answers with a 2xx.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.latency.len()
    }

    /// Accepted messages per second of counted time.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub fn rate(&self) -> f64 {
        self.accepted() as f64 / self.duration.as_secs_f64()
    }

    /// The latency that `quantile` (0 to 1) of the accepted messages did not exceed.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Duration {
        Duration::from_micros(self.latency.value_at_quantile(quantile))
    }

    /// The figures as one JSON object; times in microseconds.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let micros = |quantile| u64::try_from(self.quantile(quantile).as_micros()).unwrap_or(0);
        serde_json::json!({
            "accepted": self.accepted(),
            "rate_per_second": self.rate(),
            "p50_us": micros(0.5),
            "p90_us": micros(0.9),
            "p99_us": micros(0.99),
            "p999_us": micros(0.999),
            "max_us": micros(1.0),
            "statuses": self.statuses,
            "retransmissions": self.retransmissions,
            "seconds": self.duration.as_secs_f64(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} messages accepted, {:.0} per second; p50 {:?}, p99 {:?}, max {:?}; {} retransmissions",
            self.accepted(),
            self.rate(),
            self.quantile(0.5),
            self.quantile(0.99),
            self.quantile(1.0),
            self.retransmissions
        )?;
        for (status, count) in self.statuses.iter().filter(|(status, _)| **status != 202) {
            match status {
                0 => writeln!(f, "never answered: {count}")?,
                status => writeln!(f, "answered {status}: {count}")?,
            }
        }
        Ok(())
    }
}
