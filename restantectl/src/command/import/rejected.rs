//! The file of rows that could not be imported: CSV as it is read, with the reason as one more column, to be corrected and
//! imported again.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use csv::Writer;
use tempfile::NamedTempFile;

use super::ordered_csv::STANDARD_INPUT;
use super::row::{COLUMNS, Record};
use crate::exit::Failure;

/// The last column.
const REASON: &str = "reason";

/// The file. It is made with its first row, beside where it belongs, and put there when it is finished: what is there stays
/// until then, and for good if no row is rejected.
pub(super) struct RejectedFile {
    path: PathBuf,
    writer: Option<Writer<Output>>,
}

/// What rows are written to.
enum Output {
    /// The file to be put in its place, which only its owner may read: there are messages in it.
    Beside(NamedTempFile),
    /// No file but a device or a pipe, as /dev/stdout is: it is written as it is.
    Straight(File),
}

impl RejectedFile {
    /// A file to be written to this place, which is not what is read: neither a file with `source` among its names, nor the
    /// one that standard input comes from.
    pub(super) fn at(path: &Path, source: Option<&Path>) -> Result<Self, Failure> {
        let is_source = match (fs::metadata(path), source) {
            (Ok(there), Some(source)) => {
                there.is_file() && read(source).is_ok_and(|read| is_same(&there, &read))
            }
            _ => false,
        };
        if is_source {
            return Err(Failure::RejectedIsSource {
                path: path.display().to_string(),
            });
        }
        // What can be said before rows are rejected is said before any is imported.
        let parent = fs::metadata(parent(path)).map_err(|error| failed(path, error))?;
        if !parent.is_dir() || path.is_dir() {
            return Err(failed(path, io::ErrorKind::IsADirectory.into()));
        }
        Ok(Self {
            path: path.to_owned(),
            writer: None,
        })
    }

    /// Adds a row.
    pub(super) fn add(&mut self, record: &Record, reason: &str) -> Result<(), Failure> {
        let fields = record.fields().chain([reason.as_bytes()]);
        let Self { path, writer } = self;
        let failed = |error: io::Error| failed(path, error);
        let writer = match writer {
            Some(writer) => writer,
            None => writer.insert(begun(path).map_err(failed)?),
        };
        let written = writer.write_record(fields);
        written.map_err(|error| failed(error.into()))
    }

    /// Puts what was written in its place.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Self { path, writer } = self;
        let placed = writer.map_or(Ok(()), |writer| put(writer, &path));
        placed.map_err(|error| failed(&path, error))
    }
}

/// The output, with the line of the names.
fn begun(path: &Path) -> io::Result<Writer<Output>> {
    let is_straight = fs::metadata(path).is_ok_and(|there| !there.is_file());
    let output = match is_straight {
        true => Output::Straight(OpenOptions::new().write(true).open(path)?),
        false => {
            let place = place(path);
            let name = place.file_name().unwrap_or_default().to_string_lossy();
            let beside = tempfile::Builder::new()
                .prefix(&format!(".{name}."))
                .tempfile_in(parent(&place))?;
            Output::Beside(beside)
        }
    };
    let mut writer = Writer::from_writer(output);
    writer.write_record(COLUMNS.into_iter().chain([REASON]))?;
    Ok(writer)
}

/// Writes the rest, and puts the file in its place.
fn put(mut writer: Writer<Output>, path: &Path) -> io::Result<()> {
    writer.flush()?;
    let output = writer.into_inner();
    let output = output.map_err(|unwritten| io::Error::other(unwritten.to_string()))?;
    if let Output::Beside(file) = output {
        file.as_file().sync_all()?;
        file.persist(place(path))?;
    }
    Ok(())
}

/// Where the file belongs: behind a link, what it leads to.
fn place(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The folder of a file.
fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What is known of what is read.
fn read(source: &Path) -> io::Result<Metadata> {
    if source.as_os_str() != STANDARD_INPUT {
        return fs::metadata(source);
    }
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    File::from(input).metadata()
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

impl Write for Output {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file) => file.write(octets),
            Self::Straight(file) => file.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file) => file.flush(),
            Self::Straight(file) => file.flush(),
        }
    }
}

fn failed(path: &Path, source: io::Error) -> Failure {
    Failure::ImportFile {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const OLD: &str = "what was there";

    fn row() -> Record {
        Record::of(|_| Some(b"x"))
    }

    fn add_row(path: &Path) {
        let mut file = RejectedFile::at(path, None).expect("a place");
        file.add(&row(), "why not").expect("written");
        file.finish().expect("placed");
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn the_file_that_is_read_is_refused_under_each_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let [source, link, hard, other] =
            ["silo.csv", "link", "hard", "other.csv"].map(|name| folder.path().join(name));
        fs::write(&source, OLD).unwrap();
        symlink(&source, &link).unwrap();
        fs::hard_link(&source, &hard).unwrap();
        for path in [&source, &link, &hard, &folder.path().join("./silo.csv")] {
            for read in [&source, &link] {
                let refused = RejectedFile::at(path, Some(read)).err().expect("refused");
                assert!(matches!(refused, Failure::RejectedIsSource { .. }));
            }
        }
        assert_eq!(fs::read_to_string(&source).unwrap(), OLD);
        assert!(RejectedFile::at(&other, Some(&source)).is_ok());
    }

    #[test]
    fn what_is_there_stays_without_rejected_rows_and_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.csv");
        fs::write(&path, OLD).unwrap();
        let file = RejectedFile::at(&path, None).unwrap();
        file.finish().unwrap();
        let mut file = RejectedFile::at(&path, None).unwrap();
        file.add(&row(), "why not").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), OLD);
        file.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.ends_with("x,why not\n"), "{text}");
        assert_eq!(names(folder.path()), ["rejected.csv"]);
    }

    #[test]
    fn only_the_owner_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.csv");
        fs::write(&path, OLD).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        add_row(&path);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_link_stays_a_link_and_a_device_a_device() {
        let folder = tempfile::tempdir().unwrap();
        let [real, link, null] =
            ["rejected.csv", "link", "null"].map(|name| folder.path().join(name));
        fs::write(&real, OLD).unwrap();
        symlink(&real, &link).unwrap();
        symlink("/dev/null", &null).unwrap();
        add_row(&link);
        add_row(&null);
        assert!(link.is_symlink() && null.is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap().lines().count(), 2);
        assert_eq!(names(folder.path()), ["link", "null", "rejected.csv"]);
    }

    #[test]
    fn a_place_that_cannot_be_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("none/x.csv")] {
            let refused = RejectedFile::at(&path, None).err().expect("refused");
            assert!(matches!(refused, Failure::ImportFile { .. }));
        }
    }
}
