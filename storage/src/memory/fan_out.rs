//! Groups, jobs and legs of the model.

mod copy;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use bytes::Bytes;

use super::MemoryStore;
use super::model::{FirstCopy, Model};
use crate::config::Retention;
use crate::fan_out::{FanOutStore, GroupPlace, GroupWithDocument};
use crate::key::{self, AddressKey};
use crate::model::{
    Address, Group, GroupOrder, GroupRefusal, Job, JobAdmission, JobAdmissionOutcome, JobClass,
    JobNumber, JobOutcome, JobPage, JobQuery, JobReceipt, JobRefusal, JobRequest, JobState,
    JobWithTemplate, LargeJob, Leg, LegBatch, LegName, LegOutcome, LegSettled, LegTemplate,
    LegToken, MessageId, MessageNumber, Owner, Receipt, RosterEntry, UnixMillis, UploadId,
};
use crate::rule::deposit::is_too_late;
use crate::rule::duplicate::{address_key, job_fingerprint};
use crate::rule::fan_out::find::{Finder, ROSTER_CHUNK, Shelf, sender_key};
use crate::rule::fan_out::{self, Desk, is_held, new_job, seen};
use crate::rule::group;
use crate::rule::report;
use crate::rule::reservation::Purpose;
use crate::rule::sender_rate::SenderRates;
use crate::store::{StoreError, Synced};
use crate::timekeeper::Times;
use crate::value::{JobValue, LegListValue, LegPhase, LegValue};

/// When a sender may try again who has too many unfinished jobs.
const JOBS_RETRY_AFTER: Duration = Duration::from_secs(60);

/// All there is of fan-out.
#[derive(Clone, Default)]
pub(super) struct FanOut {
    groups: BTreeMap<AddressKey, Group>,
    /// By owner and name.
    group_documents: HashMap<(Address, String), (Address, Vec<u8>)>,
    jobs: BTreeMap<JobNumber, JobValue>,
    templates: HashMap<JobNumber, LegTemplate>,
    rosters: HashMap<JobNumber, Vec<RosterEntry>>,
    contents: HashMap<JobNumber, Bytes>,
    legs: BTreeMap<LegName, LegValue>,
    lists: HashMap<AddressKey, LegListValue>,
    leg_dues: HashMap<JobClass, BTreeSet<(UnixMillis, LegName)>>,
    job_dues: BTreeSet<(UnixMillis, JobNumber)>,
    turns: HashMap<JobClass, BTreeSet<(AddressKey, JobNumber)>>,
    sender_jobs: HashMap<AddressKey, u32>,
    rates: SenderRates,
    last_sender: HashMap<JobClass, AddressKey>,
}

/// Where the document of a group is kept.
fn place_of(group: &Group) -> Option<(Address, String)> {
    group.owner.clone().zip(group.document.clone())
}

/// The rows of the model for the rules.
struct ModelDesk<'a> {
    fan_out: &'a mut FanOut,
    secret: [u8; 32],
    retention: Retention,
    times: Times,
}

