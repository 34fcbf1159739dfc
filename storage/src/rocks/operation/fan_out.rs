//! Jobs and legs: the operations, and the desk that the rules work on.

use std::sync::PoisonError;
use std::time::Duration;

use crate::column_family::Family;
use crate::config::Retention;
use crate::key::{self, AddressKey, Due, DueKind};
use crate::model::{
    ClaimedLeg, Job, JobAdmission, JobAdmissionOutcome, JobClass, JobNumber, JobOutcome,
    JobReceipt, JobRefusal, JobRequest, JobState, LargeJob, LegName, LegOutcome, LegSettled,
    LegToken, MessageId, MessageNumber, Owner, Receipt, UnixMillis, UploadId,
};
use crate::rocks::measure::Ended;
use crate::rocks::queue::Lane;
use crate::rocks::shared::Shared;
use crate::rocks::submit::Operation;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rocks::uploads::{Body, Finished, large_row};
use crate::rule::blocks::BLOCK_OCTETS;
use crate::rule::deposit::is_too_late;
use crate::rule::duplicate::{Fingerprint, job_fingerprint};
use crate::rule::fan_out::find::{ROSTER_CHUNK, sender_key};
use crate::rule::fan_out::{self, Candidate, Desk, new_job};
use crate::rule::report;
use crate::rule::reservation::Purpose;
use crate::sealing::{ContentKey, KeyOwner};
use crate::store::{StoreError, Synced};
use crate::timekeeper::Times;
use crate::value::{
    self, DuplicateValue, Encoded, JobValue, LegListValue, LegValue, Mark, OwnerValue, RosterValue,
    SenderJobsValue, TemplateValue,
};

/// Octets that a leg adds to a group, roughly.
const LEG_OCTETS: usize = 512;
/// When a sender may try again who has too many unfinished jobs.
const JOBS_RETRY_AFTER: Duration = Duration::from_secs(60);

impl Desk for Transaction<'_> {
    type Stop = Interrupt;

    fn times(&self) -> Times {
        self.times
    }

    fn retention(&self) -> Retention {
        self.shared.bounds().retention
    }

    fn swept_until(&self) -> UnixMillis {
        self.counters.swept_until
    }

    fn job(&mut self, number: JobNumber) -> Result<Option<JobValue>, Interrupt> {
        self.job_row(number)
    }

    fn set_job(&mut self, number: JobNumber, job: Option<JobValue>) {
        self.set_job_row(number, job);
    }

    fn leg(&mut self, name: LegName) -> Result<Option<LegValue>, Interrupt> {
        self.leg_row(name)
    }

    fn set_leg(&mut self, name: LegName, leg: LegValue) {
        self.set_leg_row(name, Some(leg));
    }

    fn leg_list(&mut self, key: AddressKey) -> Result<LegListValue, Interrupt> {
        Ok(self.leg_list_row(key)?.unwrap_or_default())
    }

    fn set_leg_list(&mut self, key: AddressKey, list: LegListValue) {
        self.set_leg_list_row(
            key,
            Some(list).filter(|list| *list != LegListValue::default()),
        );
    }

    fn corrupt(&self, what: &'static str) -> Interrupt {
        StoreError::Corrupt { what }.into()
    }

    fn add_leg_due(&mut self, class: JobClass, at: UnixMillis, name: LegName) {
        self.leg_dues.add(class, at, self.times.steady);
        self.append(Family::leg_due(class), key::leg_due(at, name), || {
            value::encode(&Mark)
        });
    }

    fn remove_leg_due(&mut self, class: JobClass, at: UnixMillis, name: LegName) {
        self.erase(Family::leg_due(class), key::leg_due(at, name));
    }

    fn add_job_due(&mut self, at: UnixMillis, number: JobNumber) {
        let what = DueKind::Job(number);
        self.append_due(Due { at, what });
    }

    fn remove_job_due(&mut self, at: UnixMillis, number: JobNumber) {
        let what = DueKind::Job(number);
        self.erase(Family::Due, Due { at, what }.key());
    }

    fn remove_turn(&mut self, job: &Job) {
        let sender = sender_key(&self.shared.secret, &job.sender);
        self.erase(Family::turns(job.class), key::turn(sender, job.number));
    }

    fn end(&mut self, job: &JobValue) -> Result<(), Interrupt> {
        self.erase(Family::Jobs, key::template(job.job.number));
        if let Some(upload) = job.content {
            self.erase_range(Family::Large, key::blocks(upload));
        }
        let sender = sender_key(&self.shared.secret, &job.job.sender);
        let left = self.sender_jobs(sender)?.map_or(0, |jobs| jobs.0);
        let left = Some(left.saturating_sub(1)).filter(|left| *left > 0);
        self.set_sender_jobs(sender, left.map(SenderJobsValue));
        let took = self.times.wall.since(job.job.accepted_at);
        self.note_end(Ended::Job(job.job.class, job.job.state, took));
        Ok(())
    }

    fn forget(&mut self, number: JobNumber) {
        self.erase_range(Family::Jobs, key::of_job(number));
        self.erase_range(Family::Legs, key::of_job(number));
        self.erase_data_key(KeyOwner::Job(number));
    }
}

