//! Where backups are, and how many.

use std::path::{Component, Path, PathBuf, absolute};
use std::time::Duration;

use super::Config;

daemon::section! {
    /// Backups of the store, made while it serves.
    pub struct Maintenance in "maintenance" {
        /// Folder of backups, made if it does not exist; `off`: none are made. On the file system of `storage.data_dir` a backup
        /// costs no copy, and is lost with that disk.
        backups: Option<PathBuf> = "off",
        /// Verified backups that are kept, and as many checkpoints; older ones are removed when a new one is there. Of backups in which
        /// something did not agree the newest two stay besides.
        keep: u32 = 7,
        /// From one checkpoint to the next: a backup that the service makes by itself and does not read again, for a warm
        /// standby (docs/standby.md); `off`: none are made.
        every: Option<Duration> = "off",
    }
}

/// Where a path leads: through links as far as it is there, then as it is written.
fn real(path: &Path) -> PathBuf {
    let path = absolute(path).unwrap_or_else(|_| path.to_owned());
    let there = path
        .ancestors()
        .find_map(|there| Some((there.canonicalize().ok()?, path.strip_prefix(there).ok()?)));
    let Some((mut real, rest)) = there else {
        return path;
    };
    for part in rest.components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            part => real.push(part),
        }
    }
    real
}

impl Config {
    pub(super) fn upkeep(&self) -> [(bool, &'static str, &'static str); 4] {
        let Maintenance {
            backups,
            keep,
            every,
        } = &self.maintenance;
        let data = &self.process.data_dir;
        [
            (
                backups
                    .as_ref()
                    .is_none_or(|folder| !real(folder).starts_with(real(data))),
                "maintenance.backups",
                "must not be in storage.data_dir: it would be lost and moved with the store",
            ),
            (
                *keep > 0,
                "maintenance.keep",
                "must not be 0: every backup would be removed at once",
            ),
            (
                every.is_none() || backups.is_some(),
                "maintenance.every",
                "needs maintenance.backups: there is no place for checkpoints",
            ),
            (
                every.is_none_or(|every| every >= Duration::from_secs(1)),
                "maintenance.every",
                "must be at least 1s",
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::{Document, Environment};

    use super::*;

    fn mistakes(text: &str) -> String {
        let mut document = Document::parse("r.toml", text, Environment::default());
        Config::read(&mut document);
        let errors = document.finish().err();
        errors.map_or_else(String::new, |errors| errors.to_string())
    }

    #[test]
    fn backups_are_elsewhere_and_checkpoints_need_a_place() {
        let within = "[storage]\ndata_dir = \"/d\"\n[maintenance]\nbackups = \"/d/backups\"\n";
        assert!(mistakes(within).contains("must not be in storage.data_dir"));
        assert!(mistakes("[maintenance]\nevery = \"10s\"\n").contains("maintenance.backups"));
        let often = "[maintenance]\nbackups = \"/b\"\nevery = \"10ms\"\nkeep = 0\n";
        assert!(mistakes(often).contains("maintenance.every"));
        assert!(mistakes(often).contains("maintenance.keep"));
        let sound = "[maintenance]\nbackups = \"/b\"\nevery = \"10s\"\nkeep = 3\n";
        assert_eq!(mistakes(sound), "");
    }

    #[test]
    fn backups_do_not_lead_back_to_the_store() {
        let place = tempfile::tempdir().expect("a folder");
        let (data, link) = (place.path().join("data"), place.path().join("link"));
        std::fs::create_dir(&data).expect("made");
        std::os::unix::fs::symlink(&data, &link).expect("made");
        let of = |backups: &str| {
            let (data, place) = (data.display(), place.path().display());
            mistakes(&format!(
                "[storage]\ndata_dir = \"{data}\"\n[maintenance]\nbackups = \"{place}/{backups}\"\n"
            ))
        };
        for within in ["link", "link/backups", "new/../data", "data/../link"] {
            let mistakes = of(within);
            assert!(
                mistakes.contains("must not be in storage.data_dir"),
                "{within}: {mistakes}"
            );
        }
        assert_eq!(of("data/../backups"), "");
        assert_eq!(of("database"), "");
    }
}
