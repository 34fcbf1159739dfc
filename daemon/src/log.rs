//! The log: one event is one line on standard error, for people or for machines.
//!
//! The rules of the lines (constant text, variables in fields, levels, identities in
//! [`Redacted`](crate::redact::Redacted)) are those of the events; this module only prints them.

use std::fmt;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::str::FromStr;

use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::TextValue;
use crate::exit::{Code, Fatal};
use crate::redact::Key;

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
        /// single targets after it, such as `info,restante_sip_edge=debug`.
        filter: Filter = "info",
        /// Users and addresses appear as short hashes. Processes given the same secret print the
        /// same hash for the same user; without one each process draws its own at start.
        redaction_key: Option<Key> = "off",
    }
}

/// Directives that choose the events to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

impl FromStr for Filter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::builder().parse(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TextValue for Filter {
    const EXPECTED: &'static str =
        "levels such as `info` or `info,restante_sip_edge=debug`, separated by commas";
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Starts logging and puts panics into the log. To be called once, before anything is logged.
///
/// # Errors
/// [`Code::Bug`] if the process already has a log.
pub fn init(log: &Log) -> Result<(), Fatal> {
    if let Some(key) = log.redaction_key.clone() {
        key.install();
    }
    let colours = std::io::stderr().is_terminal();
    let subscriber = subscriber(log, colours, std::io::stderr);
    let installed = tracing::subscriber::set_global_default(subscriber);
    installed.map_err(|_| Fatal::new(Code::Bug, "the log was started twice"))?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn subscriber<W>(log: &Log, colours: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match log.format {
        Format::Pretty => lines.with_ansi(colours).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    Registry::default()
        .with(lines)
        .with(EnvFilter::new(&log.filter.0))
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
    tracing::error!(location, text, "panicked");
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
        let buffer = Buffer::default();
        let writer = buffer.clone();
        let subscriber = subscriber(log, false, move || writer.clone());
        tracing::subscriber::with_default(subscriber, events);
        let octets = buffer.0.lock().expect("not poisoned").clone();
        String::from_utf8(octets).expect("UTF-8")
    }

    fn log(format: Format, filter: &str) -> Log {
        Log {
            format,
            filter: filter.parse().expect("a filter"),
            redaction_key: None,
        }
    }

    #[test]
    fn json_is_one_object_per_line_with_fields_at_its_top() {
        let text = written(&log(Format::Json, "info"), || {
            tracing::info!(attempt = 2, "message accepted");
            tracing::warn!("odd but\nrecovered");
        });
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
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
            tracing::info!("life");
            tracing::debug!(target: "restante_sip_edge", "each message");
            tracing::debug!(target: "h2", "frames");
        };
        let text = written(&log(Format::Pretty, "warn,restante_sip_edge=debug"), events);
        assert!(text.contains("each message"), "{text}");
        assert!(!text.contains("life") && !text.contains("frames"), "{text}");
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
}
