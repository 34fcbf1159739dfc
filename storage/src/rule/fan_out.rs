//! What happens to jobs and legs, for every engine: on a [`Desk`] that has their rows.
//!
//! A leg without outcome that has a row is in one of four phases. It is `Queued` behind an earlier leg of
//! its sender to its target (the list by turn), so that these go in job order. The first of that list
//! is `Due` at some time, `InFlight`, or `Parked` behind the leg of another sender that is in flight to
//! the same target (the list by target). Exactly `Due` and `InFlight` legs are in the index by due time.

pub(crate) mod copy;
pub(crate) mod find;

use crate::config::Retention;
use crate::key::AddressKey;
use crate::model::{
    ClaimedLeg, Generation, Job, JobClass, JobCounts, JobNumber, JobRequest, JobState, Leg,
    LegName, LegOutcome, LegSettled, LegState, LegToken, Owner, RosterEntry, UnixMillis, UploadId,
};
use crate::rule::leg::{Verdict, verdict};
use crate::rule::retention::{expires_at, timeline_until};
use crate::timekeeper::Times;
use crate::value::{JobValue, LegListValue, LegPhase, LegValue, Link};

/// How soon a job that is closing is looked at again while legs are in flight.
const CLOSING_PAUSE: std::time::Duration = std::time::Duration::from_secs(5);
/// Octets of a reason that are kept.
const REASON_OCTETS: usize = 256;

/// The rows that decisions are made on. A failure to read stops the operation; nothing of it counts.
pub(crate) trait Desk {
    type Stop;

    fn times(&self) -> Times;
    fn retention(&self) -> Retention;
    /// Nothing that is due earlier than this would be found.
    fn swept_until(&self) -> UnixMillis;

    fn job(&mut self, number: JobNumber) -> Result<Option<JobValue>, Self::Stop>;
    fn set_job(&mut self, number: JobNumber, job: Option<JobValue>);
    fn leg(&mut self, name: LegName) -> Result<Option<LegValue>, Self::Stop>;
    fn set_leg(&mut self, name: LegName, leg: LegValue);
    fn leg_list(&mut self, key: AddressKey) -> Result<LegListValue, Self::Stop>;
    /// An empty one is no row.
    fn set_leg_list(&mut self, key: AddressKey, list: LegListValue);
    fn corrupt(&self, what: &'static str) -> Self::Stop;

    /// The index by due time is one per class.
    fn add_leg_due(&mut self, class: JobClass, at: UnixMillis, name: LegName);
    fn remove_leg_due(&mut self, class: JobClass, at: UnixMillis, name: LegName);
    fn add_job_due(&mut self, at: UnixMillis, number: JobNumber);
    fn remove_job_due(&mut self, at: UnixMillis, number: JobNumber);
    /// The job has no leg left that nobody has claimed.
    fn remove_turn(&mut self, job: &Job);
    /// The job has its end: template and content go, and its sender has one less.
    fn end(&mut self, job: &JobValue) -> Result<(), Self::Stop>;
    /// Everything of the job goes.
    fn forget(&mut self, number: JobNumber);
}

/// A leg that may be claimed, as a scan has found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) name: LegName,
    pub(crate) class: JobClass,
    pub(crate) entry: RosterEntry,
    pub(crate) target: AddressKey,
    pub(crate) turn: AddressKey,
    /// `None`: it has no row yet.
    pub(crate) due_at: Option<UnixMillis>,
}

/// The two lists a leg may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Target,
    Turn,
}

impl LegValue {
    fn new(candidate: &Candidate) -> Self {
        Self {
            class: candidate.class,
            phase: LegPhase::Queued,
            generation: Generation(0),
            attempts: 0,
            loops: 0,
            due_at: UnixMillis::default(),
            status: 0,
            settled_at: None,
            target: candidate.target,
            turn: candidate.turn,
            by_target: Link::default(),
            by_turn: Link::default(),
            owner: Owner {
                edge: String::new(),
                incarnation: 0,
            },
            reason: String::new(),
        }
    }

    fn list(&self, list: List) -> AddressKey {
        match list {
            List::Target => self.target,
            List::Turn => self.turn,
        }
    }

    fn link(&mut self, list: List) -> &mut Link {
        match list {
            List::Target => &mut self.by_target,
            List::Turn => &mut self.by_turn,
        }
    }
}

