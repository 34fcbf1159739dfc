//! Jobs, their legs, and the lists and indexes of these.

use super::orphans::has;
use super::{CheckReport, Finding};
use crate::column_family::Family;
use crate::key::{self, Due, DueKind, JobRow};
use crate::model::{JobClass, JobCounts, JobNumber, JobState, LegName};
use crate::rocks::shared::Shared;
use crate::rule::fan_out::find::{ROSTER_CHUNK, sender_key};
use crate::store::StoreError;
use crate::value::{self, JobValue, LegListValue, LegPhase, LegValue, OwnerValue, PieceRow};

impl Shared {
    pub(super) fn check_fan_out(&self, report: &mut CheckReport) -> Result<(), StoreError> {
        let mut scan = self.database.scan(Family::Jobs, &[], None);
        while let Some(((number, row), job)) = scan.step(|key, octets| {
            let (number, row) = key::decode_job(key)?;
            let job = match row {
                JobRow::Job => Some(value::decode::<JobValue>(octets)?),
                JobRow::Template | JobRow::Roster(_) => None,
            };
            Ok(((number, row), job))
        })? {
            match job {
                Some(job) => {
                    let is_sound = self.is_job_sound(number, &job)?;
                    report.expect(is_sound, || Finding::Job(number));
                }
                None => {
                    let belongs = self.job_row(number)?.is_some_and(|job| match row {
                        JobRow::Roster(chunk) => chunk < chunks_of(&job),
                        _ => job.job.ended_at.is_none(),
                    });
                    report.expect(belongs, || Finding::Orphan(Family::Jobs.name()));
                }
            }
        }
        self.check_legs(report)
    }

    /// Counters, roster, template and indexes of a job.
    fn is_job_sound(&self, number: JobNumber, job: &JobValue) -> Result<bool, StoreError> {
        let at = job.due_at;
        let what = DueKind::Job(number);
        let mut is_sound = has(self, Family::Due, &Due { at, what }.key())?;
        for chunk in 0..chunks_of(job) {
            is_sound &= has(self, Family::Jobs, &key::roster(number, chunk))?;
        }
        let template = has(self, Family::Jobs, &key::template(number))?;
        is_sound &= template == job.job.ended_at.is_none();
        let sender = sender_key(&self.secret, &job.job.sender);
        let turns = Family::turns(job.job.class);
        let has_turn = has(self, turns, &key::turn(sender, number))?;
        let is_open = job.job.closing.is_none() && job.job.ended_at.is_none();
        is_sound &= has_turn == (is_open && job.cursor < job.job.counts.total);
        is_sound &= self.is_content_sound(number, job)?;
        Ok(is_sound && self.counted(number, job)? == job.job.counts)
    }

    /// A large message has all octets of its content, as long as it has not ended.
    fn is_content_sound(&self, number: JobNumber, job: &JobValue) -> Result<bool, StoreError> {
        let is_wanted = job.job.class == JobClass::Large && job.job.ended_at.is_none();
        let Some(upload) = job.content else {
            return Ok(!is_wanted);
        };
        let (lower, upper) = key::blocks(upload);
        let mut scan = self.database.scan(Family::Large, &lower, Some(&upper));
        let (mut there, mut owner) = (0, None);
        let mut step = |key: &[u8], row: &[u8]| {
            match key::decode_block(key)? {
                (_, key::OWNER_BLOCK) => owner = Some(value::decode(row)?),
                _ => {
                    let place = PieceRow {
                        family: Family::Large,
                        key,
                    };
                    // One that does not open is one that is not there.
                    let piece = value::decode_piece(row, job.content_key.as_ref(), place);
                    there += piece.map_or(0, |piece| piece.len() as u64);
                }
            }
            Ok(())
        };
        while scan.step(&mut step)?.is_some() {}
        Ok(is_wanted && there == job.job.octets && owner == Some(OwnerValue::Job(number)))
    }

