//! Running a command line to its end.

use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::binaries::binary;
use crate::patience::{START, within};
use crate::target::not_against_a_target;

/// What a command line left behind.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Ended {
    /// The lines of standard output as JSON records.
    ///
    /// # Panics
    /// When one is none.
    pub fn records(&self) -> Vec<Value> {
        let record =
            |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no record: {line}"));
        self.output.lines().map(record).collect()
    }

    /// Itself, if it succeeded.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn done(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.output, self.errors);
        self
    }
}

/// A command of one of our binaries, without variables of ours from the environment of the tests.
///
/// # Panics
/// When the binary is missing.
pub fn command(name: &str) -> Command {
    if name == "restante" {
        not_against_a_target("starts a process of its own");
    }
    let mut command = Command::new(binary(name));
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("RESTANTE_") || name.starts_with("IM_")
    }) {
        command.env_remove(name);
    }
    command
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started or does not end.
pub async fn run(mut command: Command) -> Ended {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let what = format!("the end of {command:?}");
    let output = within(START, &what, command.output()).await;
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Ended {
        code: output.status.code(),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
