//! A deployment that the tests have not started: one whose configuration is named by `CONFORMANCE_TARGET`.
//!
//! The file tells both sides what they need: the target where it listens and which core it believes, the
//! tests where to find it and to be that core. What a test asks of a deployment besides must stand in the
//! file too; a test that starts, ends or looks into processes does not run.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::OnceLock;

use crate::binaries::binary;

/// The variable that names the configuration of the target.
pub const VARIABLE: &str = "CONFORMANCE_TARGET";

/// How the panic of a test begins that cannot run against a target.
pub const NOT_RUN: &str = "not run against a target: ";

/// Ends a test that cannot run against the target, if there is one; `why` completes the sentence "it …".
///
/// # Panics
/// When there is a target.
#[track_caller]
pub fn not_against_a_target(why: &str) {
    if Target::get().is_some() {
        not_run(why);
    }
}

/// Ends a test that cannot run against the target.
#[track_caller]
pub(crate) fn not_run(why: &str) -> ! {
    panic!("{NOT_RUN}it {why}")
}

/// What is known of the target.
#[derive(Clone, Debug)]
pub struct Target {
    settings: BTreeMap<String, String>,
}

impl Target {
    /// The target, if the environment names one.
    ///
    /// # Panics
    /// When its configuration cannot be read.
    pub fn get() -> Option<&'static Self> {
        static TARGET: OnceLock<Option<Target>> = OnceLock::new();
        let of_environment = || {
            let path = std::env::var_os(VARIABLE)?;
            let text = std::fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let target = Self::read(&text, &defaults());
            Some(target.unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        TARGET.get_or_init(of_environment).as_ref()
    }

    /// What the configuration says, over the defaults.
    fn read(text: &str, defaults: &str) -> Result<Self, toml::de::Error> {
        let mut settings = BTreeMap::new();
        for text in [&uncommented(defaults), text] {
            settings.extend(flat(&text.parse()?));
        }
        Ok(Self { settings })
    }

    /// The value of a key, `section.key`, as it would stand in the environment.
    pub fn value(&self, key: &str) -> Option<&str> {
        self.settings.get(key).map(String::as_str)
    }

    /// Where a listener is, by the key of its address; the first of several.
    pub(crate) fn address(&self, key: &str) -> Option<SocketAddr> {
        self.value(key)?.split(',').next()?.parse().ok()
    }

    /// Where the target looks for its core: `sip:127.1.1.2:5060;transport=tcp`.
    ///
    /// # Panics
    /// When it has none, or it is no address.
    pub fn next_hop(&self) -> SocketAddr {
        let hop = self.value("sip.next_hop").unwrap_or_default();
        let place = hop.strip_prefix("sip:").unwrap_or(hop).split(';').next();
        let place = place.and_then(|place| place.parse().ok());
        place
            .unwrap_or_else(|| panic!("sip.next_hop of the target is {hop:?}, no address and port"))
    }
}

/// Every key with its default, as `restante` says.
fn defaults() -> String {
    let output = Command::new(binary("restante"))
        .args(["config", "default"])
        .output();
    let output = output.unwrap_or_else(|error| panic!("restante config default: {error}"));
    String::from_utf8(output.stdout).expect("a configuration is UTF-8")
}

/// The keys of a default file without the sign before them that makes them comments.
fn uncommented(defaults: &str) -> String {
    let mut text = String::new();
    for line in defaults.lines() {
        let key = line.strip_prefix('#').filter(|line| {
            let name = line.split(" = ").next().unwrap_or_default();
            line.contains(" = ")
                && name
                    .bytes()
                    .all(|octet| octet.is_ascii_lowercase() || octet == b'_')
        });
        text += key.unwrap_or(line);
        text.push('\n');
    }
    text
}

/// `section.key` with the values as the environment has them: lists with commas.
fn flat(table: &toml::Table) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(section) => {
                let keys = flat(section).into_iter();
                settings.extend(keys.map(|(key, value)| (format!("{name}.{key}"), value)));
            }
            value => {
                settings.insert(name.clone(), scalar(value));
            }
        }
    }
    settings
}

fn scalar(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(values) => values.iter().map(scalar).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod unit {
    use super::Target;

    #[test]
    fn a_configuration_is_read_over_the_defaults() {
        let defaults = "# Shared = by all.\n#domains = [\"example.org\"]\n[push]\n# Pause.\n#delay = \"2s\"\n\
            #lease = \"60s\"\n[sip]\n#next_hop = \"off\"\n";
        let text = "[push]\ndelay = \"50ms\"\n[sip]\nnext_hop = \"sip:127.1.1.2:5060;transport=tcp\"\n\
            [trust]\nloopback = false\npeers = [\"127.1.1.2/32\", \"a\"]\n";
        let target = Target::read(text, defaults).expect("a configuration");
        for (key, value) in [
            ("domains", "example.org"),
            ("push.delay", "50ms"),
            ("push.lease", "60s"),
            ("trust.loopback", "false"),
            ("trust.peers", "127.1.1.2/32,a"),
        ] {
            assert_eq!(target.value(key), Some(value));
        }
        assert_eq!(target.value("push.on_deposit"), None);
        assert_eq!(target.next_hop().to_string(), "127.1.1.2:5060");
    }
}