/// Makes a message a job.
pub(in crate::rocks) struct AcceptJob {
    request: JobRequest,
    fingerprint: Fingerprint,
    sender: AddressKey,
    template: Encoded,
    roster: Vec<Encoded>,
    content: Option<Content>,
}

/// The content of a large message to many.
struct Content {
    upload: UploadId,
    octets: u64,
    key: Option<ContentKey>,
    /// Blocks that are not staged: a short one goes with the job through the log.
    blocks: Vec<Encoded>,
}

/// What was decided, before the sync.
pub(in crate::rocks) enum Accepted {
    New(JobReceipt),
    Duplicate(JobReceipt),
    Refused(JobRefusal),
}

impl Accepted {
    /// To be called after the sync.
    pub(in crate::rocks) fn into_outcome(self) -> JobOutcome {
        match self {
            Self::New(receipt) => JobOutcome::Accepted(Synced::after_sync(receipt)),
            Self::Duplicate(receipt) => JobOutcome::Duplicate(Synced::after_sync(receipt)),
            Self::Refused(refusal) => JobOutcome::Refused(refusal),
        }
    }
}

/// Too many unfinished jobs, or no disk for what comes.
fn refusal(
    transaction: &mut Transaction<'_>,
    sender: AddressKey,
    disk_full: bool,
) -> Result<Option<JobRefusal>, Interrupt> {
    let jobs = transaction.sender_jobs(sender)?;
    if jobs.map_or(0, |jobs| jobs.0) >= transaction.shared.bounds().fan_out.sender_jobs {
        let retry_after = JOBS_RETRY_AFTER;
        return Ok(Some(JobRefusal::SenderJobs { retry_after }));
    }
    Ok(disk_full.then_some(JobRefusal::DiskFull))
}

impl AcceptJob {
    pub(in crate::rocks) fn new(mut request: JobRequest, shared: &Shared) -> Self {
        let template = std::mem::take(&mut request.template);
        let chunks = request.roster.chunks(ROSTER_CHUNK);
        Self {
            fingerprint: job_fingerprint(&shared.secret, &request),
            sender: sender_key(&shared.secret, &request.sender),
            template: value::encode(&TemplateValue(template)),
            roster: chunks
                .map(|chunk| value::encode(&RosterValue(chunk.to_vec())))
                .collect(),
            content: None,
            request,
        }
    }

    /// A large message, whose octets are all there.
    pub(in crate::rocks) fn of_upload(
        upload: UploadId,
        job: LargeJob,
        finished: Finished,
        shared: &Shared,
    ) -> Self {
        let octets = job.octets;
        let blocks = match finished.body {
            Body::Memory(octets) => (0..)
                .zip(octets.chunks(BLOCK_OCTETS))
                .map(|(block, octets)| {
                    let place = key::block(upload, block);
                    value::encode_piece(octets, finished.key.as_ref(), large_row(&place))
                })
                .collect(),
            Body::Staged => Vec::new(),
        };
        Self {
            content: Some(Content {
                upload,
                octets,
                key: finished.key,
                blocks,
            }),
            ..Self::new(job.into_request(finished.sha256), shared)
        }
    }

