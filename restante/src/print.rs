//! What commands print on standard output.

use std::io::{self, Write as _};

use daemon::exit::{Code, Fatal};

/// Prints a text. A reader that has seen enough, such as `head`, is no error: the rest goes nowhere.
///
/// # Errors
/// [`Code::Io`] if it cannot be written for another reason.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<(), Fatal> {
    let mut output = io::stdout().lock();
    let written = output.write_all(text.as_ref());
    match written.and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(unwritten(&format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// That something cannot be written: what, and why.
pub(crate) fn unwritten(what: &str) -> Fatal {
    Fatal::new(Code::Io, format!("cannot write {what}"))
}
