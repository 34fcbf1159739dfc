//! Lines that come again and again: a few are written, of the rest only how many there were.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::counter;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Of the lines that tell of others.
pub(super) const TARGET: &str = module_path!();

/// Keeps lines at warn and error from the log of which there are too many. Clones share what they know.
///
/// A source is a place of the code: there are as many as the program has, however many users and peers it sees.
#[derive(Clone, Debug)]
pub(super) struct Repeated(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: u32,
    window: Duration,
    sources: Mutex<HashMap<Identifier, Source>>,
    /// A first line of a source was kept back.
    news: Notify,
}

/// What is known of one place of the code.
#[derive(Debug)]
struct Source {
    /// What it logs: its event, or for a library its target.
    name: String,
    /// When its window ends; the next line begins another.
    ends: Instant,
    /// Lines of this window that were written.
    written: u32,
    /// Lines that were not, and have not been told.
    suppressed: u64,
    /// When they are to be told.
    due: Instant,
}

/// Lines of one source that were not written.
#[derive(Debug, PartialEq, Eq)]
struct Untold {
    name: String,
    suppressed: u64,
}

impl Repeated {
    /// Lets `limit` lines of each source through in each `window`.
    pub(super) fn new(limit: u32, window: Duration) -> Self {
        Self(Arc::new(Shared {
            limit,
            window,
            sources: Mutex::default(),
            news: Notify::new(),
        }))
    }

    /// Tells at the end of each window what was kept back in it. Never ends.
    pub(super) async fn tell(&self) {
        loop {
            let news = self.0.news.notified();
            match self.next_due() {
                Some(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = news => {}
                },
                None => news.await,
            }
            self.tell_until(Some(Instant::now()));
        }
    }

    /// Tells what was kept back and is due at this time; all of it without one, as at the end of the process.
    pub(super) fn tell_until(&self, now: Option<Instant>) {
        for Untold { name, suppressed } in self.take(now) {
            tracing::warn!(
                event = "log.suppressed",
                of = name,
                suppressed,
                "lines of one event were not written"
            );
        }
    }

    fn admits(&self, metadata: &Metadata<'_>, event: &Event<'_>, now: Instant) -> bool {
        let shared = &*self.0;
        let mut sources = shared
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let source = sources
            .entry(metadata.callsite())
            .or_insert_with(|| Source {
                name: name(metadata, event),
                ends: now + shared.window,
                written: 0,
                suppressed: 0,
                due: now,
            });
        if source.ends <= now {
            source.ends = now + shared.window;
            source.written = 0;
        }
        if source.written < shared.limit {
            source.written += 1;
            return true;
        }
        if source.suppressed == 0 {
            source.due = source.ends;
            shared.news.notify_one();
        }
        source.suppressed += 1;
        false
    }

    fn take(&self, now: Option<Instant>) -> Vec<Untold> {
        let mut sources = self
            .0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_due =
            |source: &&mut Source| source.suppressed > 0 && now.is_none_or(|now| source.due <= now);
        let due = sources.values_mut().filter(is_due);
        due.map(|source| Untold {
            name: source.name.clone(),
            suppressed: std::mem::take(&mut source.suppressed),
        })
        .collect()
    }

    fn next_due(&self) -> Option<Instant> {
        let sources = self
            .0
            .sources
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let untold = sources.values().filter(|source| source.suppressed > 0);
        untold.map(|source| source.due).min()
    }
}

impl<S: Subscriber> Layer<S> for Repeated {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // What tells of the others comes once for each window.
        if *metadata.level() > Level::WARN || metadata.target() == TARGET {
            return true;
        }
        let admitted = self.admits(metadata, event, Instant::now());
        if !admitted {
            let level = match *metadata.level() {
                Level::ERROR => "error",
                _ => "warn",
            };
            counter!("restante_log_suppressed_total", "level" => level).increment(1);
        }
        admitted
    }
}

/// What a line is called: its event, or the target of a library.
fn name(metadata: &Metadata<'_>, event: &Event<'_>) -> String {
    let mut found = EventName(None);
    event.record(&mut found);
    found.0.unwrap_or_else(|| metadata.target().to_owned())
}

/// Looks for the field `event`.
struct EventName(Option<String>);

impl Visit for EventName {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "event" {
            self.0 = Some(value.to_owned());
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
