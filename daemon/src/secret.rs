//! Secrets in the configuration, which are never shown.

use std::fmt;
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::config::{Node, Rejection, Value};

/// A secret that keys hashes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Shorter ones can be guessed.
    const MIN_OCTETS: usize = 16;

    /// These octets, if they are long enough.
    #[must_use]
    pub fn new(octets: &[u8]) -> Option<Self> {
        (octets.len() >= Self::MIN_OCTETS).then(|| Self(octets.to_vec()))
    }

    /// One that nobody knows.
    pub(crate) fn random() -> Self {
        Self(rand::random::<[u8; 32]>().to_vec())
    }

    /// The first line of a file.
    ///
    /// # Errors
    /// Why it cannot be read, without what it holds.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        let line = text.lines().next().unwrap_or_default();
        Self::new(line.as_bytes()).ok_or_else(|| format!("expected {}", Self::expected()))
    }

    /// HMAC-SHA-256.
    #[must_use]
    pub fn sign(&self, octets: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(octets);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Value for Secret {
    const SECRET: bool = true;

    fn expected() -> String {
        format!("a secret of at least {} octets", Self::MIN_OCTETS)
    }

    /// Its sentence does not repeat what was found: that may be most of a secret.
    fn read(node: &Node) -> Result<Self, Rejection> {
        let secret = node.text().and_then(|text| Self::new(text.as_bytes()));
        secret.ok_or_else(|| {
            Rejection::new(
                node.place().clone(),
                format!("expected {}", Self::expected()),
            )
        })
    }
}
