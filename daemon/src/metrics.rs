//! Metrics of the process in the Prometheus text format.
//!
//! Code counts through the `metrics` facade; this module is what listens. Names follow
//! `restante_<noun>_<unit>`, with `_total` for counters; no label may hold a user, Call-ID or
//! Message-ID, because each value of a label is a series that lives as long as the process.

use std::fmt;

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};

use crate::build_info::BUILD;
use crate::exit::{Code, Fatal};

/// Upper bounds of the buckets of histograms named `…_seconds`: from a commit on a fast disk to
/// the 32 s of a SIP transaction (RFC 3261 §17.1.2.2, Timer F).
const SECONDS: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 4.0, 10.0,
    32.0,
];

/// Upper bounds of the buckets of all other histograms: powers of four, for octets and batch sizes.
const AMOUNTS: [f64; 13] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
];

/// Reads what the process has counted.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
}

impl Metrics {
    /// Starts counting for the whole process.
    ///
    /// # Errors
    /// [`Code::Bug`] if the process already counts.
    pub fn install() -> Result<Self, Fatal> {
        let recorder = recorder();
        let handle = recorder.handle();
        let installed = metrics::set_global_recorder(recorder);
        installed.map_err(|_| Fatal::new(Code::Bug, "the metrics were started twice"))?;
        describe_build();
        Ok(Self { handle })
    }

    /// Metrics that nothing counts into: for a part of a process under test.
    pub fn detached() -> Self {
        Self {
            handle: recorder().handle(),
        }
    }

    /// All metrics in the text format of Prometheus.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds recorded samples into their buckets. To be called every few seconds, or samples
    /// accumulate until the next [`Metrics::render`].
    pub fn fold(&self) {
        self.handle.run_upkeep();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn recorder() -> PrometheusRecorder {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .and_then(|builder| builder.set_buckets(&AMOUNTS));
    builder.expect("the bounds are not empty").build_recorder()
}

/// `restante_build_info` is 1; what it says is in its labels.
fn describe_build() {
    metrics::describe_gauge!(
        "restante_build_info",
        "Version and commit of this process; always 1."
    );
    metrics::gauge!("restante_build_info", "version" => BUILD.version, "commit" => BUILD.commit)
        .set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is rendered after `counting`.
    fn rendered(counting: impl FnOnce()) -> String {
        let recorder = recorder();
        metrics::with_local_recorder(&recorder, counting);
        let metrics = Metrics {
            handle: recorder.handle(),
        };
        metrics.fold();
        metrics.render()
    }

    #[test]
    fn the_build_is_a_gauge_with_labels() {
        let text = rendered(describe_build);
        assert!(text.contains("# TYPE restante_build_info gauge"), "{text}");
        assert!(
            text.contains(&format!("version=\"{}\"", BUILD.version)),
            "{text}"
        );
        assert!(
            text.contains(&format!("commit=\"{}\"", BUILD.commit)),
            "{text}"
        );
    }

    #[test]
    fn histograms_have_buckets_by_their_unit() {
        let text = rendered(|| {
            metrics::histogram!("restante_commit_duration_seconds").record(0.003);
            metrics::histogram!("restante_group_commit_batch_size").record(5.0);
        });
        for line in [
            "restante_commit_duration_seconds_bucket{le=\"0.0025\"} 0",
            "restante_commit_duration_seconds_bucket{le=\"0.005\"} 1",
            "restante_group_commit_batch_size_bucket{le=\"4\"} 0",
            "restante_group_commit_batch_size_bucket{le=\"16\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
