//! Claims, settlements and outcomes.

use proto::v1;
use proto::v1::acknowledge::Settlement as ProtoSettlement;
use proto::v1::exchange_answer::Answer;

use super::deposit::unavailable;
use super::message::{message, part};
use super::proto_duration;
use crate::Unavailable;
use crate::deferred::DeferredPage;
use crate::delivery::{
    AcknowledgeResult, Claim, DeliveryOutcome, DeliveryResult, ReleaseResult, Settlement,
    TakenBatch, TakenMessage,
};

pub(crate) fn claim(claim: v1::Claim) -> Claim {
    Claim {
        mailbox: claim.mailbox,
        generation: claim.generation,
    }
}

pub(crate) fn claim_request(claim: Claim) -> v1::Claim {
    v1::Claim {
        mailbox: claim.mailbox,
        generation: claim.generation,
    }
}

pub(crate) fn acknowledge(
    claim: Claim,
    (message_id, device): (String, Option<String>),
    settlement: Settlement,
) -> v1::Acknowledge {
    let settlement = match settlement {
        Settlement::Delivered { by } => ProtoSettlement::Delivered(v1::Delivered { by }),
        Settlement::Refused { reason } => ProtoSettlement::Refused(v1::RefusedByClient { reason }),
        Settlement::Failed { reason, refusal } => {
            ProtoSettlement::Failed(v1::AttemptFailed { reason, refusal })
        }
    };
    v1::Acknowledge {
        claim: Some(claim_request(claim)),
        message_id,
        settlement: Some(settlement),
        device,
        traceparent: String::new(),
    }
}

/// What the answer to an acknowledgement says.
pub(crate) fn acknowledge_result(answer: Answer) -> Result<AcknowledgeResult, Unavailable> {
    match answer {
        Answer::Acknowledged(reply) => match reply.result() {
            v1::AcknowledgeResult::Settled => Ok(AcknowledgeResult::Settled),
            v1::AcknowledgeResult::Superseded => Ok(AcknowledgeResult::Superseded),
            v1::AcknowledgeResult::AlreadySettled => Ok(AcknowledgeResult::AlreadySettled),
            v1::AcknowledgeResult::Unknown => Ok(AcknowledgeResult::Unknown),
            v1::AcknowledgeResult::Unspecified => Err(Unavailable::new("the answer says nothing")),
        },
        Answer::Unavailable(reply) => Err(unavailable(reply)),
        Answer::Deposited(_) | Answer::Refused(_) | Answer::Released(_) => Err(Unavailable::new(
            "the answer is not one to an acknowledgement",
        )),
    }
}

/// Messages that this version does not understand are left out: they stay stored.
/// Messages that this version does not understand are left out.
pub(crate) fn deferred_page(reply: v1::ListDeferredReply) -> DeferredPage {
    DeferredPage {
        messages: reply.messages.into_iter().filter_map(message).collect(),
        next: Some(reply.next_page_token).filter(|token| !token.is_empty()),
        version: reply.version,
    }
}

pub(crate) fn taken(reply: v1::TakeMessagesReply) -> TakenBatch {
    let messages = reply.messages.into_iter();
    TakenBatch {
        messages: messages.filter_map(taken_message).collect(),
        is_last: reply.is_last,
    }
}

fn taken_message(taken: v1::TakenMessage) -> Option<TakenMessage> {
    let parts: Option<Vec<_>> = taken.parts.into_iter().map(part).collect();
    Some(TakenMessage {
        message: message(taken.message?)?,
        parts: parts?,
    })
}

fn outcome(outcome: DeliveryOutcome) -> v1::DeliveryOutcome {
    let result = match outcome.result {
        DeliveryResult::Completed => v1::DeliveryResult::Completed,
        DeliveryResult::Unavailable => v1::DeliveryResult::Unavailable,
        DeliveryResult::Busy => v1::DeliveryResult::Busy,
        DeliveryResult::Unsupported => v1::DeliveryResult::Unsupported,
        DeliveryResult::Rejected => v1::DeliveryResult::Rejected,
        DeliveryResult::Broken => v1::DeliveryResult::Broken,
        DeliveryResult::HopDown => v1::DeliveryResult::HopDown,
        DeliveryResult::EndedByClient => v1::DeliveryResult::EndedByClient,
        DeliveryResult::EdgeDraining => v1::DeliveryResult::EdgeDraining,
        DeliveryResult::Interrupted => v1::DeliveryResult::Interrupted,
    };
    v1::DeliveryOutcome {
        result: result.into(),
        reason: outcome.reason,
        retry_after: outcome.retry_after.map(proto_duration),
    }
}

/// The end of a delivery that has looked at the mailbox up to `last_sequence`.
pub(crate) fn release(
    claim: Claim,
    last_sequence: u64,
    result: DeliveryOutcome,
) -> v1::ReleaseRequest {
    v1::ReleaseRequest {
        claim: Some(claim_request(claim)),
        last_sequence,
        outcome: Some(outcome(result)),
    }
}

/// What the answer to a release says.
pub(crate) fn release_result(answer: Answer) -> Result<ReleaseResult, Unavailable> {
    match answer {
        Answer::Released(reply) => match reply.result() {
            v1::ReleaseResult::Released => Ok(ReleaseResult::Released),
            v1::ReleaseResult::LookAgain => Ok(ReleaseResult::LookAgain),
            v1::ReleaseResult::Superseded => Ok(ReleaseResult::Superseded),
            v1::ReleaseResult::Unspecified => Err(Unavailable::new("the answer says nothing")),
        },
        Answer::Unavailable(reply) => Err(unavailable(reply)),
        Answer::Deposited(_) | Answer::Refused(_) | Answer::Acknowledged(_) => {
            Err(Unavailable::new("the answer is not one to a release"))
        }
    }
}
