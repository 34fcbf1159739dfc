//! Groups, jobs and legs of the RocksDB engine: the calls, and what they read.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;

use super::RocksStore;
use super::committer::Job as QueuedJob;
use super::leg_dues::LegDues;
use super::operation::fan_out::{
    AcceptJob, AdmitJob, CancelJob, ClaimLegs, CloseLegs, RenewLegs, SettleLegs,
};
use super::queue::Queues;
use super::shared::Shared;
use super::submit::submit;
use crate::column_family::Family;
use crate::fan_out::{FanOutStore, GroupPlace, GroupWithDocument, LEGS_AT_ONCE};
use crate::key::{self, AddressKey};
use crate::model::{
    Address, Group, GroupOrder, GroupRefusal, Job, JobAdmission, JobAdmissionOutcome, JobClass,
    JobNumber, JobOutcome, JobPage, JobQuery, JobRequest, JobWithTemplate, LargeJob, Leg, LegBatch,
    LegName, LegOutcome, LegSettled, LegToken, Owner, RosterEntry, UnixMillis, UploadId,
};
use crate::rule::fan_out::find::{Finder, Found, Shelf, roster_place, sender_key};
use crate::rule::fan_out::{is_held, is_unheld, seen};
use crate::rule::sender_rate::SenderRates;
use crate::store::{StoreError, Synced};
use crate::value::{
    self, GroupDocumentValue, GroupValue, JobValue, LegPhase, LegValue, RosterValue, TemplateValue,
};

/// Searches of one claim: candidates that have to wait for another leg make room for others.
const SEARCHES: usize = 8;
/// A pause after searches that have brought nothing but legs that wait for one another.
const FRUITLESS: Duration = Duration::from_millis(100);
/// Jobs looked at for one page.
const JOBS_LOOKED_AT: usize = 10_000;
/// Legs read at a time.
const LEGS_READ: usize = 1_024;

/// What the engine keeps in memory of fan-out.
#[derive(Default)]
pub(super) struct FanOutState {
    pub(super) rates: Mutex<SenderRates>,
    pub(super) dues: LegDues,
    pager: LastSender,
    large: LastSender,
}

/// The sender whose turn it was. Locked for as long as a search lasts: there is one at a time.
type LastSender = Mutex<Option<AddressKey>>;

