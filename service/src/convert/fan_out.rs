//! Groups, jobs and legs.

use std::collections::HashSet;
use std::time::Instant;

use proto::v1;
use proto::v1::leg_settlement::Outcome;
use storage::model::{
    Address, ClaimedLeg, CopyControl, DuplicateKey, Generation, Group, GroupDocument, GroupMember,
    Job, JobAdmission, JobClass, JobNumber, JobRefusal, JobRequest, JobState, JobWithTemplate,
    LargeJob, Leg, LegName, LegOutcome, LegSettled, LegState, LegTemplate, LegToken, Owner,
    ROSTER_MAX, RosterEntry, TEMPLATE_OCTETS_MAX, VARIATION_OCTETS_MAX,
};
use tonic::Status;

use super::deposit::duplicate_key;
use super::message::report_request;
use super::{duration, invalid, lifetime, named, proto_duration, required, timestamp};
use crate::status::RETRY_AFTER;

/// A group that makes sense; its version is the store's.
pub(crate) fn group(group: Option<v1::Group>) -> Result<Group, Status> {
    let group = required(group, "the group is missing")?;
    let owner = Some(group.owner).filter(|owner| !owner.is_empty());
    Ok(Group {
        uri: named(group.uri)?,
        display_name: group.display_name,
        owner: owner.map(named).transpose()?,
        allow_anonymity: group.allow_anonymity,
        non_members_may_send: group.non_members_may_send,
        disclose_members: group.disclose_members,
        members: members(group.members)?,
        document: None,
        version: 0,
    })
}

/// Members that make sense.
pub(crate) fn members(members: Vec<v1::GroupMember>) -> Result<Vec<GroupMember>, Status> {
    let members = members.into_iter().map(|member| {
        Ok(GroupMember {
            uri: named(member.uri)?,
            display_name: member.display_name,
        })
    });
    members.collect()
}

/// Addresses that are asked about at a time.
const ASKED_ABOUT_MAX: usize = 1_000;
/// Octets of the name of a document.
const DOCUMENT_NAME_OCTETS_MAX: usize = 1_024;
/// Octets of a document.
const DOCUMENT_OCTETS_MAX: usize = 1 << 20;

/// Addresses that make sense, and not too many.
pub(crate) fn asked_about(uris: Vec<String>) -> Result<Vec<Address>, Status> {
    if uris.len() > ASKED_ABOUT_MAX {
        return Err(invalid("at most 1,000 addresses at a time"));
    }
    uris.into_iter().map(named).collect()
}

/// A name that a document can have.
pub(crate) fn document_name(name: String) -> Result<String, Status> {
    match (1..=DOCUMENT_NAME_OCTETS_MAX).contains(&name.len()) {
        true => Ok(name),
        false => Err(invalid("the name of a document has 1 to 1,024 octets")),
    }
}

/// A document that can be kept.
pub(crate) fn group_document(document: v1::GroupDocument) -> Result<GroupDocument, Status> {
    if document.octets.len() > DOCUMENT_OCTETS_MAX {
        return Err(invalid("a document has at most 1 MiB"));
    }
    Ok(GroupDocument {
        name: document_name(document.name)?,
        octets: document.octets.into(),
    })
}

/// A group with its members.
pub(crate) fn proto_group(group: Group) -> v1::Group {
    let members = group.members.into_iter().map(|member| v1::GroupMember {
        uri: member.uri.as_str().to_owned(),
        display_name: member.display_name,
    });
    let members: Vec<_> = members.collect();
    v1::Group {
        uri: group.uri.as_str().to_owned(),
        display_name: group.display_name,
        owner: text(group.owner.as_ref()),
        allow_anonymity: group.allow_anonymity,
        non_members_may_send: group.non_members_may_send,
        disclose_members: group.disclose_members,
        member_count: u32::try_from(members.len()).unwrap_or(u32::MAX),
        members,
        version: group.version,
        document: group.document.unwrap_or_default(),
    }
}

/// A group without its members.
pub(crate) fn group_head(group: Group) -> v1::Group {
    v1::Group {
        members: Vec::new(),
        ..proto_group(group)
    }
}

fn text(address: Option<&Address>) -> String {
    address.map_or_else(String::new, |address| address.as_str().to_owned())
}

