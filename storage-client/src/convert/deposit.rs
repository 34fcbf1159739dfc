//! Deposits and their answers.

use proto::v1;
use proto::v1::exchange_answer::Answer;

use super::message::{
    proto_class, proto_headers, proto_part, proto_priority, proto_report_request,
};
use super::{duration, proto_duration};
use crate::error::DEFAULT_RETRY_AFTER;
use crate::{Deposit, DepositAnswer, Deposited, LegName, Refusal, RefusalReason, Unavailable};

/// Without the remaining time, which is written when it is sent.
pub(crate) fn deposit(deposit: Deposit) -> v1::Deposit {
    v1::Deposit {
        served_user: deposit.served_user,
        sender: deposit.sender.unwrap_or_default(),
        class: proto_class(deposit.class).into(),
        priority: proto_priority(deposit.priority).into(),
        is_text: deposit.is_text,
        headers: Some(proto_headers(deposit.headers)),
        duplicate_key: Some(v1::DuplicateKey {
            method: deposit.duplicate_key.method,
            from_tag: deposit.duplicate_key.from_tag,
            call_id: deposit.duplicate_key.call_id,
            cseq: deposit.duplicate_key.cseq,
        }),
        parts: deposit.parts.into_iter().map(proto_part).collect(),
        body_octets: deposit.body_octets,
        body_offset: deposit.body_offset,
        lifetime: deposit.lifetime.map(proto_duration),
        received_from: deposit.received_from,
        remaining: None,
        report_request: deposit.report_request.map(proto_report_request),
        sender_exempt: deposit.sender_exempt,
        traceparent: deposit.traceparent.unwrap_or_default(),
        leg: deposit.leg.map(leg_name),
        imdn_key: deposit.imdn_key.map(|key| v1::ImdnKey {
            message_id: key.message_id,
            part_offset: key.part_offset,
        }),
    }
}

pub(super) fn leg_name(leg: LegName) -> v1::LegName {
    v1::LegName {
        job: leg.job,
        index: leg.index,
    }
}

/// What the answer to a deposit says.
pub(crate) fn answer(answer: Answer) -> Result<DepositAnswer, Unavailable> {
    match answer {
        Answer::Deposited(reply) => Deposited::from_reply(reply)
            .map(DepositAnswer::Deposited)
            .ok_or_else(|| Unavailable::new("the answer is not whole")),
        Answer::Refused(refused) => refusal(refused).map(DepositAnswer::Refused),
        Answer::Unavailable(reply) => Err(unavailable(reply)),
        Answer::Acknowledged(_) | Answer::Released(_) => {
            Err(Unavailable::new("the answer is not one to a deposit"))
        }
    }
}

pub(super) fn refusal(refused: v1::Refused) -> Result<Refusal, Unavailable> {
    let reason = match refused.reason() {
        v1::RefusalReason::UnknownUser => RefusalReason::UnknownUser,
        v1::RefusalReason::Barred => RefusalReason::Barred,
        v1::RefusalReason::MailboxFull => RefusalReason::MailboxFull,
        v1::RefusalReason::SenderLimit => RefusalReason::SenderLimit,
        v1::RefusalReason::DiskFull => RefusalReason::DiskFull,
        v1::RefusalReason::TooLate => return Err(Unavailable::new("too late to be stored")),
        v1::RefusalReason::Unspecified => return Err(Unavailable::new("refused without reason")),
    };
    Ok(Refusal {
        reason,
        retry_after: refused.retry_after.and_then(duration),
    })
}

pub(super) fn unavailable(reply: v1::Unavailable) -> Unavailable {
    Unavailable {
        reason: reply.reason,
        retry_after: reply
            .retry_after
            .and_then(duration)
            .unwrap_or(DEFAULT_RETRY_AFTER),
    }
}