impl Desk for ModelDesk<'_> {
    type Stop = StoreError;

    fn times(&self) -> Times {
        self.times
    }

    fn retention(&self) -> Retention {
        self.retention
    }

    fn swept_until(&self) -> UnixMillis {
        UnixMillis::default()
    }

    fn job(&mut self, number: JobNumber) -> Result<Option<JobValue>, StoreError> {
        Ok(self.fan_out.jobs.get(&number).cloned())
    }

    fn set_job(&mut self, number: JobNumber, job: Option<JobValue>) {
        match job {
            Some(job) => self.fan_out.jobs.insert(number, job),
            None => self.fan_out.jobs.remove(&number),
        };
    }

    fn leg(&mut self, name: LegName) -> Result<Option<LegValue>, StoreError> {
        Ok(self.fan_out.legs.get(&name).cloned())
    }

    fn set_leg(&mut self, name: LegName, leg: LegValue) {
        self.fan_out.legs.insert(name, leg);
    }

    fn leg_list(&mut self, key: AddressKey) -> Result<LegListValue, StoreError> {
        Ok(self.fan_out.lists.get(&key).copied().unwrap_or_default())
    }

    fn set_leg_list(&mut self, key: AddressKey, list: LegListValue) {
        match list == LegListValue::default() {
            true => self.fan_out.lists.remove(&key),
            false => self.fan_out.lists.insert(key, list),
        };
    }

    fn corrupt(&self, what: &'static str) -> StoreError {
        StoreError::Corrupt { what }
    }

    fn add_leg_due(&mut self, class: JobClass, at: UnixMillis, name: LegName) {
        let dues = self.fan_out.leg_dues.entry(class).or_default();
        dues.insert((at, name));
    }

    fn remove_leg_due(&mut self, class: JobClass, at: UnixMillis, name: LegName) {
        let dues = self.fan_out.leg_dues.entry(class).or_default();
        dues.remove(&(at, name));
    }

    fn add_job_due(&mut self, at: UnixMillis, number: JobNumber) {
        self.fan_out.job_dues.insert((at, number));
    }

    fn remove_job_due(&mut self, at: UnixMillis, number: JobNumber) {
        self.fan_out.job_dues.remove(&(at, number));
    }

    fn remove_turn(&mut self, job: &Job) {
        let sender = sender_key(&self.secret, &job.sender);
        let turns = self.fan_out.turns.entry(job.class).or_default();
        turns.remove(&(sender, job.number));
    }

    fn end(&mut self, job: &JobValue) -> Result<(), StoreError> {
        let job = &job.job;
        self.fan_out.templates.remove(&job.number);
        self.fan_out.contents.remove(&job.number);
        let sender = sender_key(&self.secret, &job.sender);
        let jobs = self.fan_out.sender_jobs.entry(sender).or_default();
        *jobs = jobs.saturating_sub(1);
        Ok(())
    }

    fn forget(&mut self, number: JobNumber) {
        self.fan_out.rosters.remove(&number);
        self.fan_out.legs.retain(|name, _| name.job != number);
    }
}

struct ModelShelf<'a> {
    fan_out: &'a FanOut,
    secret: [u8; 32],
    steady: UnixMillis,
}

impl Shelf for ModelShelf<'_> {
    fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    fn steady(&self) -> UnixMillis {
        self.steady
    }

    fn due_legs(
        &self,
        class: JobClass,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(UnixMillis, LegName)>, StoreError> {
        let dues = self.fan_out.leg_dues.get(&class).into_iter().flatten();
        let dues = dues.take_while(|(at, _)| *at <= now);
        Ok(dues.copied().take(limit).collect())
    }

    fn next_due(&self, class: JobClass, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        let mut dues = self.fan_out.leg_dues.get(&class).into_iter().flatten();
        let next = dues.find(|(at, _)| *at > now);
        Ok(next.map(|(at, _)| *at))
    }

    fn turn(
        &self,
        class: JobClass,
        after: Option<AddressKey>,
    ) -> Result<Option<(AddressKey, JobNumber)>, StoreError> {
        let turns = self.fan_out.turns.get(&class).into_iter().flatten();
        let mut turns = turns.copied();
        Ok(turns.find(|(sender, _)| Some(*sender) > after))
    }

    fn job_value(&self, number: JobNumber) -> Result<Option<JobValue>, StoreError> {
        Ok(self.fan_out.jobs.get(&number).cloned())
    }

    fn roster(&self, number: JobNumber, chunk: u32) -> Result<Vec<RosterEntry>, StoreError> {
        let roster = self.fan_out.rosters.get(&number);
        let chunk = usize::try_from(chunk).unwrap_or(usize::MAX);
        let chunk = roster.and_then(|roster| roster.chunks(ROSTER_CHUNK).nth(chunk));
        Ok(chunk.map_or_else(Vec::new, <[_]>::to_vec))
    }
}

/// What was decided, before the sync.
enum Decided {
    New(JobReceipt),
    Duplicate(JobReceipt),
    Refused(JobRefusal),
}

impl Decided {
    /// To be called after the sync.
    fn into_outcome(self) -> JobOutcome {
        match self {
            Self::New(receipt) => JobOutcome::Accepted(Synced::after_sync(receipt)),
            Self::Duplicate(receipt) => JobOutcome::Duplicate(Synced::after_sync(receipt)),
            Self::Refused(refusal) => JobOutcome::Refused(refusal),
        }
    }
}

