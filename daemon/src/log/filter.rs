//! Which lines are written: what the configuration says, and for a while what an operator wants to see besides.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tracing::Subscriber;
use tracing_subscriber::{EnvFilter, Layer, reload};

use crate::config::TextValue;

/// The longest time for which a change of the filter holds.
pub const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// Changes that hold at a time.
const MOST: usize = 32;

/// What libraries of ours are called in targets, without the prefix that all have.
const OURS: [&str; 10] = [
    "console",
    "controlling_edge",
    "daemon",
    "edge",
    "net",
    "service",
    "sip_edge",
    "storage",
    "storage_client",
    "tls",
];

/// What says which lines are missing, and why: it is written whatever the filter is. Each by its full name, so that no directive
/// is about less.
const ALWAYS: [&str; 3] = [super::TARGET, module_path!(), super::repeated::TARGET];

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

impl Filter {
    /// It with these changes, the later the stronger.
    fn with<'a>(&self, changes: impl IntoIterator<Item = &'a Directive>) -> EnvFilter {
        let mut text = self.0.clone();
        for directive in changes {
            let _ = write!(text, ",{directive}");
        }
        // The last of those about the same target counts.
        for target in ALWAYS {
            let _ = write!(text, ",{target}=info");
        }
        EnvFilter::new(text)
    }
}

/// A level of one target: `restante_sip_edge=debug`, or of all that no other directive is about: `debug`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Directive {
    /// Empty: all.
    target: String,
    level: &'static str,
}

impl FromStr for Directive {
    type Err = String;

    /// Our own libraries may be named without their prefix: `sip_edge=debug`, and with `-`, as folders are.
    fn from_str(text: &str) -> Result<Self, String> {
        let (target, level) = match text.split_once('=') {
            Some((target, level)) => (target.trim(), level.trim()),
            None => ("", text.trim()),
        };
        let levels = ["off", "error", "warn", "info", "debug", "trace"];
        let level = levels
            .into_iter()
            .find(|known| known.eq_ignore_ascii_case(level))
            .ok_or_else(|| {
                format!(
                    "`{text}`: expected TARGET=LEVEL or LEVEL, where LEVEL is one of {}",
                    levels.join(", ")
                )
            })?;
        let is_part = |c: char| c.is_ascii_alphanumeric() || "_:-".contains(c);
        if !target.chars().all(is_part) || text.starts_with('=') {
            return Err(format!(
                "`{text}`: `{target}` is no target: write a library such as `sip_edge`, or a module of it as `sip_edge::delivery`"
            ));
        }
        let target = target.replace('-', "_");
        let first = target.split("::").next().unwrap_or_default();
        let target = match OURS.contains(&first) {
            true => format!("restante_{target}"),
            false => target,
        };
        Ok(Self { target, level })
    }
}

impl fmt::Display for Directive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.target.as_str() {
            "" => f.write_str(self.level),
            target => write!(f, "{target}={}", self.level),
        }
    }
}

/// What holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// Of the configuration.
    pub configured: String,
    /// Of operators, for a while, with the time that is left.
    pub changes: Vec<(Directive, Duration)>,
}

/// Changes the filter of the running log. Clones change the same.
#[derive(Clone)]
pub struct FilterControl(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// The changes are others than they were.
    news: Notify,
    apply: Box<dyn Fn(EnvFilter) + Send + Sync>,
}

struct State {
    configured: Filter,
    /// Levels of targets, and until when.
    changes: BTreeMap<String, (Directive, Instant)>,
}

impl FilterControl {
    /// The filter as a layer, and what changes it.
    pub(super) fn new<S: Subscriber>(configured: &Filter) -> (impl Layer<S> + use<S>, Self) {
        let (layer, handle) = reload::Layer::new(configured.with([]));
        let shared = Shared {
            state: Mutex::new(State {
                configured: configured.clone(),
                changes: BTreeMap::new(),
            }),
            news: Notify::new(),
            // It fails where the log is gone only.
            apply: Box::new(move |filter| drop(handle.reload(filter))),
        };
        (layer, Self(Arc::new(shared)))
    }

