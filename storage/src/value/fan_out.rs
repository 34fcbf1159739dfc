//! Fan-out jobs and their legs.

use bytes::Bytes;

use super::message::read_content_key;
use super::{Decoder, Encoder, Malformed, Value};
use crate::key::AddressKey;
use crate::model::{
    Address, CopyControl, Generation, Job, JobClass, JobCounts, JobNumber, JobState, LegName,
    LegTemplate, Owner, RosterEntry, UnixMillis, UploadId,
};
use crate::sealing::ContentKey;

/// A job and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobValue {
    pub(crate) job: Job,
    /// Legs from here on have no row yet.
    pub(crate) cursor: u32,
    /// When the sweep looks at it next.
    pub(crate) due_at: UnixMillis,
    /// The upload whose rows are the content of a large message, as long as there are legs to read it.
    pub(crate) content: Option<UploadId>,
    /// What they are sealed with; `None`: they are in the clear.
    pub(crate) content_key: Option<ContentKey>,
}

/// With the class: the job is of a message to a group. Earlier versions did not say so.
const TO_GROUP: u8 = 0x80;

impl Value for JobValue {
    const WHAT: &'static str = "job";

    fn write(&self, out: &mut Encoder) {
        let job = &self.job;
        out.u64(job.number.0);
        out.u8(job.class as u8 | if job.to_group { TO_GROUP } else { 0 });
        out.u8(job.state as u8);
        out.option(job.closing, |out, state| out.u8(state as u8));
        out.count(job.max_forwards.into());
        out.u64(job.accepted_at.0);
        out.u64(job.expires_at.0);
        out.option(job.ended_at, |out, at| out.u64(at.0));
        let counts = &job.counts;
        for count in [
            counts.total,
            counts.delivered,
            counts.failed,
            counts.expired,
            counts.cancelled,
            self.cursor,
        ] {
            out.count(count.into());
        }
        out.u64(self.due_at.0);
        out.seal();
        out.text(job.sender.as_str());
        out.text(job.addressed_to.as_str());
        out.text(&job.received_from);
        out.text(&job.reason);
        if job.class == JobClass::Large {
            out.count(job.octets);
            out.option(self.content, |out, upload| out.u64(upload.0));
            // Nothing is written where nothing is encrypted, as earlier versions did.
            if let Some(ContentKey(key)) = &self.content_key {
                out.octets(key.octets());
            }
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let number = JobNumber(fields.u64()?);
        let kind = fields.u8()?;
        let class = job_class(kind & !TO_GROUP)?;
        let state = job_state(fields)?;
        let closing = fields.option(job_state)?;
        let max_forwards = fields.count32()?;
        let accepted_at = UnixMillis(fields.u64()?);
        let expires_at = UnixMillis(fields.u64()?);
        let ended_at = fields.option(Decoder::u64)?.map(UnixMillis);
        let counts = JobCounts {
            total: fields.count32()?,
            delivered: fields.count32()?,
            failed: fields.count32()?,
            expired: fields.count32()?,
            cancelled: fields.count32()?,
        };
        let cursor = fields.count32()?;
        let due_at = UnixMillis(fields.u64()?);
        let sender = Address::new(fields.text()?);
        let addressed_to = Address::new(fields.text()?);
        let received_from = fields.text()?;
        let reason = fields.text()?;
        let (octets, content) = match class {
            JobClass::Pager => (0, None),
            JobClass::Large => (fields.count()?, fields.option(Decoder::u64)?.map(UploadId)),
        };
        let content_key = match class == JobClass::Large && !fields.is_at_end() {
            true => Some(read_content_key(fields)?),
            false => None,
        };
        Ok(Self {
            cursor,
            due_at,
            content,
            content_key,
            job: Job {
                number,
                sender,
                addressed_to,
                to_group: kind & TO_GROUP != 0,
                received_from,
                reason,
                class,
                octets,
                max_forwards,
                accepted_at,
                expires_at,
                state,
                ended_at,
                closing,
                counts,
            },
        })
    }
}

fn job_class(number: u8) -> Result<JobClass, Malformed> {
    match number {
        1 => Ok(JobClass::Pager),
        2 => Ok(JobClass::Large),
        _ => Err(Malformed),
    }
}

fn job_state(fields: &mut Decoder<'_>) -> Result<JobState, Malformed> {
    Ok(match fields.u8()? {
        1 => JobState::Running,
        2 => JobState::Completed,
        3 => JobState::Expired,
        4 => JobState::Cancelled,
        _ => return Err(Malformed),
    })
}

/// What the legs of a job have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateValue(pub(crate) LegTemplate);

impl Value for TemplateValue {
    const WHAT: &'static str = "leg template";

