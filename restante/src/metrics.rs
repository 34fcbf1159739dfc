//! The table of all metrics: what each process counts and measures, for `restante metrics`, `docs/metrics.md` and the text
//! format itself. Code counts where something happens; what is counted must stand here.

mod edge;
mod storage;

use std::fmt::Write as _;

use daemon::metrics::{Kind, Label, Metric, OWN};

use crate::process::Role;

/// Who counts something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Everybody,
    Edges,
    Only(Role),
}

/// Metrics of the same processes.
struct Section {
    of: Of,
    title: &'static str,
    metrics: &'static [Metric],
}

const SECTIONS: [Section; 6] = [
    Section {
        of: Of::Everybody,
        title: "Every process",
        metrics: &OWN,
    },
    Section {
        of: Of::Everybody,
        title: "Every process: TLS and traces",
        metrics: &EVERYBODY,
    },
    Section {
        of: Of::Edges,
        title: "Both edges",
        metrics: &edge::BOTH,
    },
    Section {
        of: Of::Only(Role::SipEdge),
        title: "sip-edge",
        metrics: &edge::PARTICIPATING,
    },
    Section {
        of: Of::Only(Role::ControllingEdge),
        title: "controlling-edge",
        metrics: &edge::CONTROLLING,
    },
    Section {
        of: Of::Only(Role::Storage),
        title: "storage",
        metrics: &storage::STORAGE,
    },
];

const EVERYBODY: [Metric; 3] = [
    counter(
        "restante_trace_spans_total",
        &[label("outcome", &["exported", "failed", "dropped"])],
        "Spans that a collector took, that it did not take, and that found no room to wait.",
    ),
    counter(
        "restante_tls_reloads_total",
        &[Label {
            name: "outcome",
            values: &["loaded", "failed"],
        }],
        "Certificates that had changed and were read again.",
    ),
    gauge(
        "restante_tls_certificate_end_timestamp_seconds",
        &[label(
            "purpose",
            &["sip", "msrp", "grpc", "storage-client", "console"],
        )],
        "When the first certificate of the chain that is shown ends, in seconds since 1970.",
    ),
];

impl Of {
    fn includes(self, role: Role) -> bool {
        match self {
            Self::Everybody => true,
            Self::Edges => role != Role::Storage,
            Self::Only(one) => one == role,
        }
    }
}

/// Those of a process with these roles, but for what the daemon counts itself.
pub(crate) fn of(roles: &[Role]) -> impl Iterator<Item = &'static Metric> {
    let sections = SECTIONS.iter().filter(|section| {
        let is_ours = roles.iter().any(|role| section.of.includes(*role));
        is_ours && section.title != SECTIONS[0].title
    });
    sections.flat_map(|section| section.metrics)
}

/// The document of all metrics.
pub(crate) fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in &SECTIONS {
        let _ = write!(
            text,
            "\n## {}\n\n| name | type | labels | what it says |\n|---|---|---|---|\n",
            section.title
        );
        for metric in section.metrics {
            let labels: Vec<_> = metric.labels.iter().map(shown).collect();
            let Metric {
                name, kind, help, ..
            } = metric;
            let _ = writeln!(
                text,
                "| `{name}` | {} | {} | {help} |",
                kind.word(),
                labels.join("; ")
            );
        }
    }
    text
}

const HEAD: &str = "\
# Metrics

What each process counts and measures, at `/metrics` of its admin listener in the text format of Prometheus. This file is what
`restante metrics` prints; tests hold it, and what processes really show, against the table in `restante/src/metrics`.

Base units are in the names (`_seconds`, `_bytes`), counters end in `_total`. No label holds a user, a Call-ID or a Message-ID. Counters
and histograms whose labels have known values begin at zero when the process starts. Values of a label are listed behind it; where none
are, it is bounded by the families of the store, the methods of the contract, or the build. `restante all` has all of them.

Alert rules: [deploy/prometheus/alerts.yml](../deploy/prometheus/alerts.yml), what to do about each: [operations by
failure](operations-by-failure.md). Dashboards: `deploy/grafana/dashboards`.
";

fn shown(label: &Label) -> String {
    match label.values {
        [] => format!("`{}`", label.name),
        values => format!("`{}`: {}", label.name, values.join(", ")),
    }
}

const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Counter,
        labels,
        help,
    }
}

const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        labels,
        help,
    }
}

const fn level(name: &'static str, labels: &'static [Label], help: &'static str) -> Metric {
    Metric {
        name,
        kind: Kind::Level,
        labels,
        help,
    }
}

const fn histogram(
    name: &'static str,
    kind: daemon::metrics::Buckets,
    labels: &'static [Label],
    help: &'static str,
) -> Metric {
    Metric {
        name,
        kind: Kind::Histogram(kind),
        labels,
        help,
    }
}

const fn label(name: &'static str, values: &'static [&'static str]) -> Label {
    Label { name, values }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn all() -> impl Iterator<Item = &'static Metric> {
        SECTIONS.iter().flat_map(|section| section.metrics)
    }

    #[test]
    fn names_follow_the_conventions_and_are_there_once() {
        let mut seen = BTreeSet::new();
        for Metric {
            name, kind, help, ..
        } in all()
        {
            assert!(seen.insert(name), "{name} twice");
            let is_prefixed = name.starts_with("restante_") || name.starts_with("process_");
            assert!(is_prefixed, "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(help.ends_with('.') && !help.contains('|'), "{name}");
            for unit in ["_octets", "_milliseconds", "_ms", "_percent"] {
                let stem = name.trim_end_matches("_total");
                assert!(!stem.ends_with(unit), "{name}");
            }
        }
    }

    #[test]
    fn a_process_has_its_own_and_what_all_have() {
        let names = |roles: &[Role]| of(roles).map(|metric| metric.name).collect::<BTreeSet<_>>();
        let storage = names(&[Role::Storage]);
        let edge = names(&[Role::SipEdge]);
        assert!(storage.contains("restante_sync_duration_seconds"));
        assert!(!edge.contains("restante_sync_duration_seconds"));
        assert!(edge.contains("restante_sip_dropped_total"));
        assert!(!storage.contains("restante_sip_dropped_total"));
        assert!(storage.contains("restante_tls_reloads_total"));
        let together = names(&Role::ALL);
        assert!(together.is_superset(&storage) && together.is_superset(&edge));
    }
}
