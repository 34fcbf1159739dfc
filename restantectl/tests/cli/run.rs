//! Running the binary and looking at what came of it.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::fake::Fake;

/// A run that is being prepared.
pub(crate) struct Run {
    command: Command,
    input: Vec<u8>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

/// The binary with arguments as one types them, separated by blanks, and no server in its
/// environment.
pub(crate) fn restantectl(arguments: &str) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_restantectl"));
    command
        .args(arguments.split_whitespace())
        .env_remove("RESTANTE_SERVER")
        .env_remove("RESTANTE_CA")
        .env_remove("RESTANTE_CERT")
        .env_remove("RESTANTE_KEY");
    Run {
        command,
        input: Vec::new(),
    }
}

impl Run {
    /// One more argument, which may have blanks.
    pub(crate) fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    /// More arguments, separated by blanks.
    pub(crate) fn arg_list(mut self, arguments: &str) -> Self {
        self.command.args(arguments.split_whitespace());
        self
    }

    /// A variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads.
    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it against `fake`.
    pub(crate) fn at(self, fake: &Fake) -> Ran {
        self.arg("--server").arg(&fake.url).now()
    }

    /// Runs it.
    pub(crate) fn now(mut self) -> Ran {
        let (stdin, stdout, stderr) = (Stdio::piped(), Stdio::piped(), Stdio::piped());
        let mut child = self
            .command
            .stdin(stdin)
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(&self.input);
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code(),
            out: output.stdout,
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Asserts how it ended.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout: {}\nstderr: {}",
            self.text(),
            self.err
        );
        self
    }

    /// Asserts that it succeeded in silence.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        let ran = self.code(0);
        assert_eq!(ran.err, "");
        ran
    }

    /// Asserts what it said on standard error.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.err.contains(text), "{text:?} is not in: {}", self.err);
        self
    }

    /// Standard output as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    /// Standard output as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap()
    }

    /// Standard output as records, one per line.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}