/// A message that can be a job.
pub(crate) fn job_request(
    mut request: v1::AcceptJobRequest,
    deadline: Instant,
) -> Result<JobRequest, Status> {
    let class = match request.class() {
        v1::JobClass::Pager => JobClass::Pager,
        v1::JobClass::Large => return Err(invalid("a large message comes by an upload")),
        v1::JobClass::Unspecified => return Err(invalid("the class is missing")),
    };
    let hash = request.content_hash.as_ref().try_into();
    let hash = hash.map_err(|_| invalid("a content hash has 32 octets"))?;
    let key = required(request.duplicate_key.take(), "the duplicate key is missing")?;
    job(request, class, (duplicate_key(key), hash), deadline)
}

/// A large message that can be a job, once its octets are there.
pub(crate) fn large_job(large: v1::LargeJob, deadline: Instant) -> Result<LargeJob, Status> {
    let request = required(large.job, "the job is missing")?;
    if request.class() != v1::JobClass::Large {
        return Err(invalid("an upload becomes a job of class LARGE"));
    }
    if large.octets == 0 {
        return Err(invalid("a message without octets is no job"));
    }
    let listed = match request.content_hash.is_empty() {
        true => [0; 32],
        false => {
            let hash = request.content_hash.as_ref().try_into();
            hash.map_err(|_| invalid("a content hash has 32 octets"))?
        }
    };
    // The rest is told by the store.
    let known = (DuplicateKey::default(), listed);
    Ok(LargeJob {
        job: job(request, JobClass::Large, known, deadline)?,
        msrp_message_id: large.msrp_message_id,
        octets: large.octets,
    })
}

fn job(
    request: v1::AcceptJobRequest,
    class: JobClass,
    (duplicate_key, content_hash): (DuplicateKey, [u8; 32]),
    deadline: Instant,
) -> Result<JobRequest, Status> {
    let template = template(required(request.template, "the template is missing")?);
    if template.octets() > TEMPLATE_OCTETS_MAX {
        return Err(invalid("a template has at most 1 MiB"));
    }
    Ok(JobRequest {
        sender: named(request.sender)?,
        addressed_to: named(request.addressed_to)?,
        to_group: request.to_group,
        class,
        duplicate_key,
        content_hash,
        template,
        roster: roster(request.roster)?,
        lifetime: request.lifetime.map(lifetime),
        max_forwards: request.max_forwards,
        received_from: request.received_from,
        report_request: report_request(request.report_request)?,
        deadline,
    })
}

fn template(template: v1::LegTemplate) -> LegTemplate {
    LegTemplate {
        head: template.head,
        body: template.body,
        body_without_history: template.body_without_history,
        send_head: template.send_head,
    }
}

fn roster(roster: Vec<v1::RosterEntry>) -> Result<Vec<RosterEntry>, Status> {
    if roster.is_empty() || roster.len() > ROSTER_MAX {
        return Err(invalid("a roster has 1 to 10,000 entries"));
    }
    let mut targets = HashSet::new();
    let entries = roster.into_iter().map(|entry| {
        let copy_control = match entry.copy_control() {
            v1::CopyControl::Unspecified => CopyControl::None,
            v1::CopyControl::To => CopyControl::To,
            v1::CopyControl::Cc => CopyControl::Cc,
            v1::CopyControl::Bcc => CopyControl::Bcc,
        };
        if entry.variation.len() > VARIATION_OCTETS_MAX {
            return Err(invalid("a variation has at most 4 KiB"));
        }
        let target = named(entry.target)?;
        if !targets.insert(target.clone()) {
            return Err(invalid("a target is named twice"));
        }
        Ok(RosterEntry {
            target,
            copy_control,
            variation: entry.variation,
        })
    });
    entries.collect()
}

/// The answer to a message that did not become a job.
pub(crate) fn job_refusal(refusal: &JobRefusal) -> v1::JobRefused {
    use v1::JobRefusalReason as Reason;
    let (reason, retry_after) = match refusal {
        JobRefusal::SenderRate { retry_after } => (Reason::SenderRate, Some(*retry_after)),
        JobRefusal::SenderJobs { retry_after } => (Reason::SenderJobs, Some(*retry_after)),
        JobRefusal::DiskFull => (Reason::DiskFull, Some(RETRY_AFTER)),
        JobRefusal::TooLate => (Reason::TooLate, None),
    };
    v1::JobRefused {
        reason: reason.into(),
        retry_after: retry_after.map(proto_duration),
    }
}

