//! A load of large messages: many at the same time, each in a session of its own.
//!
//! The latency is that of the whole procedure, from the INVITE to the response to the BYE. With a rate it
//! counts from the moment a message was *due*, as in the load of pager messages.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{RngCore as _, SeedableRng as _};
use sip::Uri;

use super::report::Report;
use crate::content::Content;
use crate::envelope::Envelope;
use crate::upload::UploadControl;
use crate::{Client, ClientError, LargeMessage};

/// Length of the random octets that contents are made of; odd, so that pieces do not repeat their places.
const PATTERN_OCTETS: usize = (1 << 20) + 1;

/// A load.
#[derive(Clone, Debug)]
pub struct UploadPlan {
    /// Messages on their way at the same time.
    pub parallel: usize,
    /// Messages in all.
    pub count: usize,
    /// Messages that begin per second; none begins one as soon as another ends.
    pub rate: Option<f64>,
    /// Length of each message in octets; every content is unique.
    pub octets: u64,
    /// Recipients, in turn: `user-<n>@<domain>`.
    pub mailboxes: usize,
    /// Their domain.
    pub domain: String,
}

/// What such a load measured.
pub struct UploadReport {
    report: Report,
    octets: u64,
    /// What went wrong first, for people.
    first_failure: Option<String>,
}

/// Runs a plan to its end.
pub async fn run(client: Client, plan: &UploadPlan) -> UploadReport {
    let mut pattern = vec![0; PATTERN_OCTETS];
    SmallRng::from_os_rng().fill_bytes(&mut pattern);
    let shared = Arc::new(Uploads {
        client,
        plan: plan.clone(),
        pattern: pattern.into(),
        next: AtomicUsize::new(0),
        start: Instant::now(),
    });
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..plan.parallel.min(plan.count) {
        workers.spawn(Arc::clone(&shared).work());
    }
    let mut report = Report::new(Duration::ZERO);
    let mut first_failure = None;
    while let Some(ended) = workers.join_next().await {
        // A worker that panicked has counted nothing more; the counts say so.
        if let Ok((part, failure)) = ended {
            report.merge(&part);
            first_failure = first_failure.or(failure);
        }
    }
    report.duration = shared.start.elapsed();
    if let Some(shared) = Arc::into_inner(shared) {
        shared.client.close().await;
    }
    UploadReport {
        report,
        octets: plan.octets,
        first_failure,
    }
}

struct Uploads {
    client: Client,
    plan: UploadPlan,
    pattern: Bytes,
    next: AtomicUsize,
    start: Instant,
}

impl Uploads {
    async fn work(self: Arc<Self>) -> (Report, Option<String>) {
        let mut report = Report::new(Duration::ZERO);
        let mut first_failure = None;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.plan.count {
                return (report, first_failure);
            }
            let due = self.due(number);
            tokio::time::sleep_until(due.into()).await;
            let Some(message) = self.message(number) else {
                return (report, Some("the domain makes no URI".to_owned()));
            };
            let control = UploadControl::default();
            let outcome = self.client.send_large(&message, &control).await;
            let status = match &outcome {
                Ok(_) => 200,
                Err(ClientError::Refused { status, .. }) => status.code(),
                Err(_) => 0,
            };
            report.count(status, due.elapsed());
            first_failure = first_failure.or(outcome.err().map(|error| error.to_string()));
        }
    }

    /// When a message is to begin.
    fn due(&self, number: usize) -> Instant {
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let number = number as f64;
        match self.plan.rate {
            Some(rate) => self.start + Duration::from_secs_f64(number / rate),
            None => Instant::now(),
        }
    }

    fn message(&self, number: usize) -> Option<LargeMessage> {
        let Self { plan, pattern, .. } = self;
        let user = number % plan.mailboxes;
        let to: Uri = format!("sip:user-{user}@{}", plan.domain).parse().ok()?;
        let envelope = Envelope {
            asserted: true,
            ..Envelope::to(to)
        };
        let content = Content::pattern(pattern, number.wrapping_mul(8191), plan.octets);
        Some(LargeMessage::new(
            envelope,
            "application/octet-stream",
            content,
        ))
    }
}

impl UploadReport {
    /// Messages that arrived.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.report.accepted()
    }

    fn octets_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let octets = self.octets as f64;
        self.report.rate() * octets
    }

    /// The figures as one JSON object; times in microseconds.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        let mut figures = self.report.to_json();
        figures["octets_each"] = self.octets.into();
        figures["octets_per_second"] = self.octets_per_second().into();
        figures["first_failure"] = self.first_failure.clone().into();
        figures
    }
}

impl fmt::Display for UploadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        let mebibytes = self.octets_per_second() / f64::from(1 << 20);
        writeln!(f, "{mebibytes:.1} MiB per second")?;
        match &self.first_failure {
            Some(failure) => writeln!(f, "first failure: {failure}"),
            None => Ok(()),
        }
    }
}
