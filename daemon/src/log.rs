//! The log: one event is one line on standard error, for people or for machines.
//!
//! The rules of the lines (constant text, variables in fields, levels, identities in
//! [`Redacted`](crate::redact::Redacted)) are those of the events; this module only prints them, all but those that
//! come again and again, and lets operators choose for a while what else is printed.

mod filter;
mod repeated;

use std::io::IsTerminal;
use std::num::NonZeroU32;
use std::panic::PanicHookInfo;
use std::time::Duration;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::exit::{Code, Fatal};
use crate::redact::Key;
pub use filter::{Directive, Filter, FilterControl, Holding, LONGEST};
use repeated::Repeated;

/// Of the lines about the process itself, such as that it panicked.
const TARGET: &str = module_path!();

crate::choice! {
    /// How the lines of the log look.
    pub enum Format {
        /// Text, with colours when standard error is a terminal.
        Pretty = "pretty",
        /// One JSON object per line.
        Json = "json",
    }
}

crate::section! {
    /// The log, written to standard error.
    pub struct Log in "log" {
        /// `pretty` for people, `json` for machines (one object per line).
        format: Format = "pretty",
        /// Which events are written: a level (error, warn, info, debug, trace), and levels of
        /// single targets after it, such as `info,restante_sip_edge=debug`. What the log says of itself, and panics, are always written.
        filter: Filter = "info" => Reload,
        /// Lines at warn and error that one place of the code may write in each `log.repeat_window`. More are not written; at
        /// the end of the window one line tells how many they were. `off`: all are written.
        repeat_limit: Option<NonZeroU32> = 20,
        /// How long `log.repeat_limit` lines are enough.
        repeat_window: Duration = "1m",
        /// Users and addresses appear as short hashes. Processes given the same secret print the
        /// same hash for the same user; without one each process draws its own at start.
        redaction_key: Option<Key> = "off",
    }
}

/// A log that is written to.
#[derive(Clone, Debug)]
pub struct Running {
    filter: FilterControl,
    repeated: Option<Repeated>,
}

impl Running {
    /// What chooses the lines.
    #[must_use]
    pub fn filter(&self) -> &FilterControl {
        &self.filter
    }

    /// Does what is to be done at its time: ends changes of the filter, tells what was not written. Never ends.
    pub async fn keep(&self) {
        let telling = async {
            match &self.repeated {
                Some(repeated) => repeated.tell().await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(self.filter.expire(), telling);
    }

    /// Tells what was not written and has not been told, at the end of the process.
    pub fn tell_rest(&self) {
        if let Some(repeated) = &self.repeated {
            repeated.tell_until(None);
        }
    }
}

/// Starts logging and puts panics into the log. To be called once, before anything is logged.
///
/// # Errors
/// [`Code::Bug`] if the process already has a log.
pub fn init(log: &Log) -> Result<Running, Fatal> {
    if let Some(key) = log.redaction_key.clone() {
        key.install();
    }
    let colours = std::io::stderr().is_terminal();
    let (subscriber, running) = subscriber(log, colours, std::io::stderr);
    let installed = tracing::subscriber::set_global_default(subscriber);
    installed.map_err(|_| Fatal::new(Code::Bug, "the log was started twice"))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(running)
}

fn subscriber<W>(
    log: &Log,
    colours: bool,
    writer: W,
) -> (impl Subscriber + Send + Sync + use<W>, Running)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        Format::Pretty => lines.with_ansi(colours).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    let limit = log.repeat_limit;
    let repeated = limit.map(|limit| Repeated::new(limit.get(), log.repeat_window));
    let (chosen, filter) = FilterControl::new(&log.filter);
    let subscriber = Registry::default()
        .with(lines)
        .with(repeated.clone())
        .with(chosen);
    (subscriber, Running { filter, repeated })
}

/// Logs where a panic happened. Its text only if it is a constant of the source: a formatted one
/// may hold what must not be logged.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    let text = panic
        .payload()
        .downcast_ref::<&'static str>()
        .copied()
        .unwrap_or_default();
    tracing::error!(event = "process.panicked", location, text, "panicked");
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::redact::Redacted;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").write(octets)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What the log holds after `events`.
    fn written(log: &Log, events: impl FnOnce()) -> String {
        written_by(log, |_| events())
    }

    fn written_by(log: &Log, events: impl FnOnce(&Running)) -> String {
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let (subscriber, running) = subscriber(log, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || events(&running));
        let octets = buffer.0.lock().expect("not poisoned").clone();
        String::from_utf8(octets).expect("UTF-8")
    }

    fn log(format: Format, filter: &str) -> Log {
        Log {
            format,
            filter: filter.parse().expect("a filter"),
            ..Log::default()
        }
    }

    fn events(text: &str) -> Vec<serde_json::Value> {
        let lines = text.lines().map(serde_json::from_str);
        lines.map(|line| line.expect("JSON")).collect()
    }

    #[test]
    fn json_is_one_object_per_line_with_fields_at_its_top() {
        let text = written(&log(Format::Json, "info"), || {
            tracing::info!(attempt = 2, "message accepted");
            tracing::warn!("odd but\nrecovered");
        });
        let lines = events(&text);
        assert_eq!(lines.len(), 2);
        assert_eq!(
            (&lines[0]["message"], &lines[0]["attempt"]),
            (&"message accepted".into(), &2.into())
        );
        assert_eq!(lines[1]["level"], "WARN");
    }