    /// What the legs of a job say.
    fn counted(&self, number: JobNumber, job: &JobValue) -> Result<JobCounts, StoreError> {
        let total = job.job.counts.total;
        let mut counts = JobCounts {
            total,
            ..JobCounts::default()
        };
        match job.job.closing.unwrap_or(job.job.state) {
            JobState::Expired => counts.expired = total - job.cursor,
            JobState::Cancelled => counts.cancelled = total - job.cursor,
            JobState::Running | JobState::Completed => {}
        }
        let (lower, upper) = key::of_job(number);
        let mut scan = self.database.scan(Family::Legs, &lower, Some(&upper));
        let phase = |_: &[u8], octets: &[u8]| Ok(value::decode::<LegValue>(octets)?.phase);
        while let Some(phase) = scan.step(phase)? {
            match phase {
                LegPhase::Delivered => counts.delivered += 1,
                LegPhase::Failed => counts.failed += 1,
                LegPhase::Expired => counts.expired += 1,
                LegPhase::Cancelled => counts.cancelled += 1,
                LegPhase::Queued | LegPhase::Parked | LegPhase::Due | LegPhase::InFlight => {}
            }
        }
        Ok(counts)
    }

    fn check_legs(&self, report: &mut CheckReport) -> Result<(), StoreError> {
        self.check_family(Family::Legs, report, |key, octets| {
            let name = key::decode_leg(key)?;
            self.is_leg_sound(name, &value::decode(octets)?)
        })?;
        for class in JobClass::ALL {
            self.check_indexes(class, report)?;
        }
        self.check_family(Family::LegLists, report, |_, octets| {
            let list: LegListValue = value::decode(octets)?;
            let mut is_sound = list.first.is_some() == list.last.is_some();
            for name in [list.first, list.last].into_iter().flatten() {
                let leg = self.leg_row(name)?;
                is_sound &= leg.is_some_and(|leg| !leg.phase.is_settled());
            }
            let flying = list.in_flight.map(|name| self.leg_row(name)).transpose()?;
            let is_flying =
                |leg: Option<LegValue>| leg.is_some_and(|leg| leg.phase == LegPhase::InFlight);
            Ok(is_sound && flying.is_none_or(is_flying))
        })
    }

    /// Legs of a class by due time, and jobs of it by turn.
    fn check_indexes(&self, class: JobClass, report: &mut CheckReport) -> Result<(), StoreError> {
        self.check_family(Family::leg_due(class), report, |key, _| {
            let (at, name) = key::decode_leg_due(key)?;
            let leg = self.leg_row(name)?.filter(|leg| leg.class == class);
            Ok(leg.is_some_and(|leg| is_timed(&leg) && leg.due_at == at))
        })?;
        self.check_family(
            Family::turns(class),
            report,
            |key, _| match key::decode_turn(key)? {
                (_, Some(number)) => {
                    let job = self.job_row(number)?;
                    Ok(job.is_some_and(|job| job.job.class == class))
                }
                (_, None) => Ok(true),
            },
        )
    }

    /// It belongs to a job, and is where its phase says.
    fn is_leg_sound(&self, name: LegName, leg: &LegValue) -> Result<bool, StoreError> {
        let job = self.job_row(name.job)?;
        if job.is_none_or(|job| name.index >= job.cursor) {
            return Ok(false);
        }
        let dues = Family::leg_due(leg.class);
        let is_due = has(self, dues, &key::leg_due(leg.due_at, name))?;
        if leg.phase != LegPhase::InFlight {
            return Ok(is_due || !is_timed(leg));
        }
        let row = self.database.read(Family::LegLists, &leg.target)?;
        let list: Option<LegListValue> = row.map(|row| value::decode(&row)).transpose()?;
        Ok(is_due && list.is_some_and(|list| list.in_flight == Some(name)))
    }
}

/// Whether it is in the index by due time.
fn is_timed(leg: &LegValue) -> bool {
    matches!(leg.phase, LegPhase::Due | LegPhase::InFlight)
}

fn chunks_of(job: &JobValue) -> u32 {
    let chunk = u32::try_from(ROSTER_CHUNK).unwrap_or(u32::MAX);
    job.job.counts.total.div_ceil(chunk)
}
