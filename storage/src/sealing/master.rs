//! Master keys: what the operator keeps outside of the store.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::key::{KEY_OCTETS, SealingKey};

/// A file of keys is shorter.
const MOST_OCTETS: u64 = 64 << 10;

/// Keys by their ids. The highest id is the current key: it wraps what is wrapped from now on, the others open what they
/// have wrapped.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKeys {
    keys: Arc<BTreeMap<u32, SealingKey>>,
    current: u32,
}

/// Why there are no keys. The sentences repeat nothing of what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterKeysError {
    /// The file cannot be read.
    #[error("the master keys in {path} cannot be read: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than its owner may read or write the file.
    #[error(
        "the master keys in {path} are open to others (mode {mode:03o}): chmod 600 it, and replace \
         the keys if others have had them"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// An entry is no key.
    #[error(
        "entry {place} is no master key: expected ID:KEY, an id from 1 to 4294967295 and 64 hexadecimal \
         digits, as `openssl rand -hex 32` prints them"
    )]
    Malformed {
        /// Of the entries, from 1.
        place: usize,
    },
    /// Two entries have the same id.
    #[error("two master keys have the id {id}: an id names one key for ever")]
    Twice {
        /// The id.
        id: u32,
    },
    /// No entry.
    #[error("there is no master key: expected ID:KEY")]
    Empty,
}

impl MasterKeys {
    /// Reads entries `ID:KEY`, by line or separated by commas; lines that begin with `#` say nothing.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<Self, MasterKeysError> {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.starts_with('#'));
        let entries = lines.flat_map(|line| line.split(','));
        let entries = entries.map(str::trim).filter(|entry| !entry.is_empty());
        let mut keys = BTreeMap::new();
        for (place, entry) in (1..).zip(entries) {
            let (id, key) = entry_of(entry).ok_or(MasterKeysError::Malformed { place })?;
            if keys.insert(id, key).is_some() {
                return Err(MasterKeysError::Twice { id });
            }
        }
        let (current, _) = keys.last_key_value().ok_or(MasterKeysError::Empty)?;
        Ok(Self {
            current: *current,
            keys: Arc::new(keys),
        })
    }

    /// Reads a file that nobody but its owner may open.
    ///
    /// # Errors
    /// It cannot be read, is open to others, or is not of keys.
    pub fn read(path: &Path) -> Result<Self, MasterKeysError> {
        let unreadable = |source| MasterKeysError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        let others = if is_credential(path) { 0o037 } else { 0o077 };
        if mode & others != 0 {
            return Err(MasterKeysError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MOST_OCTETS)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        Self::parse(&text)
    }

    /// The id of the key that wraps.
    #[must_use]
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The ids of all, in order.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied()
    }

    pub(crate) fn get(&self, id: u32) -> Option<&SealingKey> {
        self.keys.get(&id)
    }
}

/// Whether a service manager has put the file there for this process alone (`LoadCredential=` of systemd). It lets its user
/// read it by an access list, of which the group bits of the mode are the mask.
fn is_credential(path: &Path) -> bool {
    let folder = std::env::var_os("CREDENTIALS_DIRECTORY");
    folder.is_some_and(|folder| path.starts_with(folder))
}

fn entry_of(entry: &str) -> Option<(u32, SealingKey)> {
    let (id, key) = entry.split_once(':')?;
    let id = id.trim().parse().ok().filter(|id| *id > 0)?;
    let mut octets = Zeroizing::new([0; KEY_OCTETS]);
    let digits = key.trim().as_bytes();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != KEY_OCTETS {
        return None;
    }
    for (octet, [high, low]) in octets.iter_mut().zip(pairs) {
        *octet = digit(*high)? << 4 | digit(*low)?;
    }
    Some((id, SealingKey::from_octets(&octets[..])?))
}

fn digit(character: u8) -> Option<u8> {
    let value = char::from(character).to_digit(16)?;
    u8::try_from(value).ok()
}

impl fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.ids()).finish()
    }
}

/// Which master keys are there, and what they wrap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyStatus {
    /// The id of the key that wraps; 0: nothing is encrypted.
    pub current: u32,
    /// Each id, and the data keys that this master key wraps.
    pub wrapped: Vec<(u32, u64)>,
}
