//! What can go wrong, as sentences, and the exit code of each.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use thiserror::Error;

use crate::server::Server;

/// Exit codes, those of `sysexits.h` where it has one. [`EXIT_CODES`] tells people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Everything that was asked for happened.
    Done = 0,
    /// Some of it did not; each failure has its line on standard error.
    SomeFailed = 1,
    /// The command line is wrong.
    Usage = 64,
    /// Input or an argument that the server could not take.
    BadData = 65,
    /// The server cannot be reached, or does not answer.
    Unavailable = 69,
    /// A defect, here or in the server.
    Internal = 70,
    /// Standard input or output failed.
    InputOutput = 74,
    /// The server refuses this operator.
    Denied = 77,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// The table of exit codes that `--help` prints.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
   0  done
   1  some items failed (each is reported on standard error), the service is not ready, or the
      store is not sound
  64  the command line is wrong
  65  bad data: an unreadable line on standard input, or a value the server does not take
  69  the server cannot be reached or does not answer
  70  a defect in restantectl or in the server
  74  standard input or output failed, or a file cannot be written
  77  the server does not permit this
 130  interrupted; standard error says how to go on";

/// Why a command ended early or incomplete. Texts from the server are escaped before they get here.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum Failure {
    /// A change of several messages without `--yes`.
    #[error(
        "{verb} would change {count} {items} and nothing was changed: say --yes to do it, or \
         --dry-run to see what would happen"
    )]
    Unconfirmed {
        verb: &'static str,
        count: usize,
        items: &'static str,
    },
    /// An override without a reason.
    #[error("settings override needs --reason TEXT, which is kept with it; nothing was changed")]
    NeedsReason,
    /// Messages by name and by filters at once.
    #[error(
        "name messages by ID, or by filters, or say ALL, but not two of these; nothing was changed"
    )]
    IdsAndFilters,
    /// No message was named.
    #[error(
        "which messages? Name them by ID, read them with `-`, use filters, or say ALL for every \
         one; nothing was changed"
    )]
    NothingSelected,
    /// A place to go on from, for messages that are named.
    #[error(
        "--page-token goes on with filters or ALL, not with IDs: name those that are left; nothing \
         was changed"
    )]
    TokenAndIds,
    /// Other states where dead letters are meant.
    #[error("dead letters are in state refused: leave --state out; nothing was done")]
    NotDead,
    /// `-o raw` without the octets of exactly one message.
    #[error(
        "-o raw writes the octets of one message and nothing else: use it as `show ID --body -o \
         raw` or `show ID --part PART -o raw`, with one ID, without --headers and --timeline"
    )]
    RawNeedsOneContent,
    /// A line of standard input is not what the command works on.
    #[error("standard input, line {line}: {problem}; nothing was done")]
    BadLine { line: usize, problem: String },
    /// More lines than are kept in memory at once.
    #[error("standard input has more than {limit} lines: split it; nothing was done")]
    TooManyLines { limit: usize },
    /// Standard input broke.
    #[error("standard input cannot be read: {0}")]
    Input(#[source] io::Error),
    /// Standard output broke, or its reader left.
    #[error("standard output cannot be written: {0}")]
    Output(#[source] io::Error),
    /// A file could not be written; the error names it.
    #[error("cannot write {0}")]
    File(#[source] io::Error),
    /// A file of an import cannot be read or written.
    #[error("{path}: {source}")]
    ImportFile { path: String, source: io::Error },
    /// The file of rejected rows would take the place of the file that is read.
    #[error(
        "--rejected {path} is the file that is read: name another one; nothing was done, and the file is as it was"
    )]
    RejectedIsSource { path: String },
    /// What is to be imported cannot be read.
    #[error("{what}: {problem}")]
    NotImportable { what: String, problem: String },
    /// An import broke off.
    #[error(
        "stopped after {done} rows: {why}; run the same command again to go on: what was imported is recognised"
    )]
    ImportStopped {
        done: usize,
        why: String,
        code: Code,
    },
    /// The runtime could not start.
    #[error("cannot start: {0}")]
    Runtime(#[source] io::Error),
    /// What https needs is missing, or cannot be used.
    #[error("{0}")]
    Credentials(String),
    /// No connection.
    #[error(
        "cannot reach the server at {server}: {reason}; is the storage service running, and is \
         this its operators' listener? Name another with --server or RESTANTE_SERVER"
    )]
    Unreachable { server: Server, reason: String },
    /// A connection, but no answer in time.
    #[error(
        "no answer from {server} within {}: try again, with a longer --timeout if it is busy",
        crate::moment::span(*.waited)
    )]
    NoAnswer { server: Server, waited: Duration },
    /// The server says that it cannot serve now.
    #[error("{server} is not available now: {text}")]
    Unavailable { server: Server, text: String },
    /// The server refuses this operator.
    #[error("{server} does not permit this: {text}; ask for the role, or use another --server")]
    Denied { server: Server, text: String },
    /// The server cannot take a value.
    #[error("{server} does not take this: {text}")]
    Rejected { server: Server, text: String },
    /// One item cannot be done; others may.
    #[error("{text}")]
    Item { code: &'static str, text: String },
    /// An answer that cannot be right.
    #[error("{server} gave an answer that cannot be right: {text}")]
    Defect { server: Server, text: String },
    /// A series of changes broke off.
    #[error("stopped: {done} of {total} handled before this: {source}")]
    Stopped {
        done: usize,
        total: usize,
        source: Box<Failure>,
    },
    /// A series by filters broke off, or was interrupted.
    #[error("stopped after {done}: {why}; go on with the same filters{}", resumed(.token.as_deref()))]
    BrokenOff {
        done: usize,
        why: String,
        token: Option<String>,
        code: Code,
    },
    /// Items failed, each reported already.
    #[error("{failed} of {total} failed")]
    SomeFailed { failed: usize, total: usize },
    /// A check has found something, which is on standard output.
    #[error("the store is not sound: {findings} findings")]
    Unsound { findings: u64 },
    /// The service told why on standard output.
    #[error("the service is not ready")]
    NotReady,
}

