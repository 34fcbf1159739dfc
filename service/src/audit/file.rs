//! The file, and the one thread that writes it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use daemon::readiness::Condition;
use metrics::counter;
use tokio::sync::{mpsc, oneshot};

/// Lines that may wait; who comes then waits to hand his over.
const WAITING: usize = 1024;

/// Lines written with one sync.
const TOGETHER: usize = 256;

/// Adds lines to a file.
pub(super) struct AuditFile {
    lines: mpsc::Sender<Entry>,
}

struct Entry {
    octets: Vec<u8>,
    written: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

impl AuditFile {
    /// Opens or makes the file, and begins to wait for lines.
    pub(super) fn open(path: &Path, condition: Condition) -> io::Result<Self> {
        let mut log = Log {
            path: path.to_owned(),
            open: None,
        };
        log.follow()?;
        condition.ready();
        let (lines, entries) = mpsc::channel(WAITING);
        std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || write_all(log, entries, &condition))?;
        Ok(Self { lines })
    }

    /// Returns once the line is on disk, or cannot be.
    pub(super) async fn append(&self, octets: Vec<u8>) -> Result<(), Arc<io::Error>> {
        let (written, answer) = oneshot::channel();
        let ended = || Arc::new(io::Error::other("its writer has ended"));
        let entry = Entry { octets, written };
        self.lines.send(entry).await.map_err(|_| ended())?;
        answer.await.unwrap_or_else(|_| Err(ended()))
    }
}

fn write_all(mut log: Log, mut entries: mpsc::Receiver<Entry>, condition: &Condition) {
    let mut batch = Vec::new();
    while let Some(first) = entries.blocking_recv() {
        batch.push(first);
        while batch.len() < TOGETHER {
            let Ok(next) = entries.try_recv() else {
                break;
            };
            batch.push(next);
        }
        let octets: Vec<u8> = batch
            .iter()
            .flat_map(|entry| &entry.octets)
            .copied()
            .collect();
        let written = log.append(&octets).map_err(Arc::new);
        match &written {
            Ok(()) => condition.ready(),
            Err(error) => {
                counter!("restante_audit_failures_total").increment(1);
                tracing::error!(event = "audit.failed", %error, path = %log.path.display(), "the audit log cannot be written");
                condition.warning(format!(
                    "the audit log cannot be written, so operators can change nothing: {error}"
                ));
            }
        }
        for entry in batch.drain(..) {
            // Who has gone need not know.
            let _ = entry.written.send(written.clone());
        }
    }
}

/// The file as it is open.
struct Log {
    path: PathBuf,
    /// None after a failure: how far it was written is not known.
    open: Option<File>,
}

impl Log {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.follow()?;
        let Some(file) = &mut self.open else {
            return Err(io::Error::other("it is not open"));
        };
        let written = file.write_all(octets).and_then(|()| file.sync_data());
        if written.is_err() {
            self.open = None;
        }
        written
    }

    /// Opens what is at the path, unless it is open: a file that was moved away, as `logrotate` does, is followed by a new one.
    fn follow(&mut self) -> io::Result<()> {
        if let Some(file) = &self.open {
            let (ours, there) = (file.metadata()?, std::fs::metadata(&self.path));
            let is_same =
                |there: &std::fs::Metadata| (there.dev(), there.ino()) == (ours.dev(), ours.ino());
            if there.as_ref().is_ok_and(is_same) {
                return Ok(());
            }
        }
        self.open = None;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        if file.metadata()?.is_file() {
            end_last_line(&mut file)?;
            if let Some(folder) = self.path.parent() {
                let folder = if folder.as_os_str().is_empty() {
                    Path::new(".")
                } else {
                    folder
                };
                File::open(folder)?.sync_all()?;
            }
        }
        self.open = Some(file);
        Ok(())
    }
}

/// A line that a crash or a full disk has cut ends here.
fn end_last_line(file: &mut File) -> io::Result<()> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    match last {
        [b'\n'] => Ok(()),
        _ => file.write_all(b"\n"),
    }
}

#[cfg(test)]
mod tests {
    use daemon::readiness::Readiness;

    use super::*;

    fn open(path: &Path, readiness: &Readiness) -> AuditFile {
        AuditFile::open(path, readiness.condition("audit")).expect("a file")
    }

    #[tokio::test]
    async fn file_that_was_moved_away_is_followed_by_a_new_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, old) = (folder.path().join("audit"), folder.path().join("audit.1"));
        let audit = open(&path, &Readiness::new());
        audit.append(b"one\n".to_vec()).await.expect("written");
        std::fs::rename(&path, &old).expect("moved");
        audit.append(b"two\n".to_vec()).await.expect("written");
        assert_eq!(std::fs::read(&old).expect("there"), b"one\n");
        assert_eq!(std::fs::read(&path).expect("there"), b"two\n");
        let mode = std::fs::metadata(&path).expect("there").mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn line_that_was_cut_is_ended_before_the_next_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("audit");
        std::fs::write(&path, "one\ntw").expect("written");
        let audit = open(&path, &Readiness::new());
        audit.append(b"three\n".to_vec()).await.expect("written");
        assert_eq!(std::fs::read(&path).expect("there"), b"one\ntw\nthree\n");
    }

    #[tokio::test]
    async fn full_disk_is_told_and_warned_of() {
        let readiness = Readiness::new();
        let audit = open(Path::new("/dev/full"), &readiness);
        let failed = audit.append(b"one\n".to_vec()).await;
        assert_eq!(
            failed.map_err(|error| error.kind()),
            Err(io::ErrorKind::StorageFull)
        );
        let told = readiness.snapshot();
        assert!(
            told.is_ready() && told.to_string().contains("cannot be written"),
            "{told}"
        );
    }
}
