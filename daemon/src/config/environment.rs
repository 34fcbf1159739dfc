//! Overrides from environment variables.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::error::Place;
use super::node::{Node, Raw};

/// What every variable of ours begins with.
const PREFIX: &str = "RESTANTE_";

/// Variables with our prefix that are read elsewhere: by the command lines, not as keys.
const COMMAND_LINE: [&str; 5] = [
    "RESTANTE_CONFIG",
    "RESTANTE_SERVER",
    "RESTANTE_CA",
    "RESTANTE_CERT",
    "RESTANTE_KEY",
];

/// The variables of an environment that begin with `RESTANTE_`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    /// The name under which a key is overridden: `RESTANTE_SIP_EDGE__ADMIN_LISTEN`.
    pub fn name_of(section: &str, key: &str) -> String {
        let separator = if section.is_empty() { "" } else { "__" };
        format!("{PREFIX}{section}{separator}{key}")
            .replace('-', "_")
            .to_ascii_uppercase()
    }

    /// The value of one key. A value that is not UTF-8 is a node no type accepts.
    pub(super) fn node(&self, section: &str, key: &str) -> Option<Node> {
        let name = Self::name_of(section, key);
        let value = self.variables.get(&name)?;
        let raw = match value.to_str() {
            Some(text) => Raw::Environment(text.to_owned()),
            None => Raw::Unusable("octets that are not UTF-8"),
        };
        Some(Node::new(Place::Environment(name), raw))
    }

    /// The variables meant as keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let ours = |name: &&str| !COMMAND_LINE.contains(name) && !set_by_kubernetes(name);
        self.variables.keys().map(String::as_str).filter(ours)
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: pairs.filter(|(name, _)| name.starts_with(PREFIX)).collect(),
        }
    }
}

/// Whether a variable looks like those Kubernetes puts into every container for a service named
/// `restante-…`: `RESTANTE_STORAGE_SERVICE_HOST`, `RESTANTE_STORAGE_PORT_7400_TCP_ADDR`. Nobody
/// wrote them as configuration, so they are not mistakes.
fn set_by_kubernetes(name: &str) -> bool {
    let service = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT_"]
        .iter()
        .any(|part| name.contains(part));
    !name.contains("__") && (service || name.ends_with("_PORT"))
}
