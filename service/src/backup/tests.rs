//! Which backups there are, and which of them stay.

use tempfile::TempDir;

use super::*;

pub(super) const BEGAN: UnixMillis = UnixMillis(1_763_740_800_123);
pub(super) const HOSTNAME: &str = "store.example.org";

/// A folder of backups, and one for copies on the same file system.
pub(super) struct Place {
    folder: TempDir,
    backups: Backups,
}

impl Place {
    pub(super) fn new(keep: u32) -> Self {
        let folder = TempDir::new().expect("there is place");
        let backups = Backups::new(folder.path().join("backups"), keep);
        Self { folder, backups }
    }

    /// Where all of them are.
    pub(super) fn all(&self) -> &Path {
        &self.backups.folder
    }

    pub(super) fn folder(&self, backup: &Backup) -> PathBuf {
        self.all().join(&backup.name)
    }

    /// A copy of a store with these tables, as the store makes it.
    fn copy(&self, tables: &[(&str, usize)]) -> Scrap {
        let copy = self.folder.path().join("copy");
        fs::create_dir_all(copy.join("db")).expect("made");
        fs::write(copy.join("format"), "1\n").expect("written");
        fs::write(copy.join("message-id-floor"), "17 0\n").expect("written");
        for (table, octets) in tables {
            let kept = self.folder.path().join(table);
            if !kept.exists() {
                fs::write(&kept, vec![7; *octets]).expect("written");
            }
            fs::hard_link(&kept, copy.join("db").join(table)).expect("linked");
        }
        Scrap::new(copy)
    }

    fn begun(kind: Kind, began_at: UnixMillis) -> Begun {
        Begun {
            kind,
            began_at,
            hostname: HOSTNAME.to_owned(),
        }
    }

    fn make_at(
        &self,
        (kind, is_verified): (Kind, bool),
        began_at: UnixMillis,
        tables: &[(&str, usize)],
    ) -> Backup {
        let begun = Self::begun(kind, began_at);
        let ended = began_at.after(Duration::from_millis(1_500));
        let taken = self
            .backups
            .take(self.copy(tables), begun, &Walk::default());
        let sealed = self.backups.seal(taken.expect("taken"), is_verified, ended);
        sealed.expect("sealed")
    }

    /// One of a second after the beginning; a backup is verified, a checkpoint is not.
    pub(super) fn make(&self, kind: Kind, second: u64, tables: &[(&str, usize)]) -> Backup {
        let began_at = BEGAN.after(Duration::from_secs(second));
        self.make_at((kind, kind == Kind::Backup), began_at, tables)
    }

    /// A backup in which something does not agree.
    pub(super) fn make_unsound(&self, second: u64, tables: &[(&str, usize)]) -> Backup {
        let began_at = BEGAN.after(Duration::from_secs(second));
        self.make_at((Kind::Backup, false), began_at, tables)
    }

    fn list(&self) -> Vec<Backup> {
        self.backups.list(BEGAN).expect("readable")
    }

    fn names(&self) -> Vec<String> {
        self.list().into_iter().map(|backup| backup.name).collect()
    }
}

#[test]
fn a_backup_says_what_it_is_and_what_is_new_in_it() {
    let place = Place::new(3);
    let first = place.make(Kind::Backup, 0, &[("1.sst", 1_000), ("2.blob", 500)]);
    assert_eq!(first.name, "20251121T160000.123Z-backup");
    assert_eq!(first.manifest.took, Duration::from_millis(1_500));
    assert_eq!(
        (first.manifest.octets(), first.manifest.new_octets),
        (1_507, 1_507)
    );
    let second = place.make(Kind::Checkpoint, 1, &[("1.sst", 1_000), ("3.sst", 30)]);
    assert_eq!(second.name, "20251121T160001.123Z-checkpoint");
    // What is written anew with each: the format, and the lower bound of the ids.
    assert_eq!(
        (second.manifest.octets(), second.manifest.new_octets),
        (1_037, 37)
    );
    assert_eq!(place.list(), [second, first]);
}

#[test]
fn the_newest_of_each_kind_are_kept() {
    let place = Place::new(2);
    let kept = place.make(Kind::Backup, 0, &[]).name;
    for second in 1..=4 {
        place.make(Kind::Checkpoint, second, &[]);
    }
    let newest = ["4", "3"].map(|second| format!("20251121T16000{second}.123Z-checkpoint"));
    let [last, third] = newest;
    assert_eq!(place.names(), [last, third, kept]);
}