impl Model {
    fn desk(&mut self, times: Times) -> ModelDesk<'_> {
        ModelDesk {
            secret: self.secret,
            retention: self.config.retention,
            times,
            fan_out: &mut self.fan_out,
        }
    }

    fn change_group(&mut self, order: &GroupOrder) -> Result<Group, GroupRefusal> {
        let key = address_key(&self.secret, order.change.uri().as_str());
        let known = self.fan_out.groups.get(&key).cloned();
        let changed = group::apply(known.as_ref(), order, self.next_serial)?;
        let documents = &mut self.fan_out.group_documents;
        if let (Some(document), Some(owner)) = (&order.document, &order.editor) {
            let place = (owner.clone(), document.name.clone());
            let its = documents.get(&place).map(|(uri, _)| uri);
            if its.is_some_and(|uri| uri != order.change.uri()) {
                return Err(GroupRefusal::OtherDocument);
            }
            let made = documents.keys().filter(|(its, _)| its == owner).count();
            if its.is_none() && made >= self.config.fan_out.groups_per_owner {
                return Err(GroupRefusal::TooManyGroups);
            }
        }
        let before = known.as_ref().and_then(place_of);
        let after = changed.as_ref().and_then(place_of);
        if let Some(before) = before.filter(|before| Some(before) != after.as_ref()) {
            documents.remove(&before);
        }
        if let (Some(after), Some(document)) = (after, &order.document) {
            let row = (order.change.uri().clone(), document.octets.clone());
            documents.insert(after, row);
        }
        self.next_serial += 1;
        match changed {
            Some(group) => {
                self.fan_out.groups.insert(key, group.clone());
                Ok(group)
            }
            None => {
                self.fan_out.groups.remove(&key);
                known.ok_or(GroupRefusal::Unknown)
            }
        }
    }

    fn admit_job(
        &mut self,
        admission: &JobAdmission,
        times: Times,
    ) -> Result<JobAdmissionOutcome, StoreError> {
        let limits = self.config.fan_out;
        let announced = admission.announced_octets;
        let max_octets = announced.unwrap_or(limits.large_octets);
        if max_octets > limits.large_octets {
            return Err(StoreError::UploadTooLarge);
        }
        let sender = sender_key(&self.secret, &admission.sender);
        let disk_full = self.is_disk_full_with(announced.unwrap_or_default());
        if let Some(refusal) = self.job_refusal(sender, disk_full) {
            return Ok(JobAdmissionOutcome::Refused(refusal));
        }
        if limits.sender_rate > 0 {
            let rates = &self.fan_out.rates;
            if let Err(retry_after) = rates.look(sender, limits.sender_rate, times.instant) {
                let refusal = JobRefusal::SenderRate { retry_after };
                return Ok(JobAdmissionOutcome::Refused(refusal));
            }
        }
        let amounts = (announced.unwrap_or_default(), max_octets);
        let upload = self.begin_upload(Purpose::Job, amounts, times)?;
        Ok(JobAdmissionOutcome::Admitted { upload, max_octets })
    }

    fn job_refusal(&self, sender: AddressKey, disk_full: bool) -> Option<JobRefusal> {
        let jobs = self.fan_out.sender_jobs.get(&sender).copied();
        if jobs.unwrap_or(0) >= self.config.fan_out.sender_jobs {
            let retry_after = JOBS_RETRY_AFTER;
            return Some(JobRefusal::SenderJobs { retry_after });
        }
        disk_full.then_some(JobRefusal::DiskFull)
    }

    fn commit_job(
        &mut self,
        upload: UploadId,
        job: LargeJob,
        times: Times,
    ) -> Result<Decided, StoreError> {
        let begun = self.reservations.begin_job_commit(upload, times.instant);
        if begun == Err(StoreError::OtherUpload) {
            self.abandon(upload);
        }
        begun?;
        let whole = self.take_whole(upload, job.octets);
        let decided = whole.map(|octets| {
            let octets = Bytes::from(octets);
            let sha256 = crate::rule::duplicate::sha256(&octets);
            self.accept_job(job.into_request(sha256), Some((upload, octets)), times)
        });
        self.end_upload(upload);
        decided
    }

    fn accept_job(
        &mut self,
        request: JobRequest,
        content: Option<(UploadId, Bytes)>,
        times: Times,
    ) -> Decided {
        if is_too_late(request.deadline, times.instant) {
            return Decided::Refused(JobRefusal::TooLate);
        }
        let fingerprint = job_fingerprint(&self.secret, &request);
        let first = self.duplicates.get(&(key::JOBS, fingerprint));
        if let Some(first) = first.filter(|first| first.until > times.wall) {
            return Decided::Duplicate(JobReceipt {
                job: JobNumber(first.receipt.id.number.0),
                accepted_at: first.receipt.received_at,
            });
        }
        let sender = sender_key(&self.secret, &request.sender);
        let limits = self.config.fan_out;
        if let Some(refusal) = self.job_refusal(sender, self.is_disk_full()) {
            return Decided::Refused(refusal);
        }
        if limits.sender_rate > 0 {
            let (rates, roster) = (&mut self.fan_out.rates, request.roster.len());
            let taken = rates.take(sender, roster, limits.sender_rate, times.instant);
            if let Err(retry_after) = taken {
                return Decided::Refused(JobRefusal::SenderRate { retry_after });
            }
        }
        let number = JobNumber(self.next_serial);
        self.next_serial += 1;
        let first = FirstCopy {
            receipt: Receipt {
                id: MessageId {
                    number: MessageNumber(number.0),
                    hostname: self.config.hostname.clone(),
                },
                received_at: times.wall,
            },
            until: times.wall.after(self.config.dedupe_window),
        };
        self.duplicates.insert((key::JOBS, fingerprint), first);
        let staged = content.as_ref();
        let staged = staged.map(|(upload, octets)| (*upload, octets.len() as u64));
        let job = new_job(&request, number, staged, times.wall, &self.config.retention);
        let told = (times, &self.config.retention);
        if let Some(report) = report::of_job(&request, number, told) {
            self.reports.add(report);
        }
        let fan_out = &mut self.fan_out;
        *fan_out.sender_jobs.entry(sender).or_default() += 1;
        fan_out.job_dues.insert((job.due_at, number));
        let turns = fan_out.turns.entry(request.class).or_default();
        turns.insert((sender, number));
        if let Some((_, octets)) = content {
            fan_out.contents.insert(number, octets);
        }
        fan_out.jobs.insert(number, job);
        fan_out.templates.insert(number, request.template);
        fan_out.rosters.insert(number, request.roster);
        Decided::New(JobReceipt {
            job: number,
            accepted_at: times.wall,
        })
    }

    fn claim_legs(
        &mut self,
        owner: &Owner,
        class: JobClass,
        limit: usize,
        lease: Duration,
        times: Times,
    ) -> Result<LegBatch, StoreError> {
        let mut legs = Vec::new();
        loop {
            let mut last = self.fan_out.last_sender.get(&class).copied();
            let shelf = ModelShelf {
                fan_out: &self.fan_out,
                secret: self.secret,
                steady: times.steady,
            };
            let found = Finder::new(&shelf, class).find(&mut last, limit - legs.len())?;
            if let Some(last) = last {
                self.fan_out.last_sender.insert(class, last);
            }
            if found.candidates.is_empty() {
                let again_in = match legs.len() >= limit {
                    true => Some(Duration::ZERO),
                    false => found.next.map(|next| next.since(times.steady)),
                };
                return Ok(LegBatch { legs, again_in });
            }
            let mut desk = self.desk(times);
            legs.extend(fan_out::claim(&mut desk, &found.candidates, owner, lease)?);
        }
    }

    fn job_of(&self, number: JobNumber) -> Result<&JobValue, StoreError> {
        self.fan_out.jobs.get(&number).ok_or(StoreError::NotFound)
    }

    fn list_jobs(&self, query: &JobQuery) -> JobPage {
        let before = query.before.unwrap_or(JobNumber(u64::MAX));
        let jobs = self.fan_out.jobs.range(..before).rev();
        let jobs = jobs.map(|(_, job)| &job.job).filter(|job| {
            query
                .sender
                .as_ref()
                .is_none_or(|sender| *sender == job.sender)
                && (query.states.is_empty() || query.states.contains(&job.state))
        });
        let jobs: Vec<_> = jobs.take(query.limit).cloned().collect();
        let last = jobs.last().map(|job| job.number);
        JobPage {
            next: last.filter(|_| jobs.len() >= query.limit),
            jobs,
        }
    }

    fn list_legs(
        &self,
        number: JobNumber,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Leg>, StoreError> {
        let job = self.job_of(number)?;
        let roster = self.fan_out.rosters.get(&number).into_iter().flatten();
        let legs = (0..).zip(roster).filter(|(index, _)| *index >= from);
        let legs = legs.take(limit).map(|(index, entry)| {
            let name = LegName { job: number, index };
            seen(name, entry, self.fan_out.legs.get(&name), job)
        });
        Ok(legs.collect())
    }

    fn cancel_job(
        &mut self,
        number: JobNumber,
        reason: &str,
        times: Times,
    ) -> Result<Job, StoreError> {
        let job = self.job_of(number)?.clone();
        if job.job.ended_at.is_some() {
            let reason = "the job has ended".to_owned();
            return Err(StoreError::Precondition { reason });
        }
        fan_out::close(&mut self.desk(times), job, JobState::Cancelled, reason)?;
        self.close_legs(number, times)?;
        Ok(self.job_of(number)?.job.clone())
    }

    fn close_legs(&mut self, number: JobNumber, times: Times) -> Result<(), StoreError> {
        let legs = self.fan_out.legs.keys().copied();
        let legs: Vec<_> = legs.filter(|name| name.job == number).collect();
        fan_out::close_legs(&mut self.desk(times), &legs)
    }

    /// What is due of jobs by `now`.
    pub(super) fn sweep_jobs(&mut self, now: UnixMillis, times: Times) {
        let due = self.fan_out.job_dues.iter().copied();
        let due: Vec<_> = due.take_while(|(at, _)| *at <= now).collect();
        for (at, number) in due {
            // Nothing in memory fails to be read.
            if let Ok(true) = fan_out::sweep(&mut self.desk(times), number, at) {
                drop(self.close_legs(number, times));
            }
        }
    }

    fn held_by_former(&self, owner: &Owner) -> Vec<LegToken> {
        let legs = self.fan_out.legs.iter().filter(|(_, leg)| {
            leg.phase == LegPhase::InFlight
                && leg.owner.edge == owner.edge
                && leg.owner.incarnation != owner.incarnation
        });
        legs.map(|(name, leg)| LegToken {
            leg: *name,
            generation: leg.generation,
        })
        .collect()
    }
}

