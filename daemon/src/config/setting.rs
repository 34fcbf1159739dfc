//! What holds of each key, and what has changed between two readings.

use super::error::Place;
use super::section::{Change, KeyDoc};

/// What is shown of a secret that is set.
const HIDDEN: &str = "(secret)";

/// One key with the value that holds.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `section.key`, or a top-level key.
    pub key: String,
    /// Where it was written; [`Place::Defaults`] where it was not.
    pub place: Place,
    /// When another value takes effect.
    pub change: Change,
    value: Text,
    secret: bool,
}

/// A value as TOML text, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
struct Text(String);

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text")
    }
}

/// A key whose value is another than it was; values as they may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// `section.key`, or a top-level key.
    pub key: String,
    /// What held.
    pub from: String,
    /// What is written now.
    pub to: String,
}

/// What is different in a configuration that was read again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Takes effect now.
    pub applied: Vec<Changed>,
    /// Takes effect when the process is started again.
    pub waiting: Vec<Changed>,
}

impl Setting {
    pub(super) fn new(key: String, value: String, place: Place, doc: &KeyDoc) -> Self {
        // A long default was wrapped by the compiler.
        let lines: Vec<_> = value.lines().map(str::trim).collect();
        Self {
            key,
            place,
            change: doc.change,
            value: Text(lines.join(" ")),
            secret: doc.secret,
        }
    }

    /// The value as TOML text; of a secret, that there is one.
    #[must_use]
    pub fn shown(&self) -> &str {
        match self.secret && self.value.0.trim_matches('"') != "off" {
            true => HIDDEN,
            false => &self.value.0,
        }
    }

    /// Whether file or environment give it.
    #[must_use]
    pub fn is_written(&self) -> bool {
        self.place != Place::Defaults
    }
}

impl Changes {
    /// What is different in `new`, a later reading than `old` of the same keys.
    #[must_use]
    pub fn between(old: &[Setting], new: &[Setting]) -> Self {
        let mut changes = Self::default();
        for (before, after) in old.iter().zip(new) {
            debug_assert_eq!(before.key, after.key, "the same keys in the same order");
            if before.value == after.value {
                continue;
            }
            let changed = Changed {
                key: after.key.clone(),
                from: before.shown().to_owned(),
                to: after.shown().to_owned(),
            };
            match after.change {
                Change::Reload => changes.applied.push(changed),
                Change::Restart => changes.waiting.push(changed),
            }
        }
        changes
    }

    /// What holds after this change: new values of what takes effect, old ones of the rest.
    #[must_use]
    pub fn holding(old: &[Setting], new: &[Setting]) -> Vec<Setting> {
        let both = old.iter().zip(new);
        let held = both.map(|(before, after)| match after.change {
            Change::Reload => after.clone(),
            Change::Restart => before.clone(),
        });
        held.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Environment};
    use crate::secret::Secret;

    crate::section! {
        /// For a test.
        struct Example in "example" {
            /// Seconds.
            pause: u32 = 5 => Reload,
            /// Where.
            folder: String = "data",
            /// Not to be seen.
            word: Option<Secret> = "off" => Reload,
            /// Long.
            words: Vec<String> = ["one", "two"],
        }
    }

    fn settings(text: &str, environment: &[(&str, &str)]) -> Vec<Setting> {
        let environment = Environment::from_iter(environment.iter().copied());
        let mut document = Document::parse("r.toml", text, environment);
        document.read::<Example>();
        let settings = document.settings();
        document.finish().expect("sound");
        settings
    }

    fn shown(settings: &[Setting]) -> Vec<String> {
        let lines = settings.iter();
        lines
            .map(|setting| format!("{} = {}", setting.key, setting.shown()))
            .collect()
    }

    #[test]
    fn every_key_is_there_with_what_holds_and_secrets_are_not_shown() {
        let found = settings(
            "[example]\nword = \"hunter2 hunter2 hunter2\"\nwords = [\"a\"]\n",
            &[("RESTANTE_EXAMPLE__PAUSE", "7")],
        );
        assert_eq!(
            shown(&found),
            [
                "example.pause = 7",
                "example.folder = \"data\"",
                "example.word = (secret)",
                "example.words = [\"a\"]",
            ]
        );
        assert!(found[0].is_written() && !found[1].is_written());
        assert!(!format!("{found:?}").contains("hunter2"));
        assert_eq!(settings("", &[])[2].shown(), "\"off\"");
    }

    #[test]
    fn changes_take_effect_now_or_wait_and_secrets_change_unseen() {
        let old = settings("[example]\nword = \"hunter2 hunter2 hunter2\"", &[]);
        let new = settings(
            "[example]\npause = 9\nfolder = \"x\"\nword = \"hunter3 hunter3 hunter3\"",
            &[],
        );
        let changes = Changes::between(&old, &new);
        let told = |changed: &[Changed]| {
            let lines = changed
                .iter()
                .map(|c| format!("{}: {} -> {}", c.key, c.from, c.to));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(
            told(&changes.applied),
            [
                "example.pause: 5 -> 9",
                "example.word: (secret) -> (secret)"
            ]
        );
        assert_eq!(
            told(&changes.waiting),
            ["example.folder: \"data\" -> \"x\""]
        );
        let held = Changes::holding(&old, &new);
        assert_eq!(
            shown(&held)[..2],
            ["example.pause = 9", "example.folder = \"data\""]
        );
        assert_eq!(Changes::between(&held, &new).applied, []);
        assert_eq!(Changes::between(&held, &new).waiting, changes.waiting);
    }
}