#[test]
fn sound_backups_do_not_make_way_for_unsound_ones() {
    let place = Place::new(2);
    let sound = [0, 1].map(|second| place.make(Kind::Backup, second, &[]).name);
    let [.., third, fourth] = [2, 3, 4, 5].map(|second| place.make_unsound(second, &[]).name);
    let [first, second] = sound;
    assert_eq!(place.names(), [fourth, third, second, first]);
}

#[test]
fn the_order_is_that_of_making_whatever_the_clock_said() {
    let place = Place::new(2);
    let ahead = BEGAN.after(Duration::from_secs(86_400 * 365));
    let first = place.make_at((Kind::Backup, true), ahead, &[]).name;
    let second = place.make(Kind::Backup, 1, &[]).name;
    assert_eq!(place.names(), [second.as_str(), first.as_str()]);
    let third = place.make(Kind::Backup, 2, &[]).name;
    assert_eq!(place.names(), [third, second]);
}

#[test]
fn one_of_an_earlier_version_that_is_of_the_future_is_not_the_newest() {
    let place = Place::new(3);
    let ahead = BEGAN.after(Duration::from_secs(86_400 * 365));
    let made = [(Kind::Backup, ahead), (Kind::Backup, BEGAN)];
    let names = made.map(|(kind, began_at)| {
        let backup = place.make_at((kind, true), began_at, &[]);
        let manifest = Manifest {
            sequence: 0,
            ..backup.manifest.clone()
        };
        manifest.write(&place.folder(&backup)).expect("written");
        backup.name
    });
    let [wrong, right] = names;
    assert_eq!(place.names(), [right, wrong]);
}

#[test]
fn only_what_broke_off_here_is_removed() {
    let place = Place::new(1);
    let last = place.make(Kind::Backup, 0, &[]);
    let renamed = place.all().join("before-the-move");
    fs::rename(place.folder(&last), &renamed).expect("renamed");
    let broken = place.all().join("20251121T150000.000Z-backup.partial");
    let of_others = place.all().join("photos.partial");
    for folder in [&broken, &of_others] {
        fs::create_dir(folder).expect("made");
    }
    let file = place.all().join("x.partial");
    fs::write(&file, "mine").expect("written");
    for second in 1..=2 {
        place.make(Kind::Backup, second, &[]);
    }
    assert!(!broken.exists());
    assert!(of_others.exists() && file.exists() && renamed.exists());
    assert_eq!(place.names().len(), 2, "{:?}", place.names());
}

#[test]
fn nothing_is_left_of_a_backup_that_fails() {
    let place = Place::new(2);
    // A file is where the folder of backups is to be.
    fs::write(place.all(), "").expect("written");
    let (copy, begun) = (place.copy(&[]), Place::begun(Kind::Backup, BEGAN));
    let at = copy.path().to_owned();
    let failed = place.backups.take(copy, begun, &Walk::default());
    assert!(failed.is_err());
    assert!(!at.exists());
    fs::remove_file(place.all()).expect("removed");

    let (copy, begun) = (place.copy(&[]), Place::begun(Kind::Backup, BEGAN));
    let unsealed = place.backups.take(copy, begun, &Walk::default());
    let unsealed = unsealed.expect("taken");
    let partial = unsealed.folder().to_owned();
    assert!(partial.exists() && !at.exists());
    drop(unsealed);
    assert!(!partial.exists());
}

#[test]
fn files_are_not_shared_with_an_unsound_backup() {
    let place = Place::new(2);
    let tables = [("1.sst", 1_000)];
    place.make_unsound(0, &tables);
    let next = place.make(Kind::Backup, 1, &tables);
    let last = place.make(Kind::Backup, 2, &tables);
    // What is shared is not new.
    assert_eq!(
        (next.manifest.new_octets, last.manifest.new_octets),
        (1_007, 7)
    );
}

#[test]
fn a_backup_whose_files_are_not_all_there_is_not_complete() {
    let place = Place::new(2);
    let backup = place.make(Kind::Backup, 0, &[("1.sst", 1_000)]);
    let folder = place.folder(&backup);
    assert!(Backup::read(&folder).expect("a backup").is_complete);
    fs::write(folder.join("db/1.sst"), "cut").expect("written");
    assert!(!Backup::read(&folder).expect("a backup").is_complete);
    fs::write(folder.join("manifest"), "nonsense").expect("written");
    assert_eq!(Backup::read(&folder), None);
    assert_eq!(place.names(), [""; 0]);
}
