//! Admissions and large deposits of the contract.

use std::time::Instant;

use proto::v1;
use storage::model::{Admission, LargeDeposit, Part, PartKind};
use tonic::Status;

use crate::convert::{
    address, class, file, headers, invalid, leg_name, lifetime, part, priority, report_request,
    required, traceparent,
};

/// Most octets of all parts but for the body: heads and requests of SIP.
const PARTS_OCTETS: usize = 1 << 20;

pub(super) fn admission(request: v1::AdmitRequest) -> Result<Admission, Status> {
    Ok(Admission {
        served_user: required(address(request.served_user), "the served user is missing")?,
        sender: address(request.sender),
        sender_exempt: request.sender_exempt,
        announced_octets: request.announced_octets,
        file_transfer: request.file_transfer,
    })
}

pub(super) fn large_deposit(
    deposit: v1::LargeDeposit,
    deadline: Instant,
) -> Result<LargeDeposit, Status> {
    if deposit.octets == 0 {
        return Err(invalid("a message without octets is not stored"));
    }
    Ok(LargeDeposit {
        class: required(class(deposit.class()), "the class is missing")?,
        priority: priority(deposit.priority()),
        served_user: required(address(deposit.served_user), "the served user is missing")?,
        sender: address(deposit.sender),
        sender_exempt: deposit.sender_exempt,
        is_text: deposit.is_text,
        headers: headers(deposit.headers.unwrap_or_default()),
        msrp_message_id: deposit.msrp_message_id,
        octets: deposit.octets,
        parts: parts(deposit.parts)?,
        lifetime: deposit.lifetime.map(lifetime),
        received_from: deposit.received_from,
        file: deposit.file.map(file),
        report_request: report_request(deposit.report_request)?,
        traceparent: traceparent(deposit.traceparent),
        leg: deposit.leg.map(leg_name),
        deadline,
    })
}

fn parts(parts: Vec<v1::Part>) -> Result<Vec<Part>, Status> {
    let parts: Vec<Part> = parts.into_iter().map(part).collect::<Result<_, _>>()?;
    let octets: usize = parts.iter().map(|part| part.octets.len()).sum();
    let are_others = parts
        .iter()
        .all(|part| !matches!(part.kind, PartKind::Message | PartKind::SendBody));
    match octets <= PARTS_OCTETS && are_others {
        true => Ok(parts),
        false => Err(invalid("the parts are too large or no parts of a session")),
    }
}
