//! Sends finished spans, many at a time. Whoever finishes one never waits: what finds no room is counted and gone.

use std::time::Duration;

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use metrics::{Counter, counter};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Open, otlp};
use crate::http_client::HttpClient;

/// Spans that may wait.
const WAITING: usize = 8_192;
/// Spans of one request.
const BATCH: usize = 512;
/// How long the first span of a request waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long a collector may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// Octets of an answer, which says nothing that we need.
const ANSWER_OCTETS: usize = 64 << 10;
/// How long the last spans may take when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// A span that is over.
pub(super) struct Finished {
    pub(super) open: Box<Open>,
    pub(super) took: Duration,
}

/// Where finished spans wait.
pub(super) struct Queue {
    sender: mpsc::Sender<Finished>,
    dropped: Counter,
}

impl Queue {
    pub(super) fn push(&self, finished: Finished) {
        if self.sender.try_send(finished).is_err() {
            self.dropped.increment(1);
        }
    }
}

/// The task that sends them.
#[derive(Debug)]
pub struct Exporter {
    stop: tokio_util::sync::CancellationToken,
    task: JoinHandle<()>,
}

impl Exporter {
    /// Sends what waits, for two seconds at most, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = timeout(LAST, self.task).await;
    }
}

pub(super) fn start(client: HttpClient, process: &str) -> (Queue, Exporter) {
    let (sender, spans) = mpsc::channel(WAITING);
    let queue = Queue {
        sender,
        dropped: spans_total("dropped"),
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let sending = Sending {
        client,
        process: process.to_owned(),
        spans,
        was_taken: true,
    };
    let task = tokio::spawn(sending.run(stop.clone()));
    (queue, Exporter { stop, task })
}

fn spans_total(outcome: &'static str) -> Counter {
    counter!("restante_trace_spans_total", "outcome" => outcome)
}

struct Sending {
    client: HttpClient,
    process: String,
    spans: mpsc::Receiver<Finished>,
    /// Whether the collector took the last request: a collector that is gone is told of once.
    was_taken: bool,
}

impl Sending {
    async fn run(mut self, stop: tokio_util::sync::CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let is_last = tokio::select! {
                gathered = gather(&mut self.spans, &mut batch) => !gathered,
                () = stop.cancelled() => {
                    self.spans.close();
                    while self.spans.recv_many(&mut batch, BATCH).await > 0 {
                        self.send(&mut batch).await;
                    }
                    true
                }
            };
            self.send(&mut batch).await;
            if is_last {
                return;
            }
        }
    }

    async fn send(&mut self, batch: &mut Vec<Finished>) {
        if batch.is_empty() {
            return;
        }
        let octets = otlp::request(&self.process, batch);
        let path = format!("{}/v1/traces", self.client.root().path());
        let head = self.client.post(&path);
        let head = head.header(CONTENT_TYPE, "application/x-protobuf");
        let answer = timeout(ANSWER, self.client.send(head, octets, ANSWER_OCTETS)).await;
        let problem = match answer {
            Ok(Ok(answer)) if answer.status == StatusCode::OK => None,
            Ok(Ok(answer)) => Some(format!("it answered {}", answer.status.as_u16())),
            Ok(Err(error)) => Some(error),
            Err(_) => Some("it did not answer".to_owned()),
        };
        let outcome = if problem.is_none() {
            "exported"
        } else {
            "failed"
        };
        spans_total(outcome).increment(batch.len() as u64);
        batch.clear();
        match problem {
            Some(problem) if self.was_taken => {
                tracing::warn!(event = "trace.export_failed", error = %problem, "collector takes no spans");
            }
            None if !self.was_taken => tracing::info!(
                event = "trace.export_resumed",
                "collector takes spans again"
            ),
            _ => {}
        }
        self.was_taken = outcome == "exported";
    }
}

/// Some spans, as many as come within a while of the first; false at their end. May be dropped and called again.
async fn gather(spans: &mut mpsc::Receiver<Finished>, batch: &mut Vec<Finished>) -> bool {
    if batch.is_empty() {
        match spans.recv().await {
            Some(first) => batch.push(first),
            None => return false,
        }
    }
    let more = async {
        while batch.len() < BATCH {
            match spans.recv().await {
                Some(next) => batch.push(next),
                None => return false,
            }
        }
        true
    };
    timeout(GATHER, more).await.unwrap_or(true)
}