    fn refusal(&self, transaction: &mut Transaction<'_>) -> Result<Option<JobRefusal>, Interrupt> {
        let shared = transaction.shared;
        let limits = shared.bounds().fan_out;
        let refused = refusal(transaction, self.sender, shared.free_space.is_full())?;
        if refused.is_some() {
            return Ok(refused);
        }
        // Taken once: a rehearsal takes nothing.
        if limits.sender_rate == 0 || !transaction.is_commit() {
            return Ok(None);
        }
        let now = transaction.times.instant;
        let rates = shared.fan_out.rates.lock();
        let mut rates = rates.unwrap_or_else(PoisonError::into_inner);
        let taken = rates.take(
            self.sender,
            self.request.roster.len(),
            limits.sender_rate,
            now,
        );
        Ok(taken
            .err()
            .map(|retry_after| JobRefusal::SenderRate { retry_after }))
    }

    fn accept(&self, transaction: &mut Transaction<'_>) -> Result<JobReceipt, Interrupt> {
        let number = JobNumber(transaction.counters.next_serial);
        transaction.counters.next_serial += 1;
        let (config, bounds) = (&transaction.shared.config, &transaction.shared.bounds());
        let now = transaction.times.wall;
        let content = self.content.as_ref();
        let staged = content.map(|content| (content.upload, content.octets));
        let job = JobValue {
            content_key: content.and_then(|content| content.key.clone()),
            ..new_job(&self.request, number, staged, now, &bounds.retention)
        };
        let until = now.after(bounds.dedupe_window);
        let receipt = Receipt {
            id: MessageId {
                number: MessageNumber(number.0),
                hostname: config.hostname.clone(),
            },
            received_at: now,
        };
        let row = DuplicateValue { receipt, until };
        transaction.set_duplicate(key::duplicate(key::JOBS, &self.fingerprint), Some(row));
        let jobs = transaction
            .sender_jobs(self.sender)?
            .map_or(0, |jobs| jobs.0);
        transaction.set_sender_jobs(self.sender, Some(SenderJobsValue(jobs + 1)));
        transaction.append(Family::Jobs, key::template(number), || {
            self.template.clone()
        });
        for (chunk, roster) in (0..).zip(&self.roster) {
            transaction.append(Family::Jobs, key::roster(number, chunk), || roster.clone());
        }
        self.append_content(number, transaction);
        let told = (transaction.times, &bounds.retention);
        if let Some(report) = report::of_job(&self.request, number, told) {
            transaction.append_report(&report);
        }
        let turns = Family::turns(self.request.class);
        transaction.append(turns, key::turn(self.sender, number), || {
            value::encode(&Mark)
        });
        transaction.add_job_due(job.due_at, number);
        transaction.set_job(number, Some(job));
        Ok(JobReceipt {
            job: number,
            accepted_at: now,
        })
    }

    /// Blocks that are not staged, and whose they all are.
    fn append_content(&self, number: JobNumber, transaction: &mut Transaction<'_>) {
        let Some(content) = &self.content else {
            return;
        };
        for (place, block) in (0..).zip(&content.blocks) {
            let place = key::block(content.upload, place);
            transaction.append(Family::Large, place, || block.clone());
        }
        let owner = key::block(content.upload, key::OWNER_BLOCK);
        transaction.append(Family::Large, owner, || {
            value::encode(&OwnerValue::Job(number))
        });
    }
}

impl Operation for AcceptJob {
    type Answer = Accepted;

    const LANE: Lane = Lane::Deposits;

