//! What makes the retry of a request recognisable (requirements §3.3).

use sip::Request;
use storage_client::deposit::{DuplicateKey, ImdnKey};

use crate::refuse::Refusal;

/// The key of a request, without sender and content, which the store adds.
///
/// # Errors
/// From or CSeq is malformed.
pub fn key(request: &Request) -> Result<DuplicateKey, Refusal> {
    let headers = request.headers();
    Ok(DuplicateKey {
        method: request.method().to_string(),
        from_tag: request
            .from()?
            .and_then(|from| from.tag())
            .unwrap_or_default()
            .to_owned(),
        call_id: headers.call_id().unwrap_or_default().into_owned(),
        cseq: request.cseq()?.map_or(0, |cseq| cseq.number),
    })
}

/// What its sender calls a message in CPIM; `None` if nothing.
#[must_use]
pub fn imdn_key(message: &cpim::Message) -> Option<ImdnKey> {
    let message_id = cpim::imdn::message_id(message)?;
    (!message_id.is_empty()).then(|| ImdnKey {
        message_id: message_id.to_owned(),
        part_offset: message.part_offset() as u64,
    })
}
