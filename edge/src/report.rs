//! What the sender of a message asks to be told, as the store keeps it (IMD-01).

use cpim::imdn;
use msrp::RequestHead;
use storage_client::message::{Disposition, ReportRequest};

/// Octets of what a report repeats: as much as goes into a MESSAGE beside what is ours. Nobody writes so much who wants
/// to be told something.
const REPEATED_OCTETS: usize = 8 << 10;

/// What a CPIM message asks for; `None` if nothing that could be told.
#[must_use]
pub fn report_request(message: &cpim::Message) -> Option<ReportRequest> {
    let request = imdn::request(message)?;
    let repeated = [
        &request.message_id,
        &request.from,
        &request.to,
        &request.original_recipient,
    ];
    if repeated.iter().map(|text| text.len()).sum::<usize>() > REPEATED_OCTETS {
        return None;
    }
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn err_21_what_no_report_could_repeat_is_not_asked_for() {
        let asks = |letters: usize| {
            let text = format!(
                "From: <sip:alice@example.org>\r\nTo: <sip:{}@x>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
                 imdn.Message-ID: 1\r\nimdn.Disposition-Notification: processing\r\n\r\n\
                 Content-Type: text/plain\r\n\r\nhi",
                "b".repeat(letters)
            );
            let message = cpim::Message::parse(&Bytes::from(text)).expect("CPIM");
            report_request(&message).is_some()
        };
        assert!(asks(4_000));
        assert!(!asks(8_200));
    }
}
