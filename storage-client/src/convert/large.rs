//! Admissions and large deposits.

use proto::v1;
use proto::v1::admit_reply::Answer as AdmitAnswer;
use proto::v1::exchange_answer::Answer;
use proto::v1::upload_reply::Answer as UploadAnswer;

use super::deposit::{answer, refusal};
use super::message::{proto_class, proto_file, proto_headers, proto_part, proto_priority};
use super::timestamp;
use crate::large::{AdmissionRequest, LargeDeposit};
use crate::{DepositAnswer, Refusal, Unavailable};

pub(crate) fn admission_request(request: AdmissionRequest) -> v1::AdmitRequest {
    v1::AdmitRequest {
        served_user: request.served_user,
        sender: request.sender.unwrap_or_default(),
        announced_octets: request.announced_octets,
        file_transfer: request.file_transfer,
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
        expires_at: deposit.expires_at.map(timestamp),
        received_from: deposit.received_from,
        file: deposit.file.map(proto_file),
    }
}

/// What the reply to an upload says.
pub(crate) fn upload_answer(reply: v1::UploadReply) -> Result<DepositAnswer, Unavailable> {
    match reply.answer {
        Some(UploadAnswer::Deposited(deposited)) => answer(Answer::Deposited(deposited)),
        Some(UploadAnswer::Refused(refused)) => answer(Answer::Refused(refused)),
        None => Err(Unavailable::new("the answer says nothing")),
    }
}
