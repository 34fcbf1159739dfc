//! Claims, settlements and outcomes.

use proto::v1;
use proto::v1::acknowledge::Settlement as ProtoSettlement;
use storage::model::{
    ClaimToken, Device, Generation, MailboxId, MessageNumber, Released, Settled, Settlement,
    TakeLimit, Taken,
};
use tonic::Status;

use super::message::{message, message_number, proto_part};
use super::{duration, invalid, required};
use crate::scheduler::{Ending, Outcome};

/// The claim that is meant.
pub(crate) fn claim(claim: Option<v1::Claim>) -> Result<ClaimToken, Status> {
    let claim = required(claim, "the claim is missing")?;
    Ok(ClaimToken {
        mailbox: MailboxId(claim.mailbox),
        generation: Generation(claim.generation),
    })
}

/// A claim of the contract.
pub(crate) fn proto_claim(claim: ClaimToken) -> v1::Claim {
    v1::Claim {
        mailbox: claim.mailbox.0,
        generation: claim.generation.0,
    }
}

/// Which message is settled under which claim, at which device if that matters, and how.
pub(crate) struct Acknowledgement {
    pub(crate) claim: ClaimToken,
    pub(crate) device: Option<Device>,
    pub(crate) number: MessageNumber,
    pub(crate) settlement: Settlement,
    /// The span in which it was sent.
    pub(crate) traceparent: String,
}

/// What is settled.
pub(crate) fn acknowledgement(
    acknowledge: v1::Acknowledge,
    hostname: &str,
) -> Result<Acknowledgement, Status> {
    let settlement = match required(acknowledge.settlement, "the settlement is missing")? {
        ProtoSettlement::Delivered(delivered) => Settlement::Delivered { by: delivered.by },
        ProtoSettlement::Refused(refused) => Settlement::Refused {
            reason: refused.reason,
        },
        ProtoSettlement::Failed(failed) => Settlement::Failed {
            reason: failed.reason,
            refusal: failed.refusal,
        },
    };
    Ok(Acknowledgement {
        claim: claim(acknowledge.claim)?,
        device: acknowledge.device.map(Device::new),
        number: message_number(&acknowledge.message_id, hostname)?,
        settlement,
        traceparent: acknowledge.traceparent,
    })
}

/// The answer to an acknowledgement.
pub(crate) fn settled(settled: Settled) -> v1::Acknowledged {
    let result = match settled {
        Settled::Settled => v1::AcknowledgeResult::Settled,
        Settled::Superseded => v1::AcknowledgeResult::Superseded,
        Settled::AlreadySettled => v1::AcknowledgeResult::AlreadySettled,
        Settled::Unknown(_) => v1::AcknowledgeResult::Unknown,
    };
    v1::Acknowledged {
        result: result.into(),
    }
}

/// Messages on their way out, taken within a limit.
pub(crate) fn taken(taken: Vec<Taken>, limit: TakeLimit) -> v1::TakeMessagesReply {
    // The store does not say what it left out: with half of the room used it may be something.
    let is_last =
        taken.len() < limit.messages && content_octets(&taken) <= limit.octets.div_ceil(2);
    v1::TakeMessagesReply {
        messages: taken.into_iter().map(taken_message).collect(),
        is_last,
    }
}

fn taken_message(taken: Taken) -> v1::TakenMessage {
    v1::TakenMessage {
        message: Some(message(taken.message)),
        parts: taken.parts.into_iter().map(proto_part).collect(),
    }
}

/// Octets of content.
pub(crate) fn content_octets(taken: &[Taken]) -> u64 {
    let parts = taken.iter().flat_map(|taken| &taken.parts);
    parts.map(|part| part.octets.len() as u64).sum()
}

/// How a delivery ended.
pub(crate) fn outcome(outcome: Option<v1::DeliveryOutcome>) -> Result<Outcome, Status> {
    let outcome = required(outcome, "the outcome is missing")?;
    let ending = match outcome.result() {
        v1::DeliveryResult::Unspecified => return Err(invalid("the result is missing")),
        v1::DeliveryResult::Completed => Ending::Completed,
        v1::DeliveryResult::Unavailable => Ending::Unavailable,
        v1::DeliveryResult::Busy => Ending::Busy,
        v1::DeliveryResult::Unsupported => Ending::Unsupported,
        v1::DeliveryResult::Rejected => Ending::Rejected,
        v1::DeliveryResult::Broken => Ending::Broken,
        v1::DeliveryResult::HopDown => Ending::HopDown,
        v1::DeliveryResult::EndedByClient => Ending::EndedByClient,
        v1::DeliveryResult::EdgeDraining => Ending::EdgeDraining,
        v1::DeliveryResult::Interrupted => Ending::Interrupted,
    };
    Ok(Outcome {
        ending,
        reason: outcome.reason,
        retry_after: outcome.retry_after.map(duration),
    })
}

/// The answer to a release.
pub(crate) fn release_result(released: Released) -> v1::ReleaseResult {
    match released {
        Released::Released => v1::ReleaseResult::Released,
        Released::LookAgain => v1::ReleaseResult::LookAgain,
        Released::Superseded => v1::ReleaseResult::Superseded,
    }
}