    fn write(&self, out: &mut Encoder) {
        out.seal();
        out.octets(&self.0.head);
        out.octets(&self.0.body);
        out.option(self.0.body_without_history.as_ref(), |out, body| {
            out.octets(body);
        });
        if !self.0.send_head.is_empty() {
            out.octets(&self.0.send_head);
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let octets = |fields: &mut Decoder<'_>| fields.octets().map(Bytes::copy_from_slice);
        Ok(Self(LegTemplate {
            head: octets(fields)?,
            body: octets(fields)?,
            body_without_history: fields.option(octets)?,
            send_head: send_head(fields)?,
        }))
    }
}

/// Large messages alone have one.
fn send_head(fields: &mut Decoder<'_>) -> Result<Bytes, Malformed> {
    if fields.is_at_end() {
        return Ok(Bytes::new());
    }
    match fields.octets()? {
        [] => Err(Malformed),
        head => Ok(Bytes::copy_from_slice(head)),
    }
}

/// A piece of a roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RosterValue(pub(crate) Vec<RosterEntry>);

impl Value for RosterValue {
    const WHAT: &'static str = "roster";

    fn write(&self, out: &mut Encoder) {
        out.seal();
        out.list(&self.0, |out, entry| {
            out.text(entry.target.as_str());
            out.u8(entry.copy_control as u8);
            out.octets(&entry.variation);
        });
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let entries = fields.list(|fields| {
            Ok(RosterEntry {
                target: Address::new(fields.text()?),
                copy_control: match fields.u8()? {
                    0 => CopyControl::None,
                    1 => CopyControl::To,
                    2 => CopyControl::Cc,
                    3 => CopyControl::Bcc,
                    _ => return Err(Malformed),
                },
                variation: Bytes::copy_from_slice(fields.octets()?),
            })
        })?;
        Ok(Self(entries))
    }
}

/// Where a leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum LegPhase {
    /// Behind an earlier leg of the same sender to the same target.
    Queued = 1,
    /// The leg of somebody else to the same target is in flight.
    Parked = 2,
    /// To be claimed from its due time on.
    Due = 3,
    /// Claimed until its due time, if nobody renews it.
    InFlight = 4,
    Delivered = 5,
    Failed = 6,
    Expired = 7,
    Cancelled = 8,
}

impl LegPhase {
    /// Whether it has its outcome.
    pub(crate) fn is_settled(self) -> bool {
        self as u8 >= Self::Delivered as u8
    }
}

/// The neighbours of a leg in a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) before: Option<LegName>,
    pub(crate) behind: Option<LegName>,
}

/// A leg that has been claimed, or stands behind one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LegValue {
    pub(crate) class: JobClass,
    pub(crate) phase: LegPhase,
    pub(crate) generation: Generation,
    /// Tries that count.
    pub(crate) attempts: u32,
    /// Of these, those answered 482.
    pub(crate) loops: u32,
    /// On the steady clock.
    pub(crate) due_at: UnixMillis,
    /// Of the last try.
    pub(crate) status: u16,
    pub(crate) settled_at: Option<UnixMillis>,
    /// Its list by target: those who are parked.
    pub(crate) target: AddressKey,
    /// Its list by sender and target, as long as it has no outcome.
    pub(crate) turn: AddressKey,
    pub(crate) by_target: Link,
    pub(crate) by_turn: Link,
    /// Who had it last.
    pub(crate) owner: Owner,
    /// Of the last try.
    pub(crate) reason: String,
}