impl FanOutState {
    fn last_sender(&self, class: JobClass) -> MutexGuard<'_, Option<AddressKey>> {
        let last = match class {
            JobClass::Pager => &self.pager,
            JobClass::Large => &self.large,
        };
        last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FanOutStore for RocksStore {
    async fn change_group(
        &self,
        order: GroupOrder,
    ) -> Result<Result<Synced<Group>, GroupRefusal>, StoreError> {
        if let Some((owner, document)) = order.editor.as_ref().zip(order.document.as_ref()) {
            let place = self.shared.document_place(owner, &document.name);
            let has_room = self.read(move |shared| shared.has_room(place)).await?;
            if !has_room {
                return Ok(Err(GroupRefusal::TooManyGroups));
            }
        }
        let outcome = self.submit(order).await?;
        Ok(outcome.map(Synced::after_sync))
    }

    async fn group(&self, uri: Address) -> Result<Option<Group>, StoreError> {
        self.read(move |shared| shared.group(&uri)).await
    }

    async fn group_document(
        &self,
        owner: Address,
        name: String,
    ) -> Result<Option<GroupWithDocument>, StoreError> {
        self.read(move |shared| shared.group_document(&owner, name))
            .await
    }

    async fn which_are_groups(&self, uris: Vec<Address>) -> Result<Vec<bool>, StoreError> {
        self.read(move |shared| {
            let is_group = |uri: &Address| {
                let row = shared
                    .database
                    .read(Family::Groups, &shared.address_key(uri))?;
                Ok(row.is_some())
            };
            uris.iter().map(is_group).collect()
        })
        .await
    }

    async fn list_groups(
        &self,
        after: Option<GroupPlace>,
        limit: usize,
    ) -> Result<Vec<(GroupPlace, Group)>, StoreError> {
        self.read(move |shared| shared.groups(after, limit)).await
    }

    async fn accept_job(&self, request: JobRequest) -> Result<JobOutcome, StoreError> {
        let operation = self
            .read(move |shared| Ok(AcceptJob::new(request, shared)))
            .await?;
        Ok(self.submit(operation).await?.into_outcome())
    }

    async fn admit_job(&self, admission: JobAdmission) -> Result<JobAdmissionOutcome, StoreError> {
        let sender = sender_key(&self.shared.secret, &admission.sender);
        self.submit(AdmitJob { admission, sender }).await
    }

    async fn commit_job(&self, upload: UploadId, job: LargeJob) -> Result<JobOutcome, StoreError> {
        self.commit_octets(upload, job).await
    }

    async fn holds_leg(&self, token: LegToken) -> Result<bool, StoreError> {
        self.read(move |shared| {
            let leg = shared.leg_row(token.leg)?;
            Ok(is_held(&leg.ok_or(StoreError::NotFound)?, token))
        })
        .await
    }

    async fn read_job_content(
        &self,
        number: JobNumber,
        offset: u64,
        length: usize,
    ) -> Result<Bytes, StoreError> {
        self.read(move |shared| {
            let row = shared.job_row(number)?.ok_or(StoreError::NotFound)?;
            let upload = row.content.ok_or(StoreError::NotFound)?;
            let content = (upload, row.content_key.as_ref());
            let end = offset.saturating_add(length as u64).min(row.job.octets);
            shared.staged_octets(content, offset.min(end)..end)
        })
        .await
    }

    async fn claim_legs(
        &self,
        owner: Owner,
        class: JobClass,
        limit: usize,
        lease: Duration,
    ) -> Result<LegBatch, StoreError> {
        let mut legs = Vec::new();
        for _ in 0..SEARCHES {
            let wanted = limit - legs.len();
            let found = self
                .read(move |shared| shared.find_legs(class, wanted))
                .await?;
            if found.candidates.is_empty() {
                let steady = self.shared.times.read().steady;
                let again_in = found.next.map(|next| next.since(steady));
                return Ok(LegBatch { legs, again_in });
            }
            for candidates in found.candidates.chunks(LEGS_AT_ONCE) {
                let operation = ClaimLegs {
                    candidates: candidates.to_vec(),
                    owner: owner.clone(),
                    lease,
                };
                legs.extend(self.submit(operation).await?);
            }
            if legs.len() >= limit {
                break;
            }
        }
        let again_in = match legs.is_empty() {
            true => FRUITLESS,
            false => Duration::ZERO,
        };
        Ok(LegBatch {
            legs,
            again_in: Some(again_in),
        })
    }

    async fn renew_legs(
        &self,
        tokens: Vec<LegToken>,
        lease: Duration,
    ) -> Result<Vec<LegToken>, StoreError> {
        let mut lost = Vec::new();
        for tokens in tokens.chunks(LEGS_AT_ONCE) {
            let tokens = tokens.to_vec();
            lost.extend(self.submit(RenewLegs { tokens, lease }).await?);
        }
        Ok(lost)
    }

    async fn settle_legs(
        &self,
        settlements: Vec<(LegToken, LegOutcome)>,
    ) -> Result<Synced<Vec<LegSettled>>, StoreError> {
        let slices = settlements.chunks(LEGS_AT_ONCE);
        let slices = slices.map(|slice| self.submit(SettleLegs(slice.to_vec())));
        // They share a sync. One that fails takes nothing from the others.
        let settled = try_join_all(slices).await?;
        Ok(Synced::after_sync(settled.concat()))
    }

    async fn release_former(&self, owner: Owner) -> Result<usize, StoreError> {
        let held = self
            .read(move |shared| shared.held_by_former(&owner))
            .await?;
        let count = held.len();
        let returned = held.into_iter().map(|leg| (leg, LegOutcome::Returned));
        self.settle_legs(returned.collect()).await?;
        Ok(count)
    }

    async fn job_template(&self, number: JobNumber) -> Result<JobWithTemplate, StoreError> {
        self.read(move |shared| {
            let job = shared.job_row(number)?.ok_or(StoreError::NotFound)?;
            let row = shared.database.read(Family::Jobs, &key::template(number))?;
            let template: TemplateValue = value::decode(&row.ok_or(StoreError::NotFound)?)?;
            Ok(JobWithTemplate {
                job: job.job,
                template: template.0,
            })
        })
        .await
    }

    async fn job(&self, number: JobNumber) -> Result<Job, StoreError> {
        self.read(move |shared| {
            let row = shared.job_row(number)?.ok_or(StoreError::NotFound)?;
            Ok(row.job)
        })
        .await
    }

    async fn list_jobs(&self, query: JobQuery) -> Result<JobPage, StoreError> {
        self.read(move |shared| shared.jobs(&query)).await
    }

    async fn list_legs(
        &self,
        number: JobNumber,
        from: u32,
        limit: usize,
    ) -> Result<Vec<Leg>, StoreError> {
        self.read(move |shared| shared.legs(number, from, limit))
            .await
    }

    async fn cancel_job(
        &self,
        number: JobNumber,
        reason: String,
    ) -> Result<Synced<Job>, StoreError> {
        self.submit(CancelJob { number, reason }).await?;
        close_legs(&self.shared, &self.queues, number).await?;
        self.job(number).await.map(Synced::after_sync)
    }
}

/// Gives all legs of a closing job their outcome that are not in flight.
pub(super) async fn close_legs(
    shared: &Arc<Shared>,
    queues: &Queues<QueuedJob>,
    job: JobNumber,
) -> Result<(), StoreError> {
    let mut from = Some(0);
    while let Some(index) = from {
        let reading = Arc::clone(shared);
        let read = tokio::task::spawn_blocking(move || {
            reading.open_legs(LegName { job, index }, LEGS_READ)
        });
        let (open, next) = read.await.map_err(|_| StoreError::Closed)??;
        for slice in open.chunks(LEGS_AT_ONCE) {
            submit(shared, queues, CloseLegs(slice.to_vec())).await?;
        }
        from = next;
    }
    Ok(())
}

impl Shelf for Shared {
    fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    fn steady(&self) -> UnixMillis {
        self.times.read().steady
    }

