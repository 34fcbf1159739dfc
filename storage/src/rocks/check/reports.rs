//! Delivery reports and their index.

use super::orphans::has;
use super::{CheckReport, Finding};
use crate::column_family::Family;
use crate::key;
use crate::rocks::shared::Shared;
use crate::store::StoreError;
use crate::value::{self, ReportValue};

impl Shared {
    pub(super) fn check_reports(&self, report: &mut CheckReport) -> Result<(), StoreError> {
        let mut scan = self.database.scan(Family::Reports, &[], None);
        while let Some((name, row)) = scan.step(|key, octets| {
            let row: ReportValue = value::decode(octets)?;
            Ok((key::decode_report(key)?, row))
        })? {
            let due = key::report_due(row.due_at, name);
            let is_sound = name == row.report.name && has(self, Family::ReportDue, &due)?;
            report.expect(is_sound, || Finding::Report(name));
        }
        let mut scan = self.database.scan(Family::ReportDue, &[], None);
        while let Some((at, name)) = scan.step(|key, _| key::decode_report_due(key))? {
            let row = self.database.read(Family::Reports, &key::report(name))?;
            let row: Option<ReportValue> = row.map(|row| value::decode(&row)).transpose()?;
            let belongs = row.is_some_and(|row| row.due_at == at);
            report.expect(belongs, || Finding::Orphan(Family::ReportDue.name()));
        }
        Ok(())
    }
}