impl FanOutStore for MemoryStore {
    async fn change_group(
        &self,
        order: GroupOrder,
    ) -> Result<Result<Synced<Group>, GroupRefusal>, StoreError> {
        let answer = self
            .write(|model, _| Ok(model.change_group(&order)))
            .await?;
        Ok(answer.map(Synced::after_sync))
    }

    async fn group(&self, uri: Address) -> Result<Option<Group>, StoreError> {
        self.read(|model, _| {
            let key = address_key(&model.secret, uri.as_str());
            Ok(model.fan_out.groups.get(&key).cloned())
        })
    }

    async fn group_document(
        &self,
        owner: Address,
        name: String,
    ) -> Result<Option<GroupWithDocument>, StoreError> {
        self.read(|model, _| {
            let place = (owner, name);
            let row = model.fan_out.group_documents.get(&place).cloned();
            let (owner, name) = place;
            let (uri, its, octets) = match row {
                Some((uri, octets)) => (uri, Some(name), Some(octets)),
                None => (Address::new(name), None, None),
            };
            let key = address_key(&model.secret, uri.as_str());
            let group = model.fan_out.groups.get(&key).cloned();
            let group = group.filter(|group| group.owner == Some(owner) && group.document == its);
            Ok(group.map(|group| (group, octets)))
        })
    }

