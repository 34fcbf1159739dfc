//! Why a store cannot be opened, in sentences that say what to do (exit code 74).

use std::io;
use std::path::PathBuf;

/// The store was not opened; nothing on disk was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process has the store open.
    #[error(
        "the store in {folder} is in use by another process; stop that process, or configure \
         another data folder"
    )]
    Locked {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder cannot be written to.
    #[error(
        "the data folder {folder} cannot be written to ({source}); make it writable for this \
         user, or configure another one"
    )]
    Unwritable {
        /// The data folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no store, and none is to be made.
    #[error(
        "there is no store in {folder}: {found}; it is the folder that the configuration names (storage.data_dir): give that of \
         the service by --config. Nothing was made"
    )]
    NoStore {
        /// The data folder.
        folder: PathBuf,
        /// What is there instead.
        found: &'static str,
    },
    /// The folder is another user's.
    #[error(
        "the data folder {folder} belongs to another user, whose service could not open the files that this one would leave \
         there; run it as that user: `{command} restante storage …`. Nothing was changed"
    )]
    OtherOwner {
        /// The data folder.
        folder: PathBuf,
        /// How to run something as that user.
        command: String,
    },
    /// A backup was being put there, and not all of it is.
    #[error(
        "a restore into {folder} was cut off: run it again, `restante storage restore --from …` with the same backup; or move \
         the folder away"
    )]
    Unfinished {
        /// The data folder.
        folder: PathBuf,
    },
    /// A later version has written the store.
    #[error(
        "the store in {folder} has format {found}, this version knows {known}; start the version \
         that wrote it, or a later one"
    )]
    Newer {
        /// The data folder.
        folder: PathBuf,
        /// The format on disk.
        found: u32,
        /// The latest format that this version reads.
        known: u32,
    },
    /// The folder has been set back to an older copy, or its counter is lost (STO-08).
    #[error(
        "the store in {folder} would hand out message id {next}, but ids up to {floor} are on \
         record as used: it is an older copy; put the latest copy there, or restore this one with \
         `restante storage restore`"
    )]
    Behind {
        /// The data folder.
        folder: PathBuf,
        /// The Message-ID it would use next.
        next: u64,
        /// The Message-ID on record.
        floor: u64,
    },
    /// The folder is a copy of the one that the store was last opened in: how far the Message-IDs have
    /// got since cannot be known (STO-08).
    #[error(
        "the store in {folder} is a copy of the one that ran last; if it is to go on from here, \
         take it with `restante storage restore`: its Message-IDs then jump, so that none is used twice"
    )]
    Copied {
        /// The data folder.
        folder: PathBuf,
    },
    /// Contents are encrypted, and no master key is configured.
    #[error(
        "the store in {folder} is encrypted and no master key is configured; name its keys with \
         storage.master_key_file: without them nothing in it can be read, and nothing was changed"
    )]
    NoMasterKey {
        /// The data folder.
        folder: PathBuf,
    },
    /// A master key is missing that keys in the store are wrapped by.
    #[error(
        "the store in {folder} has keys that master key {id} has wrapped, and no key with this id is \
         configured; add it to the master keys: nothing was changed"
    )]
    UnknownMasterKey {
        /// The data folder.
        folder: PathBuf,
        /// The id of the key.
        id: u32,
    },
    /// A master key is another one than that which has wrapped the keys in the store.
    #[error(
        "the master key with the id {id} is not the one that the keys of the store in {folder} are wrapped \
         by; configure the key that was used: nothing was changed"
    )]
    WrongMasterKey {
        /// The data folder.
        folder: PathBuf,
        /// The id of the key.
        id: u32,
    },
    /// What is on disk cannot be read as a store.
    #[error(
        "the store in {folder} is damaged ({cause}); restore a backup, or, if the end of its log \
         is lost and may stay so, open it with accept_truncated_wal"
    )]
    Damaged {
        /// The data folder.
        folder: PathBuf,
        /// What was found.
        cause: String,
    },
    /// The database or a thread could not be started for another reason.
    #[error("the store in {folder} could not be opened: {cause}; see to that and start again")]
    Failed {
        /// The data folder.
        folder: PathBuf,
        /// What the engine said.
        cause: String,
    },
}