/// The question before a large message to many.
pub(crate) fn job_admission(request: v1::AdmitJobRequest) -> Result<JobAdmission, Status> {
    let recipients = usize::try_from(request.recipients).unwrap_or(usize::MAX);
    if !(1..=ROSTER_MAX).contains(&recipients) {
        return Err(invalid("a message to many has 1 to 10,000 recipients"));
    }
    Ok(JobAdmission {
        sender: named(request.sender)?,
        announced_octets: request.announced_octets,
    })
}

/// The process of an edge.
pub(crate) fn fan_out_owner(hello: &v1::FanOutHello) -> Result<Owner, Status> {
    if hello.edge.is_empty() {
        return Err(invalid("a hello has a name"));
    }
    Ok(Owner {
        edge: hello.edge.clone(),
        incarnation: hello.incarnation,
    })
}

/// The name of a claim.
pub(crate) fn leg_token(claim: Option<v1::LegClaim>) -> Result<LegToken, Status> {
    let claim = required(claim, "the leg is missing")?;
    Ok(LegToken {
        leg: LegName {
            job: JobNumber(claim.job),
            index: claim.index,
        },
        generation: Generation(claim.generation),
    })
}

/// The name of a claim.
pub(crate) fn leg_claim(token: LegToken) -> v1::LegClaim {
    v1::LegClaim {
        job: token.leg.job.0,
        index: token.leg.index,
        generation: token.generation.0,
    }
}

/// What came of a leg.
pub(crate) fn leg_outcome(settlement: v1::LegSettlement) -> Result<(LegToken, LegOutcome), Status> {
    let token = leg_token(settlement.leg)?;
    let given = required(settlement.outcome, "the outcome is missing")?;
    Ok((token, outcome(given)?))
}

/// What came of a try of a leg, or of a report.
pub(super) fn outcome(given: Outcome) -> Result<LegOutcome, Status> {
    Ok(match given {
        Outcome::Answered(answered) => LegOutcome::Answered {
            status: u16::try_from(answered.status)
                .ok()
                .filter(|status| (200..700).contains(status))
                .ok_or_else(|| invalid("a final status is 200 to 699"))?,
            reason: answered.reason,
            retry_after: answered.retry_after.map(duration),
        },
        Outcome::HopDown(down) => LegOutcome::HopDown {
            reason: down.reason,
            retry_after: down.retry_after.map(duration),
        },
        Outcome::Returned(_) => LegOutcome::Returned,
    })
}

/// What a settlement did.
pub(crate) fn leg_settled(token: LegToken, settled: LegSettled) -> v1::SettledLeg {
    let result = match settled {
        LegSettled::Settled => v1::AcknowledgeResult::Settled,
        LegSettled::Superseded => v1::AcknowledgeResult::Superseded,
        LegSettled::AlreadySettled => v1::AcknowledgeResult::AlreadySettled,
        LegSettled::Unknown => v1::AcknowledgeResult::Unknown,
    };
    v1::SettledLeg {
        leg: Some(leg_claim(token)),
        result: result.into(),
    }
}

/// A leg for an edge.
pub(crate) fn claimed_leg(leg: ClaimedLeg) -> v1::Leg {
    v1::Leg {
        claim: Some(leg_claim(leg.token)),
        entry: Some(v1::RosterEntry {
            target: leg.entry.target.as_str().to_owned(),
            copy_control: copy_control(leg.entry.copy_control).into(),
            variation: leg.entry.variation,
        }),
        attempts: leg.attempts,
    }
}

fn copy_control(copy_control: CopyControl) -> v1::CopyControl {
    match copy_control {
        CopyControl::None => v1::CopyControl::Unspecified,
        CopyControl::To => v1::CopyControl::To,
        CopyControl::Cc => v1::CopyControl::Cc,
        CopyControl::Bcc => v1::CopyControl::Bcc,
    }
}

fn job_class(class: JobClass) -> v1::JobClass {
    match class {
        JobClass::Pager => v1::JobClass::Pager,
        JobClass::Large => v1::JobClass::Large,
    }
}

