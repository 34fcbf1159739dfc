//! Encryption at rest: which key covers what, and how. `docs/decisions/0013-keys-for-each-mailbox.md` says why so.
//!
//! A *master key* is outside of the store, in a file or the environment. It wraps *data keys*, one for each mailbox, one
//! for each fan-out job and one for the rest of the store; they are rows, and in memory while the store is open. A data key
//! covers the sealed parts of its owner's values. Contents have a *content key* each, which is in the sealed part
//! of their envelope or job.

mod key;
mod keyring;
mod master;

#[cfg(test)]
mod tests;

pub(crate) use self::key::{ContentKey, NotOpened, SealingKey};
pub(crate) use self::keyring::{KeyOwner, Keyring, Locked};
pub use self::master::{KeyStatus, MasterKeys, MasterKeysError};