impl JobValue {
    /// How legs of it end that are not in flight, if it takes no more tries.
    pub(crate) fn ending(&self, now: UnixMillis) -> Option<LegPhase> {
        match self.job.closing {
            Some(JobState::Cancelled) => Some(LegPhase::Cancelled),
            Some(_) => Some(LegPhase::Expired),
            None => (self.job.expires_at <= now).then_some(LegPhase::Expired),
        }
    }
}

fn count(counts: &mut JobCounts, phase: LegPhase, legs: u32) {
    match phase {
        LegPhase::Delivered => counts.delivered += legs,
        LegPhase::Failed => counts.failed += legs,
        LegPhase::Expired => counts.expired += legs,
        LegPhase::Cancelled => counts.cancelled += legs,
        LegPhase::Queued | LegPhase::Parked | LegPhase::Due | LegPhase::InFlight => {}
    }
}

/// A job as it is accepted; a large message has its content in an upload, of so many octets.
pub(crate) fn new_job(
    request: &JobRequest,
    number: JobNumber,
    content: Option<(UploadId, u64)>,
    now: UnixMillis,
    retention: &Retention,
) -> JobValue {
    let expires_at = expires_at(request.lifetime, now, retention);
    let total = u32::try_from(request.roster.len()).unwrap_or(u32::MAX);
    JobValue {
        job: Job {
            number,
            sender: request.sender.clone(),
            addressed_to: request.addressed_to.clone(),
            to_group: request.to_group,
            class: request.class,
            octets: content.map_or(0, |(_, octets)| octets),
            max_forwards: request.max_forwards,
            received_from: request.received_from.clone(),
            accepted_at: now,
            expires_at,
            state: JobState::Running,
            ended_at: None,
            closing: None,
            reason: String::new(),
            counts: JobCounts {
                total,
                ..JobCounts::default()
            },
        },
        cursor: 0,
        due_at: expires_at,
        content: content.map(|(upload, _)| upload),
        content_key: None,
    }
}

/// A leg as operators see it; `None` if it has no row.
pub(crate) fn seen(
    name: LegName,
    entry: &RosterEntry,
    leg: Option<&LegValue>,
    job: &JobValue,
) -> Leg {
    let phase = leg.map(|leg| leg.phase);
    let unclaimed = || match job.job.closing.unwrap_or(job.job.state) {
        JobState::Cancelled => LegState::Cancelled,
        JobState::Expired => LegState::Expired,
        JobState::Running | JobState::Completed => LegState::Waiting,
    };
    let state = phase.map_or_else(unclaimed, |phase| match phase {
        LegPhase::Queued | LegPhase::Parked | LegPhase::Due => LegState::Waiting,
        LegPhase::InFlight => LegState::InFlight,
        LegPhase::Delivered => LegState::Delivered,
        LegPhase::Failed => LegState::Failed,
        LegPhase::Expired => LegState::Expired,
        LegPhase::Cancelled => LegState::Cancelled,
    });
    Leg {
        name,
        target: entry.target.clone(),
        copy_control: entry.copy_control,
        state,
        attempts: leg.map_or(0, |leg| leg.attempts),
        status: leg.map_or(0, |leg| leg.status),
        reason: leg.map_or_else(String::new, |leg| leg.reason.clone()),
        edge: leg.map_or_else(String::new, |leg| leg.owner.edge.clone()),
        next_try_at: leg
            .filter(|leg| leg.phase == LegPhase::Due)
            .map(|leg| leg.due_at),
        settled_at: leg.and_then(|leg| leg.settled_at),
    }
}

/// Claims what of the candidates may be sent now; the others get their place.
pub(crate) fn claim<D: Desk>(
    desk: &mut D,
    candidates: &[Candidate],
    owner: &Owner,
    lease: std::time::Duration,
) -> Result<Vec<ClaimedLeg>, D::Stop> {
    let mut claimed = Vec::new();
    for candidate in candidates {
        let Some(mut leg) = take_up(desk, candidate)? else {
            continue;
        };
        let name = candidate.name;
        let mut list = desk.leg_list(leg.target)?;
        if list.in_flight.is_some_and(|other| other != name) {
            leg.phase = LegPhase::Parked;
            enlist(desk, List::Target, name, &mut leg)?;
            desk.set_leg(name, leg);
            continue;
        }
        list.in_flight = Some(name);
        desk.set_leg_list(leg.target, list);
        leg.phase = LegPhase::InFlight;
        leg.generation.0 += 1;
        leg.owner = owner.clone();
        leg.due_at = desk.times().steady.after(lease);
        desk.add_leg_due(leg.class, leg.due_at, name);
        claimed.push(ClaimedLeg {
            token: LegToken {
                leg: name,
                generation: leg.generation,
            },
            entry: candidate.entry.clone(),
            attempts: leg.attempts,
        });
        desk.set_leg(name, leg);
    }
    Ok(claimed)
}

