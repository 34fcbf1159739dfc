//! The file beside the database that remembers how far Message-IDs have got, every 65,536 of them
//! (STO-08): a data folder that was set back to an older copy is found out by it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

/// Name of the file in the data folder.
const FILE: &str = "message-id-floor";
/// Message-IDs between two records.
const STEP: u64 = 65_536;

/// What is on record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recorded {
    /// The lower bound; zero if there is none.
    pub(super) floor: u64,
    /// The file number of the database folder it was recorded for.
    folder: Option<u64>,
}

impl Recorded {
    /// Whether the database is a copy of the one it was recorded for: a backup that was put back holds
    /// this file too, but in folders of other numbers.
    pub(super) fn is_of_a_copy(self, data_dir: &Path) -> io::Result<bool> {
        let now = file_number(data_dir)?;
        Ok(self.folder.is_some_and(|recorded| recorded != now))
    }
}

/// Reads what is on record.
pub(super) fn recorded(data_dir: &Path) -> io::Result<Recorded> {
    let text = match fs::read_to_string(data_dir.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Recorded::default()),
        Err(error) => return Err(error),
    };
    let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{FILE} is damaged"));
    let mut numbers = text.split_whitespace().map(str::parse);
    let floor = numbers.next().ok_or_else(damaged)?.map_err(|_| damaged())?;
    let folder = numbers.next().transpose().map_err(|_| damaged())?;
    Ok(Recorded { floor, folder })
}

fn file_number(data_dir: &Path) -> io::Result<u64> {
    Ok(fs::metadata(data_dir.join(super::folder::DATABASE))?.ino())
}

/// Puts a lower bound on record, synced: after a crash the file has the old or the new one.
pub(super) fn record(data_dir: &Path, floor: u64) -> io::Result<()> {
    let folder = file_number(data_dir)?;
    let temporary = data_dir.join(format!("{FILE}.new"));
    let mut file = File::create(&temporary)?;
    writeln!(file, "{floor} {folder}")?;
    file.sync_all()?;
    fs::rename(&temporary, data_dir.join(FILE))?;
    File::open(data_dir)?.sync_all()
}

/// Gives a copy of the data folder the same lower bound, as that of a database elsewhere: whoever opens it is told that it is
/// a copy.
pub(super) fn mark_as_copy(data_dir: &Path, copy: &Path) -> io::Result<()> {
    /// No file has this number.
    const ELSEWHERE: u64 = 0;
    let floor = recorded(data_dir)?.floor;
    let mut file = File::create(copy.join(FILE))?;
    writeln!(file, "{floor} {ELSEWHERE}")?;
    file.sync_all()
}

/// Records in the background, so that no group waits for it.
pub(super) struct Recorder {
    next: u64,
    floors: SyncSender<u64>,
}

impl Recorder {
    /// Starts the thread; it ends with the recorder.
    pub(super) fn start(data_dir: PathBuf, recorded: u64) -> io::Result<Self> {
        let (floors, received) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("message-id-floor".to_owned())
            .spawn(move || run(&data_dir, &received))?;
        Ok(Self {
            next: recorded.saturating_add(STEP),
            floors,
        })
    }

    /// All Message-IDs below `number` have been handed out.
    pub(super) fn reached(&mut self, number: u64) {
        if number >= self.next && self.floors.try_send(number).is_ok() {
            self.next = number.saturating_add(STEP);
        }
    }
}

fn run(data_dir: &Path, floors: &Receiver<u64>) {
    while let Ok(floor) = floors.recv() {
        if let Err(error) = record(data_dir, floor) {
            tracing::warn!(event = "store.floor_not_recorded", %error, "the lower bound of the message ids could not be recorded");
        }
    }
}
