//! Groups, jobs and legs.

use std::time::Duration;

use proto::v1;
use proto::v1::accept_job_reply::Answer as Accepted;
use proto::v1::admit_job_reply::Answer as Admitted;
use proto::v1::leg_settlement::Outcome;
use proto::v1::look_up_group_reply::Answer as LookedUp;

use super::message::proto_report_request;
use super::{duration, optional, proto_duration, time};
use crate::Unavailable;
use crate::fan_out::{
    CopyControl, FanOutJob, Group, GroupAnswer, GroupDocument, GroupMember, JobAccepted,
    JobAdmission, JobAnswer, JobClass, JobRefusal, JobRefusalReason, JobRequest, LargeJobRequest,
    LegClaim, LegOutcome, LegTemplate, OwnedGroup, RosterEntry,
};

pub(crate) fn group(group: v1::Group) -> Group {
    let members = group.members.into_iter().map(|member| GroupMember {
        uri: member.uri,
        display_name: member.display_name,
    });
    Group {
        uri: group.uri,
        display_name: group.display_name,
        owner: optional(group.owner),
        allow_anonymity: group.allow_anonymity,
        non_members_may_send: group.non_members_may_send,
        disclose_members: group.disclose_members,
        members: members.collect(),
        version: group.version,
        document: optional(group.document),
    }
}

pub(crate) fn proto_group(group: Group) -> v1::Group {
    let members = group.members.into_iter().map(|member| v1::GroupMember {
        uri: member.uri,
        display_name: member.display_name,
    });
    v1::Group {
        uri: group.uri,
        display_name: group.display_name,
        owner: group.owner.unwrap_or_default(),
        allow_anonymity: group.allow_anonymity,
        non_members_may_send: group.non_members_may_send,
        disclose_members: group.disclose_members,
        members: members.collect(),
        member_count: 0,
        version: 0,
        document: String::new(),
    }
}

/// `None` for half an answer.
pub(crate) fn owned_group(reply: v1::GetGroupDocumentReply) -> Option<OwnedGroup> {
    Some(OwnedGroup {
        group: group(reply.group?),
        document: reply.document,
    })
}

pub(crate) fn proto_group_document(document: GroupDocument) -> v1::GroupDocument {
    v1::GroupDocument {
        name: document.name,
        octets: document.octets,
    }
}

pub(crate) fn group_answer(reply: v1::LookUpGroupReply) -> Result<GroupAnswer, Unavailable> {
    match reply.answer {
        Some(LookedUp::Group(found)) => Ok(GroupAnswer::Found(group(found))),
        Some(LookedUp::Unchanged(_)) => Ok(GroupAnswer::Unchanged),
        Some(LookedUp::Unknown(_)) => Ok(GroupAnswer::Unknown),
        None => Err(Unavailable::new("half an answer to a look-up")),
    }
}

pub(crate) fn job_request(request: JobRequest, remaining: Duration) -> v1::AcceptJobRequest {
    let key = v1::DuplicateKey {
        method: request.duplicate_key.method.clone(),
        from_tag: request.duplicate_key.from_tag.clone(),
        call_id: request.duplicate_key.call_id.clone(),
        cseq: request.duplicate_key.cseq,
    };
    v1::AcceptJobRequest {
        duplicate_key: Some(key),
        content_hash: request.content_hash.to_vec().into(),
        remaining: Some(proto_duration(remaining)),
        ..job(request, v1::JobClass::Pager)
    }
}

pub(crate) fn large_job(request: LargeJobRequest) -> v1::LargeJob {
    let listed = request.job.content_hash;
    let content_hash = match listed == [0; 32] {
        true => Default::default(),
        false => listed.to_vec().into(),
    };
    v1::LargeJob {
        job: Some(v1::AcceptJobRequest {
            content_hash,
            ..job(request.job, v1::JobClass::Large)
        }),
        msrp_message_id: request.msrp_message_id,
        octets: request.octets,
    }
}

/// What jobs of both classes say.
fn job(request: JobRequest, class: v1::JobClass) -> v1::AcceptJobRequest {
    let roster = request.roster.into_iter().map(|entry| v1::RosterEntry {
        target: entry.target,
        copy_control: proto_copy_control(entry.copy_control).into(),
        variation: entry.variation,
    });
    let template = request.template;
    v1::AcceptJobRequest {
        sender: request.sender,
        addressed_to: request.addressed_to,
        to_group: request.to_group,
        class: class.into(),
        duplicate_key: None,
        content_hash: Default::default(),
        template: Some(v1::LegTemplate {
            head: template.head,
            body: template.body,
            body_without_history: template.body_without_history,
            send_head: template.send_head,
        }),
        roster: roster.collect(),
        lifetime: request.lifetime.map(proto_duration),
        max_forwards: request.max_forwards,
        received_from: request.received_from,
        remaining: None,
        report_request: request.report_request.map(proto_report_request),
    }
}