/// The leg of a candidate, if it is the first of its turn and its time has come.
fn take_up<D: Desk>(desk: &mut D, candidate: &Candidate) -> Result<Option<LegValue>, D::Stop> {
    let name = candidate.name;
    let Some(mut job) = desk.job(name.job)? else {
        return Ok(None);
    };
    let times = desk.times();
    let Some(due_at) = candidate.due_at else {
        let is_next = job.cursor == name.index && name.index < job.job.counts.total;
        if !is_next || job.ending(times.wall).is_some() {
            return Ok(None);
        }
        job.cursor += 1;
        if job.cursor == job.job.counts.total {
            desk.remove_turn(&job.job);
        }
        desk.set_job(name.job, Some(job));
        let mut leg = LegValue::new(candidate);
        if enlist(desk, List::Turn, name, &mut leg)? {
            return Ok(Some(leg));
        }
        desk.set_leg(name, leg);
        return Ok(None);
    };
    let Some(mut leg) = desk.leg(name)? else {
        return Ok(None);
    };
    let is_waiting = matches!(leg.phase, LegPhase::Due | LegPhase::InFlight);
    if !is_waiting || leg.due_at != due_at {
        // A row that says what is not so any more.
        desk.remove_leg_due(candidate.class, due_at, name);
        return Ok(None);
    }
    if due_at > times.steady {
        return Ok(None);
    }
    if let Some(phase) = job.ending(times.wall) {
        finish(desk, name, leg, phase)?;
        return Ok(None);
    }
    desk.remove_leg_due(candidate.class, due_at, name);
    leg.phase = LegPhase::Due;
    Ok(Some(leg))
}

/// Whether a claim of a leg is the latest one, and has no outcome yet.
pub(crate) fn is_held(leg: &LegValue, token: LegToken) -> bool {
    leg.generation == token.generation && leg.phase == LegPhase::InFlight
}

/// Whether a leg has no outcome, and no edge has it.
pub(crate) fn is_unheld(leg: &LegValue, steady: UnixMillis) -> bool {
    match leg.phase {
        LegPhase::InFlight => leg.due_at <= steady,
        phase => !phase.is_settled(),
    }
}

/// Settles claimed legs. What comes after the end of a lease counts, unless a newer claim is there.
pub(crate) fn settle<D: Desk>(
    desk: &mut D,
    settlements: &[(LegToken, LegOutcome)],
) -> Result<Vec<LegSettled>, D::Stop> {
    let settled = settlements
        .iter()
        .map(|(token, outcome)| settle_one(desk, *token, outcome));
    settled.collect()
}

fn settle_one<D: Desk>(
    desk: &mut D,
    token: LegToken,
    outcome: &LegOutcome,
) -> Result<LegSettled, D::Stop> {
    let name = token.leg;
    let (Some(job), Some(mut leg)) = (desk.job(name.job)?, desk.leg(name)?) else {
        return Ok(LegSettled::Unknown);
    };
    if leg.generation != token.generation {
        return Ok(LegSettled::Superseded);
    }
    if leg.phase != LegPhase::InFlight {
        return Ok(LegSettled::AlreadySettled);
    }
    let verdict = verdict(outcome, name, leg.attempts, leg.loops);
    note(&mut leg, outcome);
    let after = match verdict {
        Verdict::Delivered => {
            leg.attempts += 1;
            finish(desk, name, leg, LegPhase::Delivered)?;
            return Ok(LegSettled::Settled);
        }
        Verdict::Failed => {
            leg.attempts += 1;
            finish(desk, name, leg, LegPhase::Failed)?;
            return Ok(LegSettled::Settled);
        }
        Verdict::Again {
            after,
            counted,
            looped,
        } => {
            leg.attempts += u32::from(counted);
            leg.loops += u32::from(looped);
            after
        }
    };
    let times = desk.times();
    match job.ending(times.wall) {
        Some(phase) => finish(desk, name, leg, phase)?,
        None => {
            land(desk, name, &mut leg)?;
            leg.phase = LegPhase::Due;
            leg.due_at = times.steady.after(after);
            desk.add_leg_due(leg.class, leg.due_at, name);
            desk.set_leg(name, leg);
        }
    }
    Ok(LegSettled::Settled)
}

