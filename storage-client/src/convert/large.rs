//! Admissions and large deposits.

use proto::v1;
use proto::v1::admit_reply::Answer as AdmitAnswer;
use proto::v1::exchange_answer::Answer;
use proto::v1::upload_reply::Answer as UploadAnswer;

use super::deposit::{answer, leg_name, refusal};
use super::fan_out::{job_accepted, job_refusal};
use super::message::{
    proto_class, proto_file, proto_headers, proto_part, proto_priority, proto_report_request,
};
use super::proto_duration;
use crate::fan_out::JobAnswer;
use crate::large::{AdmissionRequest, LargeDeposit, UploadError};
use crate::{DepositAnswer, Refusal, Unavailable};

pub(crate) fn admission_request(request: AdmissionRequest) -> v1::AdmitRequest {
    v1::AdmitRequest {
        served_user: request.served_user,
        sender: request.sender.unwrap_or_default(),
        announced_octets: request.announced_octets,
        file_transfer: request.file_transfer,
        sender_exempt: request.sender_exempt,
    }
}

/// The admission, or why there is none.
pub(crate) fn admission(
    reply: v1::AdmitReply,
) -> Result<Result<v1::Admission, Refusal>, Unavailable> {
    match reply.answer {
        Some(AdmitAnswer::Admitted(admission)) => Ok(Ok(admission)),
        Some(AdmitAnswer::Refused(refused)) => refusal(refused).map(Err),
        None => Err(Unavailable::new("the answer says nothing")),
    }
}

pub(crate) fn large_deposit(deposit: LargeDeposit) -> v1::LargeDeposit {
    v1::LargeDeposit {
        served_user: deposit.served_user,
        sender: deposit.sender.unwrap_or_default(),
        class: proto_class(deposit.class).into(),
        priority: proto_priority(deposit.priority).into(),
        is_text: deposit.is_text,
        headers: Some(proto_headers(deposit.headers)),
        msrp_message_id: deposit.msrp_message_id,
        octets: deposit.octets,
        parts: deposit.parts.into_iter().map(proto_part).collect(),
        lifetime: deposit.lifetime.map(proto_duration),
        received_from: deposit.received_from,
        file: deposit.file.map(proto_file),
        report_request: deposit.report_request.map(proto_report_request),
        traceparent: deposit.traceparent.unwrap_or_default(),
        leg: deposit.leg.map(leg_name),
        sender_exempt: deposit.sender_exempt,
    }
}

/// What the reply to an upload says that was to become a message.
pub(crate) fn upload_answer(reply: v1::UploadReply) -> Result<DepositAnswer, Unavailable> {
    match reply.answer {
        Some(UploadAnswer::Deposited(deposited)) => answer(Answer::Deposited(deposited)),
        Some(UploadAnswer::Refused(refused)) => answer(Answer::Refused(refused)),
        Some(UploadAnswer::JobAccepted(_) | UploadAnswer::JobRefused(_)) => {
            Err(Unavailable::new("the answer is about something else"))
        }
        None => Err(Unavailable::new("the answer says nothing")),
    }
}

/// What the reply to an upload says that was to become a job. The disk may have filled up under it.
pub(crate) fn upload_job_answer(reply: v1::UploadReply) -> Result<JobAnswer, UploadError> {
    match reply.answer {
        Some(UploadAnswer::JobAccepted(accepted)) => Ok(job_accepted(&accepted)?),
        Some(UploadAnswer::JobRefused(refused)) => Ok(JobAnswer::Refused(job_refusal(refused)?)),
        Some(UploadAnswer::Refused(refused)) => Err(UploadError::Refused(refusal(refused)?)),
        Some(UploadAnswer::Deposited(_)) => {
            Err(Unavailable::new("the answer is about something else").into())
        }
        None => Err(Unavailable::new("the answer says nothing").into()),
    }
}