fn write_name(out: &mut Encoder, name: LegName) {
    out.u64(name.job.0);
    out.count(name.index.into());
}

fn read_name(fields: &mut Decoder<'_>) -> Result<LegName, Malformed> {
    Ok(LegName {
        job: JobNumber(fields.u64()?),
        index: fields.count32()?,
    })
}

fn write_link(out: &mut Encoder, link: Link) {
    out.option(link.before, write_name);
    out.option(link.behind, write_name);
}

fn read_link(fields: &mut Decoder<'_>) -> Result<Link, Malformed> {
    Ok(Link {
        before: fields.option(read_name)?,
        behind: fields.option(read_name)?,
    })
}

impl Value for LegValue {
    const WHAT: &'static str = "leg";

    fn write(&self, out: &mut Encoder) {
        out.u8(self.phase as u8);
        out.count(self.generation.0);
        out.count(self.attempts.into());
        out.count(self.loops.into());
        out.u64(self.due_at.0);
        out.count(self.status.into());
        out.option(self.settled_at, |out, at| out.u64(at.0));
        out.octets(&self.target);
        out.octets(&self.turn);
        write_link(out, self.by_target);
        write_link(out, self.by_turn);
        out.u64(self.owner.incarnation);
        out.seal();
        out.text(&self.owner.edge);
        out.text(&self.reason);
        if self.class != JobClass::Pager {
            out.u8(self.class as u8);
        }
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        let key = |fields: &mut Decoder<'_>| fields.octets()?.try_into().map_err(|_| Malformed);
        let phase = leg_phase(fields)?;
        let generation = Generation(fields.count()?);
        let attempts = fields.count32()?;
        let loops = fields.count32()?;
        let due_at = UnixMillis(fields.u64()?);
        let status = u16::try_from(fields.count()?).map_err(|_| Malformed)?;
        let settled_at = fields.option(Decoder::u64)?.map(UnixMillis);
        let target = key(fields)?;
        let turn = key(fields)?;
        let by_target = read_link(fields)?;
        let by_turn = read_link(fields)?;
        let incarnation = fields.u64()?;
        let edge = fields.text()?;
        Ok(Self {
            phase,
            generation,
            attempts,
            loops,
            due_at,
            status,
            settled_at,
            target,
            turn,
            by_target,
            by_turn,
            owner: Owner { edge, incarnation },
            reason: fields.text()?,
            class: match fields.is_at_end() {
                true => JobClass::Pager,
                false => job_class(fields.u8()?)?,
            },
        })
    }
}

fn leg_phase(fields: &mut Decoder<'_>) -> Result<LegPhase, Malformed> {
    Ok(match fields.u8()? {
        1 => LegPhase::Queued,
        2 => LegPhase::Parked,
        3 => LegPhase::Due,
        4 => LegPhase::InFlight,
        5 => LegPhase::Delivered,
        6 => LegPhase::Failed,
        7 => LegPhase::Expired,
        8 => LegPhase::Cancelled,
        _ => return Err(Malformed),
    })
}

/// A list of legs, and the one of them that is in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LegListValue {
    /// Only of a list by target.
    pub(crate) in_flight: Option<LegName>,
    pub(crate) first: Option<LegName>,
    pub(crate) last: Option<LegName>,
}

impl Value for LegListValue {
    const WHAT: &'static str = "list of legs";

    fn write(&self, out: &mut Encoder) {
        out.option(self.in_flight, write_name);
        out.option(self.first, write_name);
        out.option(self.last, write_name);
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            in_flight: fields.option(read_name)?,
            first: fields.option(read_name)?,
            last: fields.option(read_name)?,
        })
    }
}

/// How many unfinished jobs a sender has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SenderJobsValue(pub(crate) u32);

impl Value for SenderJobsValue {
    const WHAT: &'static str = "jobs of a sender";

    fn write(&self, out: &mut Encoder) {
        out.count(self.0.into());
    }

    fn read(fields: &mut Decoder<'_>) -> Result<Self, Malformed> {
        fields.count32().map(Self)
    }
}