/// Keeps what operators want to see.
fn note(leg: &mut LegValue, outcome: &LegOutcome) {
    let (status, reason) = match outcome {
        LegOutcome::Answered { status, reason, .. } => (*status, reason),
        LegOutcome::HopDown { reason, .. } => (leg.status, reason),
        LegOutcome::Returned => return,
    };
    let mut end = reason.len().min(REASON_OCTETS);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    leg.status = status;
    leg.reason = reason.get(..end).unwrap_or_default().to_owned();
}

/// Extends claims; returns those that are not alive any more.
pub(crate) fn renew<D: Desk>(
    desk: &mut D,
    tokens: &[LegToken],
    lease: std::time::Duration,
) -> Result<Vec<LegToken>, D::Stop> {
    let mut lost = Vec::new();
    for token in tokens {
        let leg = desk.leg(token.leg)?;
        let alive = leg.filter(|leg| is_held(leg, *token));
        let Some(mut leg) = alive else {
            lost.push(*token);
            continue;
        };
        desk.remove_leg_due(leg.class, leg.due_at, token.leg);
        leg.due_at = desk.times().steady.after(lease);
        desk.add_leg_due(leg.class, leg.due_at, token.leg);
        desk.set_leg(token.leg, leg);
    }
    Ok(lost)
}

/// Ends a job before its legs have their outcomes. False if it has its end already or is closing.
pub(crate) fn close<D: Desk>(
    desk: &mut D,
    mut job: JobValue,
    state: JobState,
    reason: &str,
) -> Result<bool, D::Stop> {
    if job.job.ended_at.is_some() || job.job.closing.is_some() {
        return Ok(false);
    }
    job.job.closing = Some(state);
    job.job.reason = reason.to_owned();
    let unclaimed = job.job.counts.total - job.cursor;
    if unclaimed > 0 {
        desk.remove_turn(&job.job);
        let phase = match state {
            JobState::Cancelled => LegPhase::Cancelled,
            _ => LegPhase::Expired,
        };
        count(&mut job.job.counts, phase, unclaimed);
    }
    let soon = desk.times().wall.max(desk.swept_until());
    let soon = soon.after(std::time::Duration::from_millis(1));
    move_due(desk, &mut job, soon);
    save_job(desk, job)?;
    Ok(true)
}

/// Gives legs of a closing job their outcome, unless an edge has them: one whose lease is over does not, and there may be
/// nobody who would claim its leg.
pub(crate) fn close_legs<D: Desk>(desk: &mut D, names: &[LegName]) -> Result<(), D::Stop> {
    for name in names {
        let (Some(job), Some(leg)) = (desk.job(name.job)?, desk.leg(*name)?) else {
            continue;
        };
        let times = desk.times();
        let is_open = is_unheld(&leg, times.steady);
        if let Some(phase) = job.ending(times.wall).filter(|_| is_open) {
            finish(desk, *name, leg, phase)?;
        }
    }
    Ok(())
}

/// What a sweep does with a job that is due. True if its legs are to be closed.
pub(crate) fn sweep<D: Desk>(
    desk: &mut D,
    number: JobNumber,
    at: UnixMillis,
) -> Result<bool, D::Stop> {
    let job = desk.job(number)?.filter(|job| job.due_at == at);
    let Some(mut job) = job else {
        desk.remove_job_due(at, number);
        return Ok(false);
    };
    if job.job.ended_at.is_some() {
        desk.remove_job_due(at, number);
        desk.set_job(number, None);
        desk.forget(number);
        return Ok(false);
    }
    if job.job.closing.is_none() {
        close(desk, job, JobState::Expired, "")?;
        return Ok(true);
    }
    let later = desk
        .times()
        .wall
        .max(desk.swept_until())
        .after(CLOSING_PAUSE);
    move_due(desk, &mut job, later);
    desk.set_job(number, Some(job));
    Ok(true)
}