    async fn which_are_groups(&self, uris: Vec<Address>) -> Result<Vec<bool>, StoreError> {
        self.read(|model, _| {
            let key = |uri: &Address| address_key(&model.secret, uri.as_str());
            let is_group = |uri: &Address| model.fan_out.groups.contains_key(&key(uri));
            Ok(uris.iter().map(is_group).collect())
        })
    }

    async fn list_groups(
        &self,
        after: Option<GroupPlace>,
        limit: usize,
    ) -> Result<Vec<(GroupPlace, Group)>, StoreError> {
        self.read(|model, _| {
            let groups = model.fan_out.groups.iter();
            let groups = groups.filter(|(place, _)| Some(**place) > after);
            let groups = groups.map(|(place, group)| (*place, group.clone()));
            Ok(groups.take(limit).collect())
        })
    }

    async fn accept_job(&self, request: JobRequest) -> Result<JobOutcome, StoreError> {
        let decided = self
            .write(|model, times| Ok(model.accept_job(request, None, times)))
            .await?;
        Ok(decided.into_outcome())
    }

    async fn admit_job(&self, admission: JobAdmission) -> Result<JobAdmissionOutcome, StoreError> {
        self.change(|model, times| model.admit_job(&admission, times))
    }

    async fn commit_job(&self, upload: UploadId, job: LargeJob) -> Result<JobOutcome, StoreError> {
        let decided = self
            .write(|model, times| model.commit_job(upload, job, times))
            .await?;
        Ok(decided.into_outcome())
    }

