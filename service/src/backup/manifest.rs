//! What belongs to a backup: a text file, written last.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::str::{FromStr, Lines};
use std::time::Duration;

use storage::model::UnixMillis;

use super::Kind;

/// Its name in the folder of a backup.
pub(super) const FILE: &str = "manifest";

const HEAD: &str = "restante backup 2";
/// Of manifests without `sequence`.
const HEAD_1: &str = "restante backup 1";
const END: &str = "end";

/// What stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// Its number among the backups of its folder, in the order in which they were made; zero: an earlier version has made it.
    pub(crate) sequence: u64,
    pub(crate) kind: Kind,
    /// Whatever was accepted before is in it.
    pub(crate) began_at: UnixMillis,
    /// Until it was there.
    pub(crate) took: Duration,
    /// The name in the Message-IDs of the store.
    pub(crate) hostname: String,
    /// All of it was read and agreed.
    pub(crate) is_verified: bool,
    /// Octets of files that the backup before does not have.
    pub(crate) new_octets: u64,
    pub(crate) files: Vec<Entry>,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Within the backup.
    pub(super) path: String,
    pub(super) octets: u64,
    /// The number of the file that it was made of, and when that was changed last, in nanoseconds since 1970: two entries that
    /// agree in all are the same octets.
    pub(super) inode: u64,
    pub(super) modified: i128,
}

impl Manifest {
    /// Octets of all files.
    pub(crate) fn octets(&self) -> u64 {
        self.files.iter().map(|file| file.octets).sum()
    }

    /// Writes it, synced.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut file = File::create(folder.join(FILE))?;
        file.write_all(self.text().as_bytes())?;
        file.sync_all()?;
        File::open(folder)?.sync_all()
    }

    /// Reads that of a backup.
    pub(super) fn read(folder: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(folder.join(FILE))?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the manifest is damaged");
        parse(&text).ok_or_else(damaged)
    }

    fn text(&self) -> String {
        let verified = if self.is_verified { "yes" } else { "no" };
        let mut text = format!(
            "{HEAD}\nsequence {}\nkind {}\nbegan {}\ntook {}\nhostname {}\nverified {verified}\nnew {}\n",
            self.sequence,
            self.kind.word(),
            self.began_at.0,
            self.took.as_millis(),
            self.hostname,
            self.new_octets,
        );
        for Entry {
            path,
            octets,
            inode,
            modified,
        } in &self.files
        {
            let _ = writeln!(text, "file {octets} {inode} {modified} {path}");
        }
        text + END + "\n"
    }
}

fn parse(text: &str) -> Option<Manifest> {
    let mut lines = text.lines();
    let sequence = match lines.next()? {
        HEAD => number(&mut lines, "sequence ")?,
        HEAD_1 => 0,
        _ => return None,
    };
    let kind = field(&mut lines, "kind ")?;
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
    let began_at = UnixMillis(number(&mut lines, "began ")?);
    let took = Duration::from_millis(number(&mut lines, "took ")?);
    let hostname = field(&mut lines, "hostname ")?.to_owned();
    let is_verified = match field(&mut lines, "verified ")? {
        "yes" => true,
        "no" => false,
        _ => return None,
    };
    let new_octets = number(&mut lines, "new ")?;
    let mut files = Vec::new();
    loop {
        let line = lines.next()?;
        if line == END {
            break;
        }
        files.push(entry(line.strip_prefix("file ")?)?);
    }
    Some(Manifest {
        sequence,
        kind,
        began_at,
        took,
        hostname,
        is_verified,
        new_octets,
        files,
    })
}

fn field<'a>(lines: &mut Lines<'a>, name: &str) -> Option<&'a str> {
    lines.next()?.strip_prefix(name)
}

fn number<N: FromStr>(lines: &mut Lines<'_>, name: &str) -> Option<N> {
    field(lines, name)?.parse().ok()
}

fn entry(line: &str) -> Option<Entry> {
    let mut parts = line.splitn(4, ' ');
    let entry = Entry {
        octets: parts.next()?.parse().ok()?,
        inode: parts.next()?.parse().ok()?,
        modified: parts.next()?.parse().ok()?,
        path: parts.next()?.to_owned(),
    };
    // Never a file of anybody else.
    let is_within = |path: &str| !path.starts_with('/') && path.split('/').all(|part| part != "..");
    is_within(&entry.path).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_as_it_was_written_and_not_if_it_is_cut() {
        let manifest = Manifest {
            sequence: 17,
            kind: Kind::Checkpoint,
            began_at: UnixMillis(1_763_740_800_000),
            took: Duration::from_millis(12),
            hostname: "store.example.org".to_owned(),
            is_verified: true,
            new_octets: 5,
            files: vec![Entry {
                path: "db/000012.sst".to_owned(),
                octets: 4_096,
                inode: 77,
                modified: 1_763_740_800_000_000_000,
            }],
        };
        let text = manifest.text();
        assert_eq!(parse(&text), Some(manifest.clone()));
        let earlier = text.replace("restante backup 2\nsequence 17\n", "restante backup 1\n");
        let sequence = 0;
        let unnumbered = Manifest {
            sequence,
            ..manifest
        };
        assert_eq!(parse(&earlier), Some(unnumbered));
        for (place, _) in text
            .match_indices('\n')
            .filter(|(place, _)| *place < text.len() - 1)
        {
            assert_eq!(parse(&text[..place]), None, "{place}");
        }
        for stray in ["../../etc/passwd", "/etc/passwd"] {
            assert_eq!(parse(&text.replace("db/000012.sst", stray)), None);
        }
    }
}