/// Gives a leg its outcome; whoever stands behind it goes on.
fn finish<D: Desk>(
    desk: &mut D,
    name: LegName,
    mut leg: LegValue,
    phase: LegPhase,
) -> Result<(), D::Stop> {
    match leg.phase {
        LegPhase::InFlight => land(desk, name, &mut leg)?,
        LegPhase::Due => desk.remove_leg_due(leg.class, leg.due_at, name),
        LegPhase::Parked => delist(desk, List::Target, &mut leg)?,
        _ => {}
    }
    let was_first = leg.by_turn.before.is_none();
    let next = leg.by_turn.behind;
    delist(desk, List::Turn, &mut leg)?;
    leg.phase = phase;
    leg.settled_at = Some(desk.times().wall);
    desk.set_leg(name, leg);
    if let Some(next) = next.filter(|_| was_first) {
        wake(desk, next)?;
    }
    let missing = desk.corrupt("job");
    let mut job = desk.job(name.job)?.ok_or(missing)?;
    count(&mut job.job.counts, phase, 1);
    save_job(desk, job)
}

/// A leg is not in flight any more: the first that is parked behind it may go.
fn land<D: Desk>(desk: &mut D, name: LegName, leg: &mut LegValue) -> Result<(), D::Stop> {
    desk.remove_leg_due(leg.class, leg.due_at, name);
    let mut list = desk.leg_list(leg.target)?;
    list.in_flight = None;
    desk.set_leg_list(leg.target, list);
    match list.first {
        Some(parked) => wake(desk, parked),
        None => Ok(()),
    }
}

/// A leg that waited for another one may be claimed at once.
fn wake<D: Desk>(desk: &mut D, name: LegName) -> Result<(), D::Stop> {
    let mut leg = existing(desk, name)?;
    if leg.phase == LegPhase::Parked {
        delist(desk, List::Target, &mut leg)?;
    }
    leg.phase = LegPhase::Due;
    leg.due_at = desk.times().steady;
    desk.add_leg_due(leg.class, leg.due_at, name);
    desk.set_leg(name, leg);
    Ok(())
}

fn existing<D: Desk>(desk: &mut D, name: LegName) -> Result<LegValue, D::Stop> {
    let missing = desk.corrupt("list of legs");
    desk.leg(name)?.ok_or(missing)
}

/// Puts a leg at the end of a list. Whether it is the first.
fn enlist<D: Desk>(
    desk: &mut D,
    kind: List,
    name: LegName,
    leg: &mut LegValue,
) -> Result<bool, D::Stop> {
    let key = leg.list(kind);
    let mut list = desk.leg_list(key)?;
    *leg.link(kind) = Link {
        before: list.last,
        behind: None,
    };
    match list.last {
        Some(last) => {
            let mut neighbour = existing(desk, last)?;
            neighbour.link(kind).behind = Some(name);
            desk.set_leg(last, neighbour);
        }
        None => list.first = Some(name),
    }
    list.last = Some(name);
    desk.set_leg_list(key, list);
    Ok(list.first == Some(name))
}

/// Takes a leg out of a list.
fn delist<D: Desk>(desk: &mut D, kind: List, leg: &mut LegValue) -> Result<(), D::Stop> {
    let key = leg.list(kind);
    let mut list = desk.leg_list(key)?;
    let Link { before, behind } = std::mem::take(leg.link(kind));
    match before {
        Some(before) => {
            let mut neighbour = existing(desk, before)?;
            neighbour.link(kind).behind = behind;
            desk.set_leg(before, neighbour);
        }
        None => list.first = behind,
    }
    match behind {
        Some(behind) => {
            let mut neighbour = existing(desk, behind)?;
            neighbour.link(kind).before = before;
            desk.set_leg(behind, neighbour);
        }
        None => list.last = before,
    }
    desk.set_leg_list(key, list);
    Ok(())
}

fn move_due<D: Desk>(desk: &mut D, job: &mut JobValue, at: UnixMillis) {
    desk.remove_job_due(job.due_at, job.job.number);
    job.due_at = at;
    desk.add_job_due(at, job.job.number);
}

/// Writes a job, and its end if every leg has its outcome.
fn save_job<D: Desk>(desk: &mut D, mut job: JobValue) -> Result<(), D::Stop> {
    if job.job.counts.pending() == 0 && job.job.ended_at.is_none() {
        let now = desk.times().wall;
        job.job.ended_at = Some(now);
        job.job.state = job.job.closing.take().unwrap_or(JobState::Completed);
        let until = timeline_until(now, &desk.retention()).max(desk.swept_until());
        move_due(desk, &mut job, until);
        desk.end(&job)?;
        job.content = None;
        job.content_key = None;
    }
    desk.set_job(job.job.number, Some(job));
    Ok(())
}