    async fn holds_leg(&self, token: LegToken) -> Result<bool, StoreError> {
        self.read(|model, _| {
            let leg = model.fan_out.legs.get(&token.leg);
            Ok(is_held(leg.ok_or(StoreError::NotFound)?, token))
        })
    }

    async fn read_job_content(
        &self,
        number: JobNumber,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        self.read(|model, _| {
            let octets = model.fan_out.contents.get(&number);
            let octets = octets.ok_or(StoreError::NotFound)?;
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let start = start.min(octets.len());
            let end = start.saturating_add(length).min(octets.len());
            Ok(octets.slice(start..end))
        })
    }

    async fn claim_legs(
        &self,
        owner: Owner,
        class: JobClass,
        limit: usize,
        lease: Duration,
    ) -> Result<LegBatch, StoreError> {
        self.write(|model, times| model.claim_legs(&owner, class, limit, lease, times))
            .await
    }

    async fn renew_legs(
        &self,
        tokens: Vec<LegToken>,
        lease: Duration,
    ) -> Result<Vec<LegToken>, StoreError> {
        self.write(|model, times| fan_out::renew(&mut model.desk(times), &tokens, lease))
            .await
    }

    async fn settle_legs(
        &self,
        settlements: Vec<(LegToken, LegOutcome)>,
    ) -> Result<Synced<Vec<LegSettled>>, StoreError> {
        self.write(|model, times| fan_out::settle(&mut model.desk(times), &settlements))
            .await
            .map(Synced::after_sync)
    }

    async fn release_former(&self, owner: Owner) -> Result<usize, StoreError> {
        self.write(|model, times| {
            let held = model.held_by_former(&owner);
            let returned = held.into_iter().map(|leg| (leg, LegOutcome::Returned));
            let returned: Vec<_> = returned.collect();
            fan_out::settle(&mut model.desk(times), &returned)?;
            Ok(returned.len())
        })
        .await
    }

    async fn job_template(&self, number: JobNumber) -> Result<JobWithTemplate, StoreError> {
        self.read(|model, _| {
            let template = model.fan_out.templates.get(&number);
            Ok(JobWithTemplate {
                job: model.job_of(number)?.job.clone(),
                template: template.ok_or(StoreError::NotFound)?.clone(),
            })
        })
    }

    async fn job(&self, number: JobNumber) -> Result<Job, StoreError> {
        self.read(|model, _| Ok(model.job_of(number)?.job.clone()))
    }

    async fn list_jobs(&self, query: JobQuery) -> Result<JobPage, StoreError> {
        self.read(|model, _| Ok(model.list_jobs(&query)))
    }

    async fn list_legs(
        &self,
        number: JobNumber,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Leg>, StoreError> {
        self.read(|model, _| model.list_legs(number, from, limit))
    }

    async fn cancel_job(
        &self,
        number: JobNumber,
        reason: String,
    ) -> Result<Synced<Job>, StoreError> {
        self.write(|model, times| model.cancel_job(number, &reason, times))
            .await
            .map(Synced::after_sync)
    }
}
