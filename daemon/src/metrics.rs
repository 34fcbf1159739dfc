//! Metrics of the process in the Prometheus text format.
//!
//! Code counts through the `metrics` facade; this module is what listens. Names follow
//! `restante_<noun>_<unit>`, with `_total` for counters; no label may hold a user, Call-ID or
//! Message-ID, because each value of a label is a series that lives as long as the process.

mod table;

use std::fmt;

use metrics_exporter_prometheus::{
    Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use metrics_process::Collector;

use crate::build_info::BUILD;
use crate::exit::{Code, Fatal};
pub use table::{Buckets, Kind, Label, Metric};

/// Reads what the process has counted.
#[derive(Clone)]
pub struct Metrics {
    handle: PrometheusHandle,
    /// Asked with each rendering.
    system: Option<Collector>,
}

impl Metrics {
    /// Starts counting for the whole process, whose metrics are in this table.
    ///
    /// # Errors
    /// [`Code::Bug`] if the process already counts.
    pub fn install<'a>(table: impl IntoIterator<Item = &'a Metric>) -> Result<Self, Fatal> {
        let table: Vec<_> = table.into_iter().chain(&OWN).collect();
        let recorder = recorder(&table);
        for metric in table {
            metric.begin(&recorder);
        }
        let handle = recorder.handle();
        let installed = metrics::set_global_recorder(recorder);
        installed.map_err(|_| Fatal::new(Code::Bug, "the metrics were started twice"))?;
        count_build();
        let system = Some(Collector::default());
        Ok(Self { handle, system })
    }

    /// Metrics that nothing counts into: for a part of a process under test.
    pub fn detached() -> Self {
        Self {
            handle: recorder(&[]).handle(),
            system: None,
        }
    }

    /// All metrics in the text format of Prometheus.
    pub fn render(&self) -> String {
        if let Some(system) = &self.system {
            system.collect();
        }
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

fn recorder(table: &[&Metric]) -> PrometheusRecorder {
    let named = table.iter().filter_map(|metric| match metric.kind {
        Kind::Histogram(buckets) => Some((Matcher::Full(metric.name.to_owned()), buckets)),
        _ => None,
    });
    let by_unit = (Matcher::Suffix("_seconds".to_owned()), Buckets::Seconds);
    let builder = PrometheusBuilder::new();
    let mut builder = builder
        .set_buckets(Buckets::Amounts.bounds())
        .expect("the bounds are not empty");
    for (matcher, buckets) in named.chain([by_unit]) {
        builder = builder
            .set_buckets_for_metric(matcher, buckets.bounds())
            .expect("the bounds are not empty");
    }
    builder.build_recorder()
}

/// What this module counts itself.
pub const OWN: [Metric; 10] = [
    Metric {
        name: "restante_build_info",
        kind: Kind::Gauge,
        labels: &[
            Label {
                name: "version",
                values: &[],
            },
            Label {
                name: "commit",
                values: &[],
            },
        ],
        help: "Version and commit of the process; always 1.",
    },
    Metric {
        name: "restante_log_suppressed_total",
        kind: Kind::Counter,
        labels: &[Label {
            name: "level",
            values: &["warn", "error"],
        }],
        help: "Lines that the log does not have because there were too many of one event.",
    },
    of_system(
        "process_cpu_seconds_total",
        Kind::Counter,
        "Time of processors, in the process and in the system for it.",
    ),
    of_system("process_open_fds", Kind::Gauge, "Open file descriptors."),
    of_system(
        "process_max_fds",
        Kind::Gauge,
        "File descriptors that the process may open.",
    ),
    of_system(
        "process_virtual_memory_bytes",
        Kind::Gauge,
        "Address space.",
    ),
    of_system(
        "process_virtual_memory_max_bytes",
        Kind::Gauge,
        "Address space that the process may have.",
    ),
    of_system(
        "process_resident_memory_bytes",
        Kind::Gauge,
        "Memory of the process.",
    ),
    of_system(
        "process_start_time_seconds",
        Kind::Gauge,
        "When the process started, in seconds since 1970.",
    ),
    of_system("process_threads", Kind::Gauge, "Threads of the process."),
];

/// What the operating system tells of the process, by the names that all exporters have for it.
const fn of_system(name: &'static str, kind: Kind, help: &'static str) -> Metric {
    Metric {
        name,
        kind,
        labels: &[],
        help,
    }
}

fn count_build() {
    metrics::gauge!("restante_build_info", "version" => BUILD.version, "commit" => BUILD.commit)
        .set(1.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: [Metric; 4] = [
        Metric {
            name: "restante_stay_seconds",
            kind: Kind::Histogram(Buckets::Ages),
            labels: &[],
            help: "Stays.",
        },
        Metric {
            name: "restante_tries_total",
            kind: Kind::Counter,
            labels: &[
                Label {
                    name: "way",
                    values: &["in", "out"],
                },
                Label {
                    name: "result",
                    values: &["ok", "failed"],
                },
            ],
            help: "Tries.",
        },
        Metric {
            name: "restante_level",
            kind: Kind::Level,
            labels: &[],
            help: "How many.",
        },
        Metric {
            name: "restante_measured_bytes",
            kind: Kind::Gauge,
            labels: &[],
            help: "How much.",
        },
    ];

    /// What is rendered after `counting`.
    fn rendered(table: &[Metric], counting: impl FnOnce()) -> String {
        let table: Vec<_> = table.iter().chain(&OWN).collect();
        let recorder = recorder(&table);
        for metric in table {
            metric.begin(&recorder);
        }
        metrics::with_local_recorder(&recorder, counting);
        let metrics = Metrics {
            handle: recorder.handle(),
            system: None,
        };
        metrics.fold();
        metrics.render()
    }

    #[test]
    fn the_build_is_a_gauge_with_labels() {
        let text = rendered(&[], count_build);
        assert!(
            text.contains("# HELP restante_build_info Version"),
            "{text}"
        );
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
    fn histograms_have_buckets_by_the_table_else_by_their_unit() {
        let text = rendered(&TABLE, || {
            metrics::histogram!("restante_commit_duration_seconds").record(0.003);
            metrics::histogram!("restante_stay_seconds").record(100_000.0);
            metrics::histogram!("restante_group_commit_requests").record(5.0);
        });
        for line in [
            "restante_commit_duration_seconds_bucket{le=\"0.0025\"} 0",
            "restante_commit_duration_seconds_bucket{le=\"0.005\"} 1",
            "restante_stay_seconds_bucket{le=\"86400\"} 0",
            "restante_stay_seconds_bucket{le=\"259200\"} 1",
            "restante_group_commit_requests_bucket{le=\"4\"} 0",
            "restante_group_commit_requests_bucket{le=\"16\"} 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn what_has_not_happened_is_a_zero_and_what_was_not_measured_is_not_there() {
        let text = rendered(&TABLE, || {});
        for line in [
            "restante_tries_total{way=\"in\",result=\"ok\"} 0",
            "restante_tries_total{way=\"out\",result=\"failed\"} 0",
            "restante_level 0",
            "restante_stay_seconds_count 0",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(!text.contains("restante_measured_bytes"), "{text}");
    }
}
