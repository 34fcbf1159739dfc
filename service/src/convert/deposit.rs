//! Deposits and refusals. The receipt of an accepted one is made elsewhere, see
//! [`crate::deposit`].

use std::time::Instant;

use proto::v1;
use storage::model::{Deposit, DuplicateKey, ImdnKey, JobNumber, LegName, Part, Refusal};
use tonic::Status;

use super::message::{address, class, headers, part, priority, report_request};
use super::{invalid, lifetime, proto_duration, required};

/// A deposit that makes sense.
pub(crate) fn deposit(deposit: v1::Deposit, deadline: Instant) -> Result<Deposit, Status> {
    let class = required(class(deposit.class()), "the class is missing")?;
    let priority = priority(deposit.priority());
    let served_user = required(address(deposit.served_user), "the served user is missing")?;
    let parts = deposit.parts.into_iter().map(part);
    let parts: Vec<Part> = parts.collect::<Result<_, _>>()?;
    if parts.is_empty() {
        return Err(invalid("a deposit has at least one part"));
    }
    let imdn_key = deposit
        .imdn_key
        .map(|key| imdn_key(key, deposit.body_octets));
    Ok(Deposit {
        served_user,
        sender: address(deposit.sender),
        sender_exempt: deposit.sender_exempt,
        class,
        priority,
        is_text: deposit.is_text,
        headers: headers(deposit.headers.unwrap_or_default()),
        duplicate_key: duplicate_key(required(
            deposit.duplicate_key,
            "the duplicate key is missing",
        )?),
        imdn_key: imdn_key.transpose()?,
        parts,
        body_octets: deposit.body_octets,
        body_offset: deposit.body_offset,
        lifetime: deposit.lifetime.map(lifetime),
        received_from: deposit.received_from,
        sha256: None,
        file: None,
        report_request: report_request(deposit.report_request)?,
        traceparent: traceparent(deposit.traceparent),
        leg: deposit.leg.map(leg_name),
        deadline,
    })
}

/// Kept only if it is one: it is written to the disk with its message.
pub(crate) fn traceparent(text: String) -> Option<String> {
    let context = text.parse::<daemon::trace::Context>().ok()?;
    Some(context.to_string())
}

/// The leg that an edge has found a deposit to be.
pub(crate) fn leg_name(leg: v1::LegName) -> LegName {
    LegName {
        job: JobNumber(leg.job),
        index: leg.index,
    }
}

pub(super) fn duplicate_key(key: v1::DuplicateKey) -> DuplicateKey {
    DuplicateKey {
        method: key.method,
        from_tag: key.from_tag,
        call_id: key.call_id,
        cseq: key.cseq,
    }
}

fn imdn_key(key: v1::ImdnKey, body_octets: u64) -> Result<ImdnKey, Status> {
    // Messages that end before what they wrap would all be the same.
    if key.message_id.is_empty() || key.part_offset >= body_octets {
        return Err(invalid("an imdn key names a message, and a part within it"));
    }
    Ok(ImdnKey {
        message_id: key.message_id,
        part_offset: key.part_offset,
    })
}

/// The answer to a refused deposit.
pub(crate) fn refusal(refusal: &Refusal) -> v1::Refused {
    let (reason, retry_after) = match refusal {
        Refusal::UnknownUser => (v1::RefusalReason::UnknownUser, None),
        Refusal::Barred => (v1::RefusalReason::Barred, None),
        Refusal::MailboxFull { retry_after } => {
            (v1::RefusalReason::MailboxFull, Some(*retry_after))
        }
        Refusal::SenderLimit { retry_after } => {
            (v1::RefusalReason::SenderLimit, Some(*retry_after))
        }
        Refusal::DiskFull => (
            v1::RefusalReason::DiskFull,
            Some(crate::status::RETRY_AFTER),
        ),
        Refusal::TooLate => (v1::RefusalReason::TooLate, None),
    };
    v1::Refused {
        reason: reason.into(),
        retry_after: retry_after.map(proto_duration),
    }
}
