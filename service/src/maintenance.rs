//! Work on a store that serves nobody meanwhile: `restante storage check` and `restante storage restore`.

use std::path::{Path, PathBuf, absolute};

use daemon::exit::{Code, Fatal};
use storage::model::{Clock as _, SystemClock, UnixMillis};
use storage::{CheckReport, RocksStore, Store};

use crate::backup::{self, Kind, Restored};
use crate::config::Config;

/// What a check found, as sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Whether everything agrees.
    pub is_sound: bool,
    /// One line each: what was looked at, then every finding.
    pub lines: Vec<String>,
}

/// The data folder of the configured store, as it is found from everywhere.
#[must_use]
pub fn data_folder(config: &Config) -> PathBuf {
    let folder = &config.process.data_dir;
    // Where the current folder is not known the path says what there is to say.
    absolute(folder).unwrap_or_else(|_| folder.clone())
}

/// Verifies indexes, counters and contents of the configured store. With `restate`, counters that are
/// wrong are written anew from their messages; nothing else is changed.
///
/// # Errors
/// [`Code::Io`] if there is no store, it is another user's, or it cannot be opened or read. Nothing is made.
pub async fn check(config: &Config, restate: bool) -> Result<Checked, Fatal> {
    let store = open(config.clone(), false).await?;
    let report = store.check(restate).await;
    store.close().await;
    let report = report.map_err(|error| Fatal::new(Code::Io, error.to_string()))?;
    Ok(Checked {
        is_sound: report.is_sound() || (restate && report.restated == report.total_findings),
        lines: lines(&report),
    })
}

/// Takes the older copy that lies in the data folder for the store from now on: its Message-IDs jump
/// past all that were ever handed out (STO-08), and the end of its log is given up if it is cut. With `check` everything in it is
/// verified then.
///
/// # Errors
/// [`Code::Io`] if there is no store, it is another user's, or it cannot be opened or read. Nothing is made.
pub async fn restore(config: &Config, check: bool) -> Result<Option<Checked>, Fatal> {
    let store = open(config.clone(), true).await?;
    let report = match check {
        true => Some(store.check(false).await),
        false => None,
    };
    store.close().await;
    let report = report.transpose();
    let report = report.map_err(|error| Fatal::new(Code::Io, error.to_string()))?;
    Ok(report.map(|report| Checked {
        is_sound: report.is_sound(),
        lines: lines(&report),
    }))
}

/// Puts a backup, or the newest good one of a folder of backups, into the data folder, where there is no store. Returns which
/// one it was, and what is to be said of it, as sentences. It is to be restored next.
///
/// # Errors
/// [`Code::Io`] if the data folder is not empty or another process has it, there is no whole backup, it is of a store of another
/// name, or files cannot be copied.
pub fn put_in_place(config: &Config, from: &Path) -> Result<Vec<String>, Fatal> {
    let now = SystemClock.now();
    let hostname = &config.process.hostname;
    let restored = backup::put_in_place(from, &data_folder(config), hostname, now);
    let restored = restored.map_err(|sentence| Fatal::new(Code::Io, sentence))?;
    Ok(about(&restored, now))
}

fn about(restored: &Restored, now: UnixMillis) -> Vec<String> {
    let Restored {
        backup,
        passed_over,
    } = restored;
    let manifest = &backup.manifest;
    let age = match now.0 < manifest.began_at.0 {
        true => "it was made at a time that is yet to come by this clock".to_owned(),
        false => format!(
            "everything that was accepted until {} s ago is in it",
            now.since(manifest.began_at).as_secs()
        ),
    };
    let (name, octets) = (&backup.name, manifest.octets());
    let mut sentences = vec![format!("{name}: {age}, {octets} octets")];
    match (manifest.is_verified, manifest.kind) {
        (true, _) => sentences.push(format!("{name} was verified when it was made")),
        (false, Kind::Checkpoint) => sentences.push(format!(
            "{name} is not verified, as no checkpoint is when it is made: `--check` verifies it"
        )),
        (false, Kind::Backup) => sentences.push(format!(
            "{name} is not verified: when it was made something in it did not agree; `--check` says what"
        )),
    }
    let newer = passed_over.iter().map(|name| {
        format!(
            "{name} is newer and passed over: something in it does not agree; to take it, name it"
        )
    });
    sentences.extend(newer);
    sentences
}

async fn open(config: Config, is_older_copy: bool) -> Result<RocksStore, Fatal> {
    let opened = tokio::task::spawn_blocking(move || {
        let mut store = config.store_with_keys()?;
        store.data_dir = data_folder(&config);
        store.accept_truncated_wal |= is_older_copy;
        let opened = RocksStore::open_existing(store, SystemClock);
        opened.map_err(|error| Fatal::new(Code::Io, error.to_string()))
    });
    opened
        .await
        .map_err(|error| Fatal::new(Code::Bug, format!("opening the store: {error}")))?
}

fn lines(report: &CheckReport) -> Vec<String> {
    let CheckReport {
        mailboxes,
        messages,
        content_octets,
        ..
    } = report;
    let mut lines = vec![format!(
        "{mailboxes} mailboxes, {messages} messages, {content_octets} octets of content"
    )];
    lines.extend(report.findings.iter().map(ToString::to_string));
    let more = report
        .total_findings
        .saturating_sub(report.findings.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    if report.unfinished_uploads > 0 {
        lines.push(format!(
            "{} uploads were unfinished and are removed",
            report.unfinished_uploads
        ));
    }
    if report.restated > 0 {
        lines.push(format!("{} mailboxes have new counters", report.restated));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::backup::{Backup, Manifest};

    const NOW: UnixMillis = UnixMillis(1_763_740_900_000);

    fn said(kind: Kind, is_verified: bool, began_at: UnixMillis) -> String {
        let manifest = Manifest {
            sequence: 1,
            kind,
            began_at,
            took: Duration::ZERO,
            hostname: "store.example.org".to_owned(),
            is_verified,
            new_octets: 0,
            files: Vec::new(),
        };
        let backup = Backup {
            name: "b".to_owned(),
            manifest,
            is_complete: true,
        };
        let passed_over = vec!["c".to_owned()];
        about(
            &Restored {
                backup,
                passed_over,
            },
            NOW,
        )
        .join("\n")
    }

    #[test]
    fn it_is_said_whether_what_was_put_in_place_is_verified() {
        let before = UnixMillis(NOW.0 - 30_000);
        let sound = said(Kind::Backup, true, before);
        assert!(sound.contains("until 30 s ago"), "{sound}");
        assert!(sound.contains("b was verified"), "{sound}");
        assert!(sound.contains("c is newer"), "{sound}");
        for kind in Kind::ALL {
            let unverified = said(kind, false, before);
            assert!(unverified.contains("b is not verified"), "{unverified}");
        }
        let ahead = said(Kind::Backup, true, NOW.after(Duration::from_secs(1)));
        assert!(ahead.contains("yet to come"), "{ahead}");
    }
}
