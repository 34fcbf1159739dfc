//! What the sender of a message asks to be told, as the store keeps it (IMD-01).

use cpim::imdn;
use msrp::RequestHead;
use storage_client::message::{Disposition, ReportRequest};

/// What a CPIM message asks for; `None` if nothing that could be told.
#[must_use]
pub fn report_request(message: &cpim::Message) -> Option<ReportRequest> {
    let request = imdn::request(message)?;
    let asked = request.asked.into_iter().map(|asked| match asked {
        imdn::Disposition::PositiveDelivery => Disposition::PositiveDelivery,
        imdn::Disposition::NegativeDelivery => Disposition::NegativeDelivery,
        imdn::Disposition::Processing => Disposition::Processing,
        imdn::Disposition::Display => Disposition::Display,
    });
    Some(ReportRequest {
        asked: asked.collect(),
        imdn_message_id: request.message_id,
        from: request.from,
        to: request.to,
        original_recipient: request.original_recipient,
    })
}

/// Octets at the beginning of a large message in which it may have headers of its own (IMD-09).
#[must_use]
pub fn own_headers_octets(head: &RequestHead) -> usize {
    let content_type = head.content_type.as_deref().unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default();
    match essence.trim().eq_ignore_ascii_case("message/cpim") {
        true => cpim::HEAD_LIMIT_OCTETS,
        false => 0,
    }
}
