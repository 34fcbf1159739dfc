//! The master keys in the configuration, which are never shown.

use std::fmt;

use daemon::config::{Node, Rejection, Value};
use daemon::exit::{Code, Fatal};
use storage::{MasterKeys, StoreConfig};

use super::Config;

/// Master keys that stand in the configuration themselves: in the environment.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct InlineKeys(MasterKeys);

impl fmt::Debug for InlineKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InlineKeys")
    }
}

impl Value for InlineKeys {
    const SECRET: bool = true;

    fn expected() -> String {
        "master keys, ID:KEY separated by commas".to_owned()
    }

    /// Its sentence does not repeat what was found.
    fn read(node: &Node) -> Result<Self, Rejection> {
        let text = node.text().unwrap_or_default();
        MasterKeys::parse(text)
            .map(Self)
            .map_err(|error| Rejection::new(node.place().clone(), error.to_string()))
    }
}

impl Config {
    pub(super) fn keys_of_one_place(&self) -> (bool, &'static str, &'static str) {
        let process = &self.process;
        (
            process.master_key_file.is_none() || process.master_keys.is_none(),
            "storage.master_key_file",
            "must be off where storage.master_keys is set",
        )
    }

    /// What the store encrypts with; `None`: it does not. Reads the file of the keys, blocking.
    ///
    /// # Errors
    /// [`Code::Config`] for a file that cannot be read, is open to others, or is not of keys.
    pub(crate) fn master_keys(&self) -> Result<Option<MasterKeys>, Fatal> {
        let process = &self.process;
        let unusable = |error: storage::MasterKeysError| {
            Fatal::new(Code::Config, format!("storage.master_key_file: {error}"))
        };
        match &process.master_key_file {
            Some(path) => MasterKeys::read(path).map(Some).map_err(unusable),
            None => Ok(process.master_keys.as_ref().map(|keys| keys.0.clone())),
        }
    }

    /// What the store is told, with its keys. Reads their file, blocking.
    ///
    /// # Errors
    /// [`Code::Config`] for a file that cannot be read, is open to others, or is not of keys.
    pub(crate) fn store_with_keys(&self) -> Result<StoreConfig, Fatal> {
        Ok(StoreConfig {
            master_keys: self.master_keys()?,
            ..self.store()
        })
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::{Document, Environment};

    use super::*;

    const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn read(text: &str) -> (Config, String) {
        let mut document = Document::parse("r.toml", text, Environment::default());
        let config = Config::read(&mut document);
        let errors = document.finish().err();
        let errors = errors.map(|errors| errors.to_string());
        (config, errors.unwrap_or_default())
    }

    #[test]
    fn nothing_is_encrypted_unless_there_are_keys() {
        let (config, errors) = read("");
        assert_eq!(errors, "");
        assert!(config.master_keys().is_ok_and(|keys| keys.is_none()));
    }

    #[test]
    fn master_keys_come_from_a_file_or_stand_there_and_are_not_shown() {
        let (config, errors) = read(&format!("[storage]\nmaster_keys = \"3:{DIGITS}\"\n"));
        assert_eq!(errors, "");
        let keys = config.master_keys().ok().flatten();
        assert_eq!(keys.map(|keys| keys.current()), Some(3));
        assert!(!format!("{config:?}").contains(&DIGITS[..8]));
        let both = format!("[storage]\nmaster_keys = \"3:{DIGITS}\"\nmaster_key_file = \"keys\"\n");
        assert!(read(&both).1.contains("storage.master_key_file"));
        let (_, errors) = read(&format!("[storage]\nmaster_keys = \"{DIGITS}\"\n"));
        assert!(errors.contains("ID:KEY"), "{errors}");
        assert!(!errors.contains(&DIGITS[..8]), "{errors}");
        let (config, _) = read("[storage]\nmaster_key_file = \"/nowhere/keys\"\n");
        let error = config
            .master_keys()
            .map(|_| ())
            .expect_err("it is not there");
        assert!(format!("{error:?}").contains("/nowhere/keys"));
    }
}
