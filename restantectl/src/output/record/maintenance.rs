//! Backups, reports of checks, compactions.

use std::fmt::Write as _;
use std::time::Duration;

use proto::v1::{Backup, BackupKind, StoreCompacted, StoreReport};
use serde::Serialize;

use super::word;
use crate::moment::rfc3339;
use crate::output::text::escape;

/// A backup that is there.
#[derive(Debug, Serialize)]
pub(crate) struct BackupRecord {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) began_at: Option<String>,
    pub(crate) took_ms: u64,
    pub(crate) octets: u64,
    pub(crate) new_octets: u64,
    pub(crate) verified: bool,
    pub(crate) complete: bool,
}

impl From<Backup> for BackupRecord {
    fn from(backup: Backup) -> Self {
        let took = backup.took.and_then(|took| Duration::try_from(took).ok());
        Self {
            name: backup.name,
            kind: word(backup.kind, BackupKind::as_str_name, "BACKUP_KIND_"),
            began_at: rfc3339(backup.began_at),
            took_ms: took.map_or(0, |took| {
                u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
            }),
            octets: backup.octets,
            new_octets: backup.new_octets,
            verified: backup.verified,
            complete: backup.complete,
        }
    }
}

impl BackupRecord {
    /// A row of the table.
    pub(crate) fn cells(&self) -> Vec<String> {
        let state = match (self.complete, self.verified) {
            (false, _) => "files are missing",
            (true, true) => "verified",
            (true, false) => "not verified",
        };
        vec![
            self.name.clone(),
            self.began_at.clone().unwrap_or_default(),
            format!("{}.{:03}", self.took_ms / 1_000, self.took_ms % 1_000),
            self.octets.to_string(),
            self.new_octets.to_string(),
            state.to_owned(),
        ]
    }
}

/// What `backup` has done.
#[derive(Debug, Serialize)]
pub(crate) struct MadeRecord {
    pub(crate) backup: Option<BackupRecord>,
    pub(crate) report: Option<ReportRecord>,
}

impl MadeRecord {
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        if let Some(backup) = &self.backup {
            let (name, octets) = (escape(&backup.name), backup.octets);
            let _ = writeln!(
                text,
                "{name}: {octets} octets, {} of them new",
                backup.new_octets
            );
        }
        text + &self
            .report
            .as_ref()
            .map_or_else(String::new, ReportRecord::text)
    }
}

/// What a check has found.
#[derive(Debug, Serialize)]
pub(crate) struct ReportRecord {
    pub(crate) rows: u64,
    pub(crate) mailboxes: u64,
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    pub(crate) unfinished_uploads: u64,
    pub(crate) findings: Vec<String>,
    pub(crate) total_findings: u64,
}

impl From<StoreReport> for ReportRecord {
    fn from(report: StoreReport) -> Self {
        Self {
            rows: report.rows,
            mailboxes: report.mailboxes,
            messages: report.messages,
            octets: report.octets,
            unfinished_uploads: report.unfinished_uploads,
            findings: report.findings,
            total_findings: report.total_findings,
        }
    }
}

impl ReportRecord {
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} rows: {} mailboxes, {} messages, {} octets of content, {} large messages on their way\n",
            self.rows, self.mailboxes, self.messages, self.octets, self.unfinished_uploads
        );
        for finding in &self.findings {
            let _ = writeln!(text, "{}", escape(finding));
        }
        let more = self
            .total_findings
            .saturating_sub(self.findings.len() as u64);
        if more > 0 {
            let _ = writeln!(text, "and {more} more");
        }
        if self.total_findings == 0 {
            text.push_str("the store is sound\n");
        }
        text
    }
}

/// What a compaction has done.
#[derive(Debug, Serialize)]
pub(crate) struct CompactedRecord {
    pub(crate) octets_before: u64,
    pub(crate) octets_after: u64,
}

impl From<StoreCompacted> for CompactedRecord {
    fn from(compacted: StoreCompacted) -> Self {
        Self {
            octets_before: compacted.octets_before,
            octets_after: compacted.octets_after,
        }
    }
}

impl CompactedRecord {
    pub(crate) fn text(&self) -> String {
        format!(
            "{} octets, {} before\n",
            self.octets_after, self.octets_before
        )
    }
}
