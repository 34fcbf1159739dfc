//! How a process ends: exit codes of `sysexits.h` and the sentence that explains them.

use std::process::ExitCode;

use crate::config::ConfigErrors;

/// Exit codes; the numbers are those of `sysexits.h`, on which service managers can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Code {
    /// The command line is wrong.
    Usage = 64,
    /// Something the process depends on is missing: an address in use, a peer it cannot start without.
    Unavailable = 69,
    /// A fault of the program itself.
    Bug = 70,
    /// The data folder cannot be used: locked, read-only, of a newer version, or its disk fails.
    Io = 74,
    /// The configuration is wrong.
    Config = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// An error that ends the process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Fatal {
    /// The exit code.
    pub code: Code,
    /// What happened and what the operator can do, to be read without the source at hand.
    pub sentence: String,
}

impl Fatal {
    /// An error with its code.
    pub fn new(code: Code, sentence: impl Into<String>) -> Self {
        Self {
            code,
            sentence: sentence.into(),
        }
    }
}

impl From<ConfigErrors> for Fatal {
    fn from(errors: ConfigErrors) -> Self {
        Self::new(Code::Config, errors.to_string())
    }
}

/// The exit code of an outcome, for `main` to return; an error is printed to standard error, where
/// it is seen even if the log is not set up yet.
pub fn report(outcome: Result<(), Fatal>) -> ExitCode {
    let Err(fatal) = outcome else {
        return ExitCode::SUCCESS;
    };
    eprintln!("restante: {}", fatal.sentence.replace('\n', "\nrestante: "));
    fatal.code.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Environment};

    #[test]
    fn a_wrong_configuration_ends_with_78_and_all_mistakes() {
        let document = Document::parse("r.toml", "a = 1\nb = 2", Environment::default());
        let fatal = Fatal::from(document.finish().expect_err("two unknown keys"));
        assert_eq!(fatal.code as u8, 78);
        let expected = "r.toml:1:1: a: no key has this name\nr.toml:2:1: b: no key has this name";
        assert_eq!(fatal.to_string(), expected);
    }

    #[test]
    fn codes_are_those_of_sysexits() {
        let codes = [
            Code::Usage,
            Code::Unavailable,
            Code::Bug,
            Code::Io,
            Code::Config,
        ];
        assert_eq!(codes.map(|code| code as u8), [64, 69, 70, 74, 78]);
    }
}