    fn octets(&self) -> usize {
        let blocks = self.content.iter().flat_map(|content| &content.blocks);
        let rows = self.roster.iter().chain(blocks);
        let rows = rows.map(|row| row.len());
        self.template.len() + rows.sum::<usize>() + LEG_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Accepted, Interrupt> {
        if is_too_late(self.request.deadline, transaction.times.instant) {
            return Ok(Accepted::Refused(JobRefusal::TooLate));
        }
        let first = transaction.duplicate(key::duplicate(key::JOBS, &self.fingerprint))?;
        if let Some(first) = first.filter(|first| first.until > transaction.times.wall) {
            return Ok(Accepted::Duplicate(JobReceipt {
                job: JobNumber(first.receipt.id.number.0),
                accepted_at: first.receipt.received_at,
            }));
        }
        match self.refusal(transaction)? {
            Some(refusal) => Ok(Accepted::Refused(refusal)),
            None => self.accept(transaction).map(Accepted::New),
        }
    }
}

/// Lets a large message to many in before it comes. Nothing is written, and nothing is taken off the rate of the
/// sender: that is for the commit.
pub(in crate::rocks) struct AdmitJob {
    pub(in crate::rocks) admission: JobAdmission,
    pub(in crate::rocks) sender: AddressKey,
}

impl Operation for AdmitJob {
    type Answer = JobAdmissionOutcome;

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        let shared = transaction.shared;
        let limits = shared.bounds().fan_out;
        let announced = self.admission.announced_octets;
        let max_octets = announced.unwrap_or(limits.large_octets);
        if max_octets > limits.large_octets {
            return Err(StoreError::UploadTooLarge.into());
        }
        let disk_full = shared
            .free_space
            .has_no_room_for(announced.unwrap_or_default());
        if let Some(refused) = refusal(transaction, self.sender, disk_full)? {
            return Ok(JobAdmissionOutcome::Refused(refused));
        }
        let now = transaction.times.instant;
        if limits.sender_rate > 0 {
            let rates = shared.fan_out.rates.lock();
            let rates = rates.unwrap_or_else(PoisonError::into_inner);
            if let Err(retry_after) = rates.look(self.sender, limits.sender_rate, now) {
                let refused = JobRefusal::SenderRate { retry_after };
                return Ok(JobAdmissionOutcome::Refused(refused));
            }
        }
        let upload = match transaction.is_commit() {
            true => {
                let announced = announced.unwrap_or_default();
                let uploads = &shared.uploads;
                uploads.begin(Purpose::Job, announced, max_octets, now)?
            }
            false => UploadId(0),
        };
        Ok(JobAdmissionOutcome::Admitted { upload, max_octets })
    }
}

/// Claims candidates.
pub(in crate::rocks) struct ClaimLegs {
    pub(in crate::rocks) candidates: Vec<Candidate>,
    pub(in crate::rocks) owner: Owner,
    pub(in crate::rocks) lease: Duration,
}

impl Operation for ClaimLegs {
    type Answer = Vec<ClaimedLeg>;

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        self.candidates.len() * LEG_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        fan_out::claim(transaction, &self.candidates, &self.owner, self.lease)
    }
}

/// Settles claimed legs.
pub(in crate::rocks) struct SettleLegs(pub(in crate::rocks) Vec<(LegToken, LegOutcome)>);

impl Operation for SettleLegs {
    type Answer = Vec<LegSettled>;

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        self.0.len() * LEG_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        fan_out::settle(transaction, &self.0)
    }
}

/// Extends claims of legs.
pub(in crate::rocks) struct RenewLegs {
    pub(in crate::rocks) tokens: Vec<LegToken>,
    pub(in crate::rocks) lease: Duration,
}

impl Operation for RenewLegs {
    type Answer = Vec<LegToken>;

    const LANE: Lane = Lane::Requests;

    fn octets(&self) -> usize {
        self.tokens.len() * LEG_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        fan_out::renew(transaction, &self.tokens, self.lease)
    }
}

/// An operator ends a job.
pub(in crate::rocks) struct CancelJob {
    pub(in crate::rocks) number: JobNumber,
    pub(in crate::rocks) reason: String,
}

impl Operation for CancelJob {
    type Answer = ();

    const LANE: Lane = Lane::Requests;

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<(), Interrupt> {
        let job = transaction.job_row(self.number)?;
        let job = job.ok_or(StoreError::NotFound)?;
        if job.job.ended_at.is_some() {
            let reason = "the job has ended".to_owned();
            return Err(StoreError::Precondition { reason }.into());
        }
        fan_out::close(transaction, job, JobState::Cancelled, &self.reason)?;
        Ok(())
    }
}

/// Gives legs of a closing job their outcome.
pub(in crate::rocks) struct CloseLegs(pub(in crate::rocks) Vec<LegName>);

impl Operation for CloseLegs {
    type Answer = ();

    const LANE: Lane = Lane::Bulk;

    fn octets(&self) -> usize {
        self.0.len() * LEG_OCTETS
    }

    fn run(&self, transaction: &mut Transaction<'_>) -> Result<Self::Answer, Interrupt> {
        fan_out::close_legs(transaction, &self.0)
    }
}