impl Failure {
    /// The exit code of this failure.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Unconfirmed { .. }
            | Self::RawNeedsOneContent
            | Self::NeedsReason
            | Self::IdsAndFilters
            | Self::NothingSelected
            | Self::TokenAndIds
            | Self::NotDead
            | Self::RejectedIsSource { .. }
            | Self::Credentials(_) => Code::Usage,
            Self::BadLine { .. }
            | Self::TooManyLines { .. }
            | Self::Rejected { .. }
            | Self::NotImportable { .. } => Code::BadData,
            Self::Output(_) if self.is_reader_gone() => Code::Done,
            Self::Input(_) | Self::Output(_) | Self::File(_) | Self::ImportFile { .. } => {
                Code::InputOutput
            }
            Self::Runtime(_) | Self::Defect { .. } => Code::Internal,
            Self::Unreachable { .. } | Self::NoAnswer { .. } | Self::Unavailable { .. } => {
                Code::Unavailable
            }
            Self::Denied { .. } => Code::Denied,
            Self::Item { .. } | Self::SomeFailed { .. } | Self::Unsound { .. } | Self::NotReady => {
                Code::SomeFailed
            }
            Self::Stopped { source, .. } => source.code_of_series(),
            Self::BrokenOff { code, .. } | Self::ImportStopped { code, .. } => *code,
        }
    }

    /// The exit code of a series that this ends: a reader that leaves has not seen all of it.
    pub(crate) fn code_of_series(&self) -> Code {
        match self.is_reader_gone() {
            true => Code::InputOutput,
            false => self.code(),
        }
    }

    /// Whether the next item may still succeed after this.
    pub(crate) fn is_of_one_item(&self) -> bool {
        matches!(self, Self::Item { .. } | Self::Rejected { .. })
    }

    /// Writes the sentence to standard error, unless the reader of a listing has just seen enough.
    pub(crate) fn say(&self) {
        if !self.is_reader_gone() {
            complain(self);
        }
    }

    fn is_reader_gone(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What to type besides to resume.
fn resumed(token: Option<&str>) -> String {
    token.map_or_else(String::new, |token| format!(" and --page-token {token}"))
}

/// One line on standard error, marked as ours. Never panics if standard error is gone.
pub(crate) fn complain(what: &dyn std::fmt::Display) {
    use std::io::Write;
    let _ = writeln!(io::stderr(), "restantectl: {what}");
}
