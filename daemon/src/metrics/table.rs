//! What a metric is called, what it says, and which values its labels have.

use metrics::{Key, Label as KeyLabel, Level as Verbosity, Metadata, Recorder};

/// One metric: a row in the table of those of a process.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// `restante_<noun>_<unit>`, with `_total` for counters.
    pub name: &'static str,
    /// How its value behaves.
    pub kind: Kind,
    /// What its series are told apart by.
    pub labels: &'static [Label],
    /// What it says: one sentence, the `HELP` of the text format.
    pub help: &'static str,
}

/// How the value of a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows until the process ends.
    Counter,
    /// A measurement: there is none before it was taken.
    Gauge,
    /// Something that is counted up and down, from zero.
    Level,
    /// A distribution.
    Histogram(Buckets),
}

/// Upper bounds of the buckets of a histogram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buckets {
    /// From a commit on a fast disk to the 32 s of a SIP transaction (RFC 3261 §17.1.2.2, Timer F).
    Seconds,
    /// Seconds from one to thirty days: how long messages stay.
    Ages,
    /// Powers of four.
    Amounts,
}

/// A label of a metric.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Its values; none where they are bounded by something that the table does not know.
    pub values: &'static [&'static str],
}

const SECONDS: [f64; 15] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 4.0, 10.0,
    32.0,
];

const AGES: [f64; 14] = [
    1.0,
    5.0,
    15.0,
    60.0,
    300.0,
    900.0,
    3_600.0,
    10_800.0,
    43_200.0,
    86_400.0,
    259_200.0,
    604_800.0,
    1_209_600.0,
    2_592_000.0,
];

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

impl Buckets {
    /// The bounds.
    pub fn bounds(self) -> &'static [f64] {
        match self {
            Self::Seconds => &SECONDS,
            Self::Ages => &AGES,
            Self::Amounts => &AMOUNTS,
        }
    }
}

impl Kind {
    /// As the text format has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Level => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

impl Metric {
    /// Says what it means and begins its series where their labels are known: what has not happened yet is a zero, not a gap,
    /// and the first time it happens is an increase.
    pub(super) fn begin(&self, recorder: &dyn Recorder) {
        let (name, help) = (self.name.into(), self.help.into());
        match self.kind {
            Kind::Counter => recorder.describe_counter(name, None, help),
            Kind::Gauge | Kind::Level => recorder.describe_gauge(name, None, help),
            Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
        }
        let metadata = Metadata::new(module_path!(), Verbosity::INFO, None);
        for labels in self.series() {
            let key = Key::from_parts(self.name, labels);
            match self.kind {
                Kind::Counter => drop(recorder.register_counter(&key, &metadata)),
                Kind::Gauge => {}
                Kind::Level => recorder.register_gauge(&key, &metadata).set(0.0),
                Kind::Histogram(_) => drop(recorder.register_histogram(&key, &metadata)),
            }
        }
    }

    /// The labels of each series; none if some value is not known.
    fn series(&self) -> Vec<Vec<KeyLabel>> {
        let mut series = vec![Vec::new()];
        for label in self.labels {
            let extended = series.iter().flat_map(|known: &Vec<KeyLabel>| {
                label.values.iter().map(|value| {
                    let mut labels = known.clone();
                    labels.push(KeyLabel::from_static_parts(label.name, value));
                    labels
                })
            });
            series = extended.collect();
        }
        series
    }
}