    #[test]
    fn the_filter_chooses_by_level_and_target() {
        let events = || {
            tracing::info!(target: "restante_service", "life");
            tracing::debug!(target: "restante_sip_edge", "each message");
            tracing::debug!(target: "h2", "frames");
        };
        let text = written(&log(Format::Pretty, "warn,restante_sip_edge=debug"), events);
        assert!(text.contains("each message"), "{text}");
        assert!(!text.contains("life") && !text.contains("frames"), "{text}");
    }

    #[test]
    fn what_the_log_says_of_itself_is_written_whatever_the_filter_is() {
        for filter in [
            "off",
            "restante_daemon=off",
            "off,restante_daemon::log::filter=off,restante_daemon::log::repeated=off",
        ] {
            let log = Log {
                repeat_limit: NonZeroU32::new(1),
                ..log(Format::Json, filter)
            };
            let text = written_by(&log, |running| {
                let changes = ["error", "daemon::log=off", "daemon::log::repeated=off"];
                let changes = changes.map(|text| text.parse().expect("a directive"));
                let changed = running.filter().change(&changes, Duration::from_secs(60));
                changed.expect("changed");
                for _ in 0..3 {
                    tracing::error!(target: "elsewhere", event = "udp.failed", "again");
                }
                running.tell_rest();
                running.filter().reset();
            });
            let lines = events(&text);
            let told: Vec<_> = lines.iter().map(|line| &line["event"]).collect();
            let expected = [
                "log.filter_changed",
                "udp.failed",
                "log.suppressed",
                "log.filter_ended",
            ];
            assert_eq!(told, expected, "{filter}");
        }
    }

    #[test]
    fn a_wrong_filter_is_refused() {
        assert!("info,restante_sip_edge=loud".parse::<Filter>().is_err());
    }

    #[test]
    fn redacted_values_do_not_reach_the_log() {
        let user = Redacted("sip:alice@example.org");
        for format in [Format::Pretty, Format::Json] {
            let text = written(&log(format, "trace"), || {
                tracing::info!(mailbox = %user, sender = ?user, "message accepted");
            });
            assert!(text.contains(&user.to_string()), "{text}");
            assert!(!text.contains("alice"), "{text}");
        }
    }

    #[test]
    fn lines_of_one_place_that_come_again_and_again_are_counted_and_others_are_written() {
        let log = Log {
            repeat_limit: NonZeroU32::new(3),
            ..log(Format::Json, "info")
        };
        let text = written_by(&log, |running| {
            for attempt in 0..10 {
                tracing::warn!(event = "udp.failed", attempt, "again");
                tracing::info!(attempt, "life");
            }
            tracing::error!(event = "store.latched", "once");
            running.tell_rest();
            running.tell_rest();
        });
        let lines = events(&text);
        let of = |message: &str| {
            let lines = lines.iter().filter(|line| line["message"] == message);
            lines.count()
        };
        assert_eq!((of("again"), of("life"), of("once")), (3, 10, 1), "{text}");
        let told: Vec<_> = lines
            .iter()
            .filter(|line| line["event"] == "log.suppressed")
            .map(|line| (line["of"].as_str(), line["suppressed"].as_u64()))
            .collect();
        assert_eq!(told, [(Some("udp.failed"), Some(7))]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_not_written_is_told_at_the_end_of_its_window_and_then_lines_are_written_again()
     {
        let log = Log {
            repeat_limit: NonZeroU32::new(1),
            ..log(Format::Json, "info")
        };
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let (subscriber, running) = subscriber(&log, false, move || writer.clone());
        let _guard = tracing::subscriber::set_default(subscriber);
        let keeping = tokio::spawn(async move { running.keep().await });
        let fail = || tracing::warn!(event = "udp.failed", "again");
        for _ in 0..5 {
            fail();
        }
        tokio::time::sleep(Duration::from_secs(59)).await;
        let lines = || {
            let octets = buffer.0.lock().expect("not poisoned").clone();
            events(&String::from_utf8(octets).expect("UTF-8"))
        };
        assert_eq!(lines().len(), 1);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(lines()[1]["suppressed"], 4);
        fail();
        assert_eq!(lines().len(), 3);
        keeping.abort();
    }

    #[test]
    fn a_change_of_the_filter_holds_until_it_is_ended() {
        let text = written_by(&log(Format::Json, "warn"), |running| {
            let see = |what| tracing::debug!(target: "restante_sip_edge", what, "each message");
            see("before");
            let directive = "sip_edge=debug".parse().expect("a directive");
            let changed = running
                .filter()
                .change(&[directive], Duration::from_secs(60));
            changed.expect("changed");
            see("while");
            running
                .filter()
                .configure(&"error".parse().expect("a filter"));
            see("still");
            running.filter().reset();
            see("after");
        });
        let seen: Vec<_> = events(&text)
            .iter()
            .filter_map(|line| line["what"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(seen, ["while", "still"]);
    }
}
