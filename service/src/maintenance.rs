//! Work on a store that serves nobody meanwhile: `restante storage check` and `restante storage restore`.

use std::path::{Path, PathBuf, absolute};

use daemon::exit::{Code, Fatal};
use storage::model::{Clock as _, SystemClock};
use storage::{CheckReport, RocksStore, Store};

use crate::backup;
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

/// Puts a backup, or the newest whole one of a folder of backups, into the data folder, where there is no store. Returns which
/// one it was, as a sentence. It is to be restored next.
///
/// # Errors
/// [`Code::Io`] if the data folder is not empty, there is no whole backup, it is of a store of another name, or files cannot
/// be copied.
pub fn put_in_place(config: &Config, from: &Path) -> Result<String, Fatal> {
    let process = &config.process;
    let backup = backup::put_in_place(from, &data_folder(config), &process.hostname);
    let backup = backup.map_err(|sentence| Fatal::new(Code::Io, sentence))?;
    let age = SystemClock.now().since(backup.manifest.began_at);
    Ok(format!(
        "{}: everything that was accepted until {} s ago is in it, {} octets",
        backup.name,
        age.as_secs(),
        backup.manifest.octets()
    ))
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