    fn due_legs(
        &self,
        class: JobClass,
        now: UnixMillis,
        limit: usize,
    ) -> Result<Vec<(UnixMillis, LegName)>, StoreError> {
        self.fan_out.dues.due(&self.database, class, now, limit)
    }

    fn next_due(&self, class: JobClass, now: UnixMillis) -> Result<Option<UnixMillis>, StoreError> {
        self.fan_out.dues.next(&self.database, class, now)
    }

    fn turn(
        &self,
        class: JobClass,
        after: Option<AddressKey>,
    ) -> Result<Option<(AddressKey, JobNumber)>, StoreError> {
        let lower = match after {
            Some(after) => key::turn(after, JobNumber(u64::MAX)).to_vec(),
            None => Vec::new(),
        };
        let mut scan = self.database.scan(Family::turns(class), &lower, None);
        loop {
            match scan.step(|key, _| key::decode_turn(key))? {
                Some((sender, Some(number))) if Some(sender) != after => {
                    return Ok(Some((sender, number)));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn job_value(&self, number: JobNumber) -> Result<Option<JobValue>, StoreError> {
        self.job_row(number)
    }

    fn roster(&self, number: JobNumber, chunk: u32) -> Result<Vec<RosterEntry>, StoreError> {
        let row = self
            .database
            .read(Family::Jobs, &key::roster(number, chunk))?;
        let row = row
            .map(|row| value::decode::<RosterValue>(&row))
            .transpose()?;
        Ok(row.map_or_else(Vec::new, |row| row.0))
    }
}

impl Shared {
    pub(super) fn job_row(&self, number: JobNumber) -> Result<Option<JobValue>, StoreError> {
        let row = self.database.read(Family::Jobs, &key::job(number))?;
        row.map(|row| value::decode(&row)).transpose()
    }

    fn find_legs(&self, class: JobClass, limit: usize) -> Result<Found, StoreError> {
        let mut last = self.fan_out.last_sender(class);
        Finder::new(self, class).find(&mut last, limit)
    }

    fn group(&self, uri: &Address) -> Result<Option<Group>, StoreError> {
        let row = self.database.read(Family::Groups, &self.address_key(uri))?;
        let row: Option<GroupValue> = row.map(|row| value::decode(&row)).transpose()?;
        Ok(row.map(|row| row.0))
    }

    fn document_place(&self, owner: &Address, name: &str) -> [u8; 32] {
        let name = self.address_key(&Address::new(name));
        key::group_document(self.address_key(owner), name)
    }

    /// Whether a document may be written: it is there, or its owner has less than he may.
    fn has_room(&self, place: [u8; 32]) -> Result<bool, StoreError> {
        if self
            .database
            .read(Family::GroupDocuments, &place)?
            .is_some()
        {
            return Ok(true);
        }
        let owner = &place[..16];
        let mut scan = self.database.scan(Family::GroupDocuments, owner, None);
        let mut room = self.bounds().fan_out.groups_per_owner;
        while room > 0 {
            let is_his = scan.step(|key, _| Ok(key.starts_with(owner)))?;
            if is_his != Some(true) {
                return Ok(true);
            }
            room -= 1;
        }
        Ok(false)
    }

    fn group_document(
        &self,
        owner: &Address,
        name: String,
    ) -> Result<Option<GroupWithDocument>, StoreError> {
        let key = self.document_place(owner, &name);
        let name = Address::new(name);
        let mut row = self.database.read(Family::GroupDocuments, &key)?;
        loop {
            let (uri, document) = match &row {
                Some(row) => {
                    let row: GroupDocumentValue = value::decode(row)?;
                    (row.uri, Some(row.document))
                }
                None => (name.clone(), None),
            };
            let group = self.group(&uri)?;
            // Read one after the other: nothing may have changed between.
            let again = self.database.read(Family::GroupDocuments, &key)?;
            if again == row {
                let its = document.as_ref().map(|document| &document.name);
                let group = group.filter(|group| {
                    group.owner.as_ref() == Some(owner) && group.document.as_ref() == its
                });
                return Ok(group.map(|group| (group, document.map(|held| held.octets))));
            }
            row = again;
        }
    }

    fn groups(
        &self,
        after: Option<GroupPlace>,
        limit: usize,
    ) -> Result<Vec<(GroupPlace, Group)>, StoreError> {
        let lower = after.unwrap_or_default();
        let mut scan = self.database.scan(Family::Groups, &lower, None);
        let mut groups = Vec::new();
        while groups.len() < limit {
            let Some((place, group)) = scan.step(|key, octets| {
                let row: GroupValue = value::decode(octets)?;
                Ok((key::decode_address(key)?, row.0))
            })?
            else {
                break;
            };
            if after != Some(place) {
                groups.push((place, group));
            }
        }
        Ok(groups)
    }

    /// Legs in flight that another process of the same edge has claimed.
    fn held_by_former(&self, owner: &Owner) -> Result<Vec<LegToken>, StoreError> {
        let mut held = Vec::new();
        for class in JobClass::ALL {
            let mut scan = self.database.scan(Family::leg_due(class), &[], None);
            while let Some((_, name)) = scan.step(|key, _| key::decode_leg_due(key))? {
                let leg = self.leg_row(name)?.filter(|leg| {
                    leg.phase == LegPhase::InFlight
                        && leg.owner.edge == owner.edge
                        && leg.owner.incarnation != owner.incarnation
                });
                held.extend(leg.map(|leg| LegToken {
                    leg: name,
                    generation: leg.generation,
                }));
            }
        }
        Ok(held)
    }

    pub(super) fn leg_row(&self, name: LegName) -> Result<Option<LegValue>, StoreError> {
        let row = self.database.read(Family::Legs, &key::leg(name))?;
        row.map(|row| value::decode(&row)).transpose()
    }

    /// Legs from a place on that have no outcome and that no edge has, and where to go on.
    fn open_legs(
        &self,
        from: LegName,
        limit: usize,
    ) -> Result<(Vec<LegName>, Option<u32>), StoreError> {
        let steady = self.times.read().steady;
        let (_, upper) = key::of_job(from.job);
        let mut scan = self
            .database
            .scan(Family::Legs, &key::leg(from), Some(&upper));
        let mut open = Vec::new();
        for _ in 0..limit {
            let next = scan.step(|key, octets| {
                let leg: LegValue = value::decode(octets)?;
                Ok((key::decode_leg(key)?, is_unheld(&leg, steady)))
            })?;
            let Some((name, is_unheld)) = next else {
                return Ok((open, None));
            };
            if is_unheld {
                open.push(name);
            }
        }
        let next = scan.step(|key, _| key::decode_leg(key))?;
        Ok((open, next.map(|name| name.index)))
    }

    fn jobs(&self, query: &JobQuery) -> Result<JobPage, StoreError> {
        let mut page = JobPage::default();
        let mut upper = query.before.map_or([0xff; 9], key::job);
        for _ in 0..JOBS_LOOKED_AT {
            // A search per job: templates and rosters between them are not walked over.
            let mut scan = self.database.scan_back(Family::Jobs, &[], &upper);
            let Some((number, _)) = scan.step(|key, _| key::decode_job(key))? else {
                page.next = None;
                return Ok(page);
            };
            upper = key::job(number);
            page.next = Some(number);
            let Some(JobValue { job, .. }) = self.job_row(number)? else {
                continue;
            };
            let is_wanted = query
                .sender
                .as_ref()
                .is_none_or(|sender| *sender == job.sender)
                && (query.states.is_empty() || query.states.contains(&job.state));
            page.jobs.extend(Some(job).filter(|_| is_wanted));
            if page.jobs.len() >= query.limit {
                return Ok(page);
            }
        }
        Ok(page)
    }

    fn legs(&self, number: JobNumber, from: u32, limit: usize) -> Result<Vec<Leg>, StoreError> {
        let job = self.job_row(number)?.ok_or(StoreError::NotFound)?;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let end = job.job.counts.total.min(from.saturating_add(limit));
        let mut legs = Vec::new();
        let mut chunk = None;
        for index in from..end {
            let (place, at) = roster_place(index);
            if chunk.as_ref().is_none_or(|(known, _)| *known != place) {
                chunk = Some((place, self.roster(number, place)?));
            }
            let entry = chunk.as_ref().and_then(|(_, roster)| roster.get(at));
            let entry = entry.ok_or(StoreError::Corrupt { what: "roster" })?;
            let name = LegName { job: number, index };
            let row = match index < job.cursor {
                true => self.leg_row(name)?,
                false => None,
            };
            legs.push(seen(name, entry, row.as_ref(), &job));
        }
        Ok(legs)
    }
}
