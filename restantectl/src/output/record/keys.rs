//! Master keys: what `keys` prints.

use proto::v1::{Keys, MasterKey};
use serde::Serialize;

/// The master keys of the storage service.
#[derive(Debug, Serialize)]
pub(crate) struct KeysRecord {
    /// 0: nothing is encrypted.
    pub(crate) current_id: u32,
    pub(crate) master_keys: Vec<MasterKeyRecord>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub(crate) struct MasterKeyRecord {
    pub(crate) id: u32,
    pub(crate) wraps: u64,
}

impl From<Keys> for KeysRecord {
    fn from(keys: Keys) -> Self {
        let master_keys = keys.master_keys.into_iter();
        Self {
            current_id: keys.current_id,
            master_keys: master_keys
                .map(|MasterKey { id, wraps }| MasterKeyRecord { id, wraps })
                .collect(),
        }
    }
}