    /// Lets these directives hold for a while, each in place of what was said of its target before.
    ///
    /// # Errors
    /// A sentence, where nothing is changed: for a time that is zero or longer than [`LONGEST`], or too many changes.
    pub fn change(&self, directives: &[Directive], time: Duration) -> Result<(), String> {
        if time.is_zero() || time > LONGEST {
            return Err(
                "a change of the log filter holds for 24 hours at most, and not for no time"
                    .to_owned(),
            );
        }
        let mut state = self.lock();
        let new = directives
            .iter()
            .filter(|directive| !state.changes.contains_key(&directive.target));
        if new.count() + state.changes.len() > MOST {
            return Err(format!(
                "at most {MOST} changes of the log filter hold at a time: end some"
            ));
        }
        let until = Instant::now() + time;
        for directive in directives {
            state
                .changes
                .insert(directive.target.clone(), (directive.clone(), until));
        }
        self.apply(&state);
        drop(state);
        let filter = directives
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",");
        tracing::warn!(
            event = "log.filter_changed",
            filter,
            time_ms = time.as_millis(),
            "the log filter is changed for a while"
        );
        self.0.news.notify_one();
        Ok(())
    }

    /// Ends all changes before their time.
    pub fn reset(&self) {
        let mut state = self.lock();
        if state.changes.is_empty() {
            return;
        }
        state.changes.clear();
        self.apply(&state);
        drop(state);
        tell_end();
    }

    /// Takes another filter for that of the configuration. Changes of operators go on.
    pub fn configure(&self, filter: &Filter) {
        let mut state = self.lock();
        state.configured = filter.clone();
        self.apply(&state);
    }

    /// What holds now.
    #[must_use]
    pub fn holding(&self) -> Holding {
        let state = self.lock();
        let now = Instant::now();
        let changes = state.changes.values();
        let changes = changes
            .map(|(directive, until)| (directive.clone(), until.saturating_duration_since(now)));
        Holding {
            configured: state.configured.to_string(),
            changes: changes.collect(),
        }
    }

    /// Ends changes when their time is over. Never ends itself.
    pub(super) async fn expire(&self) {
        loop {
            let news = self.0.news.notified();
            let next = self.lock().changes.values().map(|(_, until)| *until).min();
            match next {
                Some(until) => tokio::select! {
                    () = sleep_until(until) => {}
                    () = news => {}
                },
                None => news.await,
            }
            let now = Instant::now();
            let mut state = self.lock();
            let before = state.changes.len();
            state.changes.retain(|_, (_, until)| *until > now);
            if state.changes.len() == before {
                continue;
            }
            self.apply(&state);
            drop(state);
            tell_end();
        }
    }

    fn apply(&self, state: &State) {
        let changes = state.changes.values().map(|(directive, _)| directive);
        (self.0.apply)(state.configured.with(changes));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FilterControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("FilterControl")
            .field(&self.holding())
            .finish()
    }
}

fn tell_end() {
    tracing::info!(
        event = "log.filter_ended",
        "a change of the log filter has ended"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directive(text: &str) -> String {
        text.parse::<Directive>()
            .map_or_else(|error| error, |directive| directive.to_string())
    }

    #[test]
    fn our_libraries_need_no_prefix() {
        assert_eq!(directive("sip_edge=debug"), "restante_sip_edge=debug");
        assert_eq!(
            directive("sip-edge::delivery=TRACE"),
            "restante_sip_edge::delivery=trace"
        );
        assert_eq!(directive("restante_net=off"), "restante_net=off");
        assert_eq!(directive("restante=debug"), "restante=debug");
        assert_eq!(directive("h2=debug"), "h2=debug");
        assert_eq!(directive("debug"), "debug");
    }

    #[test]
    fn what_is_no_directive_is_refused_with_what_is_expected() {
        for text in [
            "",
            "sip_edge=loud",
            "=debug",
            "a b=debug",
            "a[span]=debug",
            "sip_edge",
        ] {
            assert!(
                directive(text).contains("expected") || directive(text).contains("no target"),
                "{text}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_holds_for_its_time_and_ends_by_itself() {
        let (_layer, control) =
            FilterControl::new::<tracing_subscriber::Registry>(&"info".parse().expect("a filter"));
        let expiring = tokio::spawn({
            let control = control.clone();
            async move { control.expire().await }
        });
        let parse = |text: &str| text.parse::<Directive>().expect("a directive");
        control
            .change(&[parse("net=debug")], Duration::from_secs(600))
            .expect("changed");
        control
            .change(
                &[parse("net=trace"), parse("debug")],
                Duration::from_secs(60),
            )
            .expect("changed");
        let texts = |control: &FilterControl| {
            control
                .holding()
                .changes
                .iter()
                .map(|(d, _)| d.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(texts(&control), ["debug", "restante_net=trace"]);
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(texts(&control), [""; 0]);
        assert!(control.change(&[parse("debug")], Duration::ZERO).is_err());
        assert!(
            control
                .change(&[parse("debug")], LONGEST + Duration::from_secs(1))
                .is_err()
        );
        expiring.abort();
    }
}