/// What the legs of a job have in common, for an edge.
pub(crate) fn job_template(job: JobWithTemplate) -> v1::JobTemplate {
    let JobWithTemplate { job, template } = job;
    v1::JobTemplate {
        job: job.number.0,
        class: job_class(job.class).into(),
        sender: job.sender.as_str().to_owned(),
        addressed_to: job.addressed_to.as_str().to_owned(),
        template: Some(v1::LegTemplate {
            head: template.head,
            body: template.body,
            body_without_history: template.body_without_history,
            send_head: template.send_head,
        }),
        max_forwards: job.max_forwards,
        accepted_at: Some(timestamp(job.accepted_at)),
        expires_at: Some(timestamp(job.expires_at)),
        octets: job.octets,
    }
}

/// A job as operators see it.
pub(crate) fn proto_job(job: Job) -> v1::Job {
    v1::Job {
        job: job.number.0,
        sender: job.sender.as_str().to_owned(),
        addressed_to: job.addressed_to.as_str().to_owned(),
        class: job_class(job.class).into(),
        state: proto_job_state(job.state).into(),
        accepted_at: Some(timestamp(job.accepted_at)),
        expires_at: Some(timestamp(job.expires_at)),
        ended_at: job.ended_at.map(timestamp),
        received_from: job.received_from,
        reason: job.reason,
        cancelling: job.closing == Some(JobState::Cancelled),
        total: job.counts.total,
        pending: job.counts.pending(),
        delivered: job.counts.delivered,
        failed: job.counts.failed,
        expired: job.counts.expired,
        cancelled: job.counts.cancelled,
        octets: job.octets,
    }
}

fn proto_job_state(state: JobState) -> v1::JobState {
    match state {
        JobState::Running => v1::JobState::Running,
        JobState::Completed => v1::JobState::Completed,
        JobState::Expired => v1::JobState::Expired,
        JobState::Cancelled => v1::JobState::Cancelled,
    }
}

/// States to look for.
pub(crate) fn job_states(states: &[i32]) -> Result<Vec<JobState>, Status> {
    let states = states.iter().map(|state| {
        Ok(match v1::JobState::try_from(*state) {
            Ok(v1::JobState::Running) => JobState::Running,
            Ok(v1::JobState::Completed) => JobState::Completed,
            Ok(v1::JobState::Expired) => JobState::Expired,
            Ok(v1::JobState::Cancelled) => JobState::Cancelled,
            Ok(v1::JobState::Unspecified) | Err(_) => {
                return Err(invalid("there is no such state"));
            }
        })
    });
    states.collect()
}

/// States to look for.
pub(crate) fn leg_states(states: &[i32]) -> Result<Vec<LegState>, Status> {
    let states = states.iter().map(|state| {
        Ok(match v1::LegState::try_from(*state) {
            Ok(v1::LegState::Waiting) => LegState::Waiting,
            Ok(v1::LegState::InFlight) => LegState::InFlight,
            Ok(v1::LegState::Delivered) => LegState::Delivered,
            Ok(v1::LegState::Failed) => LegState::Failed,
            Ok(v1::LegState::Expired) => LegState::Expired,
            Ok(v1::LegState::Cancelled) => LegState::Cancelled,
            Ok(v1::LegState::Unspecified) | Err(_) => {
                return Err(invalid("there is no such state"));
            }
        })
    });
    states.collect()
}

/// A leg as operators see it.
pub(crate) fn job_leg(leg: Leg) -> v1::JobLeg {
    let state = match leg.state {
        LegState::Waiting => v1::LegState::Waiting,
        LegState::InFlight => v1::LegState::InFlight,
        LegState::Delivered => v1::LegState::Delivered,
        LegState::Failed => v1::LegState::Failed,
        LegState::Expired => v1::LegState::Expired,
        LegState::Cancelled => v1::LegState::Cancelled,
    };
    v1::JobLeg {
        index: leg.name.index,
        target: leg.target.as_str().to_owned(),
        copy_control: copy_control(leg.copy_control).into(),
        state: state.into(),
        attempts: leg.attempts,
        status: leg.status.into(),
        reason: leg.reason,
        edge: leg.edge,
        next_try_at: leg.next_try_at.map(timestamp),
        settled_at: leg.settled_at.map(timestamp),
    }
}