pub(crate) fn job_admission(admission: JobAdmission) -> v1::AdmitJobRequest {
    v1::AdmitJobRequest {
        sender: admission.sender,
        recipients: u32::try_from(admission.recipients).unwrap_or(u32::MAX),
        announced_octets: admission.announced_octets,
    }
}

/// The admission, or why there is none.
pub(crate) fn job_admitted(
    reply: v1::AdmitJobReply,
) -> Result<Result<v1::Admission, JobRefusal>, Unavailable> {
    match reply.answer {
        Some(Admitted::Admitted(admission)) => Ok(Ok(admission)),
        Some(Admitted::Refused(refused)) => job_refusal(refused).map(Err),
        None => Err(Unavailable::new("the answer says nothing")),
    }
}

fn proto_copy_control(copy_control: CopyControl) -> v1::CopyControl {
    match copy_control {
        CopyControl::None => v1::CopyControl::Unspecified,
        CopyControl::To => v1::CopyControl::To,
        CopyControl::Cc => v1::CopyControl::Cc,
        CopyControl::Bcc => v1::CopyControl::Bcc,
    }
}

pub(crate) fn job_answer(reply: v1::AcceptJobReply) -> Result<JobAnswer, Unavailable> {
    match reply.answer {
        Some(Accepted::Accepted(accepted)) => job_accepted(&accepted),
        Some(Accepted::Refused(refused)) => job_refusal(refused).map(JobAnswer::Refused),
        None => Err(Unavailable::new("half an answer to a job")),
    }
}

pub(crate) fn job_accepted(accepted: &v1::JobAccepted) -> Result<JobAnswer, Unavailable> {
    JobAccepted::from_reply(accepted)
        .map(JobAnswer::Accepted)
        .ok_or_else(|| Unavailable::new("the answer is not whole"))
}

pub(crate) fn job_refusal(refused: v1::JobRefused) -> Result<JobRefusal, Unavailable> {
    Ok(JobRefusal {
        reason: match refused.reason() {
            v1::JobRefusalReason::SenderRate => JobRefusalReason::SenderRate,
            v1::JobRefusalReason::SenderJobs => JobRefusalReason::SenderJobs,
            v1::JobRefusalReason::DiskFull => JobRefusalReason::DiskFull,
            v1::JobRefusalReason::TooLate => {
                return Err(Unavailable::new("too late to be accepted"));
            }
            v1::JobRefusalReason::Unspecified => {
                return Err(Unavailable::new("refused without reason"));
            }
        },
        retry_after: refused.retry_after.and_then(duration),
    })
}

/// `None` for one that is not whole.
pub(crate) fn fan_out_job(job: v1::JobTemplate) -> Option<FanOutJob> {
    let class = match job.class() {
        v1::JobClass::Pager => JobClass::Pager,
        v1::JobClass::Large => JobClass::Large,
        v1::JobClass::Unspecified => return None,
    };
    let template = job.template?;
    Some(FanOutJob {
        class,
        octets: job.octets,
        job: job.job,
        sender: job.sender,
        addressed_to: job.addressed_to,
        template: LegTemplate {
            head: template.head,
            body: template.body,
            body_without_history: template.body_without_history,
            send_head: template.send_head,
        },
        max_forwards: job.max_forwards,
        accepted_at: time(job.accepted_at?)?,
        expires_at: time(job.expires_at?)?,
    })
}

pub(crate) fn roster_entry(entry: v1::RosterEntry) -> RosterEntry {
    RosterEntry {
        copy_control: match entry.copy_control() {
            v1::CopyControl::Unspecified => CopyControl::None,
            v1::CopyControl::To => CopyControl::To,
            v1::CopyControl::Cc => CopyControl::Cc,
            v1::CopyControl::Bcc => CopyControl::Bcc,
        },
        target: entry.target,
        variation: entry.variation,
    }
}

pub(crate) fn leg_claim(claim: v1::LegClaim) -> LegClaim {
    LegClaim {
        job: claim.job,
        index: claim.index,
        generation: claim.generation,
    }
}

pub(crate) fn proto_leg_claim(claim: LegClaim) -> v1::LegClaim {
    v1::LegClaim {
        job: claim.job,
        index: claim.index,
        generation: claim.generation,
    }
}

pub(crate) fn leg_settlement(claim: LegClaim, given: &LegOutcome) -> v1::LegSettlement {
    v1::LegSettlement {
        leg: Some(proto_leg_claim(claim)),
        outcome: Some(outcome(given)),
    }
}

/// What came of a try of a leg, or of a report.
pub(super) fn outcome(outcome: &LegOutcome) -> Outcome {
    match outcome {
        LegOutcome::Answered {
            status,
            reason,
            retry_after,
        } => Outcome::Answered(v1::LegAnswered {
            status: (*status).into(),
            reason: reason.clone(),
            retry_after: retry_after.map(proto_duration),
        }),
        LegOutcome::HopDown {
            reason,
            retry_after,
        } => Outcome::HopDown(v1::LegHopDown {
            reason: reason.clone(),
            retry_after: retry_after.map(proto_duration),
        }),
        LegOutcome::Returned => Outcome::Returned(v1::LegReturned {}),
    }
}
