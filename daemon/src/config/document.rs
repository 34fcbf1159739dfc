//! A configuration while it is being read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::environment::Environment;
use super::error::{ConfigError, ConfigErrors, Place};
use super::file::{Entry, File, Table, parse_value};
use super::node::Node;
use super::section::{KeyDoc, Reader, Section, SectionDoc};
use super::setting::Setting;
use super::suggest::nearest;
use super::value::Rejection;

/// A configuration while it is being read; its mistakes are kept until [`Document::finish`].
#[derive(Debug)]
#[must_use = "mistakes are reported by `finish`"]
pub struct Document {
    file: Option<File>,
    environment: Environment,
    presets: BTreeMap<&'static str, &'static str>,
    known: BTreeMap<&'static str, BTreeSet<&'static str>>,
    /// The keys that were read, in the order of their reading.
    read: Vec<(&'static str, KeyDoc)>,
    errors: BTreeSet<ConfigError>,
}

impl Document {
    /// Reads the file, if one is given. A file that cannot be read is a mistake like any other,
    /// reported by [`Document::finish`].
    pub fn load(path: Option<&Path>, environment: Environment) -> Self {
        let file = path.map(|path| {
            let name = path.display().to_string();
            match std::fs::read_to_string(path) {
                Ok(text) => File::parse(&name, &text),
                Err(error) => File::unreadable(&name, format!("cannot be read: {error}")),
            }
        });
        Self::new(file, environment)
    }

    /// Reads `text` as the file `name`.
    pub fn parse(name: &str, text: &str, environment: Environment) -> Self {
        Self::new(Some(File::parse(name, text)), environment)
    }

    fn new(file: Option<File>, environment: Environment) -> Self {
        let syntax_errors = file
            .iter()
            .flat_map(|file| file.syntax_errors.iter().cloned());
        let errors = syntax_errors.collect();
        Self {
            file,
            environment,
            presets: BTreeMap::new(),
            known: BTreeMap::new(),
            read: Vec::new(),
            errors,
        }
    }

    /// Replaces the default of `key` (`"sip.next_hop"`, or `"domains"` at top level) by the TOML
    /// text `value` for this document, as the laptop mode does. File and environment still win.
    /// To be called before the section is read.
    pub fn preset(&mut self, key: &'static str, value: &'static str) {
        self.presets.insert(key, value);
    }

    /// Reads a section. Keys with mistakes have their defaults, so that reading can go on.
    pub fn read<S: Section>(&mut self) -> S {
        self.allow(&S::DOC);
        for key in S::DOC.keys {
            let is_known = |(section, known): &(&str, KeyDoc)| {
                *section == S::DOC.name && known.name == key.name
            };
            if !self.read.iter().any(is_known) {
                self.read.push((S::DOC.name, *key));
            }
        }
        S::read(&mut Reader::new(self, S::DOC.name))
    }

    /// Makes the keys of a section known without reading them: those of another process that
    /// shares the file.
    pub fn allow(&mut self, section: &SectionDoc) {
        let keys = section.keys.iter().map(|key| key.name);
        self.known.entry(section.name).or_default().extend(keys);
    }

    /// Whether the file or the environment gives `key` a value, whatever it is.
    pub fn is_set(&self, key: &str) -> bool {
        let (section, key) = split(key);
        self.environment.node(section, key).is_some() || self.entry(section, key).is_some()
    }

    /// Notes a mistake found by a check of the caller, at the place where `key` was written.
    pub fn error_at(&mut self, key: &str, sentence: impl Into<String>) {
        let place = self.place(key);
        self.note(place, key.to_owned(), sentence.into());
    }

