//! Identities in logs: recognisable, not readable.

use std::fmt;
use std::sync::OnceLock;

use crate::config::{Node, Rejection, Value};
use crate::secret::Secret;

/// The key of this process; drawn by lot at the first use unless [`Key::install`] came before.
static KEY: OnceLock<Key> = OnceLock::new();

/// A user, number, address or anything else that names a person, wrapped for a log line.
///
/// `Debug` and `Display` print a short keyed hash: equal values are equal within the life of the
/// key, but who they are cannot be found by trying (requirements 3.7). Only events of level debug
/// and below may print what [`Redacted::reveal`] returns; bodies not even there.
///
/// ```
/// use restante_daemon::redact::Redacted;
///
/// let mailbox = Redacted("sip:alice@example.org");
/// assert!(!mailbox.to_string().contains("alice"));
/// assert_eq!(format!("{mailbox:?}"), mailbox.to_string());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Redacted<T>(pub T);

impl<T> Redacted<T> {
    /// The value itself, for events of level debug and below.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Display> fmt::Display for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = KEY.get_or_init(Key::random);
        write!(f, "#{:010x}", key.short_hash(&self.0.to_string()))
    }
}

impl<T: fmt::Display> fmt::Debug for Redacted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The key of the hashes. Processes that share one print the same hash for the same identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(Secret);

impl Key {
    /// Makes this the key of the process. Returns whether it is; it is not if a value has already been
    /// printed or another key installed.
    pub fn install(self) -> bool {
        KEY.set(self).is_ok()
    }

    fn random() -> Self {
        Self(Secret::random())
    }

    /// The first 40 bits of HMAC-SHA-256: enough to tell the users of one log apart.
    fn short_hash(&self, text: &str) -> u64 {
        let digest = self.0.sign(text.as_bytes());
        digest
            .iter()
            .take(5)
            .fold(0, |hash, octet| hash << 8 | u64::from(*octet))
    }
}

impl Value for Key {
    const SECRET: bool = true;

    fn expected() -> String {
        Secret::expected()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        Secret::read(node).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_hashes_and_others_do_not() {
        let hash = |user: &str| Redacted(format!("sip:{user}@example.org")).to_string();
        assert_eq!(hash("alice"), hash("alice"));
        assert_ne!(hash("alice"), hash("bob"));
        assert_eq!(hash("alice").len(), 11);
    }

    #[test]
    fn debug_shows_no_more_than_display() {
        let user = Redacted("sip:alice@example.org");
        let printed = format!("{:?} {:#?}", user, Some(user));
        assert!(
            !printed.contains("alice") && !printed.contains("example"),
            "{printed}"
        );
        assert_eq!(*user.reveal(), "sip:alice@example.org");
    }

    #[test]
    fn hashes_depend_on_the_key_alone() {
        let key = |text: &str| Key(Secret::new(text.as_bytes()).expect("long enough"));
        let (one, two) = ("one secret of many", "two secrets of many");
        let hash = key(one).short_hash("alice");
        assert_eq!(hash, key(one).short_hash("alice"));
        assert_ne!(hash, key(two).short_hash("alice"));
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_key() {
        let mut document = crate::config::Document::parse(
            "r.toml",
            "[log]\nredaction_key = \"hunter2\"",
            crate::config::Environment::default(),
        );
        document.read::<crate::log::Log>();
        let errors = document.finish().expect_err("too short").to_string();
        assert_eq!(
            errors,
            "r.toml:2:1: log.redaction_key: expected a secret of at least 16 octets"
        );
        assert_eq!(format!("{:?}", Key(Secret::random())), "Key(Secret)");
    }
}