    /// What holds of every key that was read, whether it is written or a default.
    #[must_use]
    pub fn settings(&self) -> Vec<Setting> {
        let settings = self.read.iter().map(|(section, key)| {
            let node = self.node(section, key.name);
            let written = node.is_some() && self.is_set(&dotted(section, key.name));
            let value = node.map_or_else(|| key.default.to_owned(), |node| node.toml());
            let place = match written {
                true => self.place(&dotted(section, key.name)),
                false => Place::Defaults,
            };
            Setting::new(dotted(section, key.name), value, place, key)
        });
        settings.collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// With all mistakes: syntax, unknown sections and keys, values, and those noted by
    /// [`Document::error_at`].
    pub fn finish(mut self) -> Result<(), ConfigErrors> {
        self.note_unknown_in_file();
        self.note_unknown_in_environment();
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(ConfigErrors(self.errors.into_iter().collect()))
    }

    /// What was written for a key: in the environment, else the file, else as a preset.
    pub(super) fn node(&self, section: &str, key: &str) -> Option<Node> {
        let written = self.environment.node(section, key);
        let written = written.or_else(|| Some(self.entry(section, key)?.node.clone()));
        written.or_else(|| {
            let preset = self.presets.get(dotted(section, key).as_str())?;
            Some(parse_value(preset).expect("a preset is TOML text"))
        })
    }

    /// Notes why the value of a key was not taken. A scalar is at the place of its key, an element
    /// of a list at its own.
    pub(super) fn reject(&mut self, section: &str, key: &str, rejection: Rejection) {
        let entry = self
            .entry(section, key)
            .map(|entry| (entry.node.place(), &entry.place));
        let places = entry.map(|(node, key)| (node.clone(), key.clone()));
        for (place, sentence) in rejection.parts {
            let place = match &places {
                Some((node, key)) if *node == place => key.clone(),
                _ => place,
            };
            self.note(place, dotted(section, key), sentence);
        }
    }

    /// A line that is not TOML is one mistake; what was made of its remains is not another.
    fn note(&mut self, place: Place, key: String, sentence: String) {
        let mut syntax_errors = self.file.iter().flat_map(|file| &file.syntax_errors);
        if !syntax_errors.any(|error| error.place.same_line(&place)) {
            self.errors.insert(ConfigError {
                place,
                key,
                sentence,
            });
        }
    }

    fn entry(&self, section: &str, key: &str) -> Option<&Entry> {
        self.file.as_ref()?.sections.get(section)?.entries.get(key)
    }

    fn place(&self, key: &str) -> Place {
        let (section, name) = split(key);
        if let Some(node) = self.environment.node(section, name) {
            return node.place().clone();
        }
        match (self.entry(section, name), &self.file) {
            (Some(entry), _) => entry.place.clone(),
            (None, Some(file)) => Place::File(file.name.clone()),
            (None, None) => Place::Defaults,
        }
    }

    fn note_unknown_in_file(&mut self) {
        let Some(file) = &mut self.file else { return };
        for (name, table) in std::mem::take(&mut file.sections) {
            match self.known.get(name.as_str()).cloned() {
                Some(keys) => self.note_unknown_keys(&name, table, &keys),
                None if name.is_empty() => self.note_unknown_keys("", table, &BTreeSet::new()),
                None => self.note_unknown_section(&name, table.place),
            }
        }
    }

    fn note_unknown_section(&mut self, name: &str, place: Place) {
        let top_level = self.known.get("").is_some_and(|keys| keys.contains(name));
        let sentence = if top_level {
            "this key belongs to no section and is not a table".to_owned()
        } else {
            let sections = self.known.keys().copied().filter(|name| !name.is_empty());
            format!("no section has this name{}", did_you_mean(name, sections))
        };
        self.note(place, name.to_owned(), sentence);
    }

    fn note_unknown_keys(&mut self, section: &str, table: Table, known: &BTreeSet<&'static str>) {
        for (key, entry) in table.entries {
            if known.contains(key.as_str()) {
                continue;
            }
            let sentence = if section.is_empty() && self.known.contains_key(key.as_str()) {
                format!("this is a section, to be written `[{key}]`")
            } else {
                format!(
                    "no key has this name{}",
                    did_you_mean(&key, known.iter().copied())
                )
            };
            self.note(entry.place, dotted(section, &key), sentence);
        }
    }

    fn note_unknown_in_environment(&mut self) {
        let known = self
            .known
            .iter()
            .flat_map(|(section, keys)| keys.iter().map(|key| Environment::name_of(section, key)));
        let known: BTreeSet<String> = known.collect();
        let unknown = self
            .environment
            .names()
            .filter(|name| !known.contains(*name));
        let errors: Vec<_> = unknown
            .map(|name| {
                let guess = did_you_mean(name, known.iter().map(String::as_str));
                (
                    Place::Environment(name.to_owned()),
                    format!("no key has this name{guess}"),
                )
            })
            .collect();
        for (place, sentence) in errors {
            self.note(place, String::new(), sentence);
        }
    }
}

fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known)
        .map(|known| format!("; did you mean `{known}`?"))
        .unwrap_or_default()
}

/// `"push.delay"` as section and key; a top-level key is in the section `""`.
fn split(key: &str) -> (&str, &str) {
    key.split_once('.').unwrap_or(("", key))
}

fn dotted(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.to_owned()
    } else {
        format!("{section}.{key}")
    }
}
