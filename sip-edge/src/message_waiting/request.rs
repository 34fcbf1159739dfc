//! Reading a SUBSCRIBE: what can be decided without the store (MWI-01, MWI-07, ERR-09a..14).

use std::time::Duration;

use sip::dialog::{Dialog, SavedDialog};
use sip::message_summary::MEDIA_TYPE;
use sip::{Aor, Headers, MediaType, Name, Request, Uri};

use crate::config::MessageWaitingConfig;
use crate::ingress::served_user::served_user;
use crate::site::Site;
use edge::identity;
use edge::refuse::Refusal;

/// The event package.
pub(crate) const PACKAGE: &str = "message-summary";

/// A SUBSCRIBE that makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// The account.
    pub(super) address: String,
    /// Who asks; he must own it.
    pub(super) subscriber: String,
    /// Whether it came within a dialog.
    pub(super) refreshes: bool,
    /// The dialog.
    pub(super) dialog: SavedDialog,
    /// CSeq of the request.
    pub(super) remote_cseq: u32,
    /// The `id` parameter of Event, empty if none.
    pub(super) event_id: String,
    /// How long it lasts; nothing for a fetch, and for an end.
    pub(super) lifetime: Duration,
}

/// Reads it. `new_tag` names the dialog it may make, `contact` is ours.
///
/// # Errors
/// With the row that refuses it.
pub(super) fn read(
    request: &Request,
    site: &Site,
    config: &MessageWaitingConfig,
    new_tag: &str,
    contact: Uri,
) -> Result<Asked, Refusal> {
    let headers = request.headers();
    let subscriber = identity::originator(headers, site)?.ok_or(Refusal::NoAssertedIdentity)?;
    let subscriber = subscriber.address.to_string();
    let known_tag = headers.to()?.and_then(|to| to.tag().map(str::to_owned));
    let address = match &known_tag {
        // The Request-URI of a refresh is our Contact; the dialog names the account.
        Some(_) => account_of_dialog(headers, site)?.to_string(),
        None => served_user(request, site)?.to_string(),
    };
    let event = headers.event()?.filter(|event| event.package == PACKAGE);
    let event = event.ok_or(Refusal::Event)?;
    if !accepts_summary(headers) {
        return Err(Refusal::UnacceptedType(MEDIA_TYPE));
    }
    let lifetime = lifetime(headers, config)?;
    let dialog = Dialog::uas(request, known_tag.as_deref().unwrap_or(new_tag), contact);
    let dialog = dialog.map_err(sip::Violation::from)?;
    Ok(Asked {
        address,
        subscriber,
        refreshes: known_tag.is_some(),
        dialog: SavedDialog::of(&dialog),
        remote_cseq: headers.cseq()?.map_or(0, |cseq| cseq.number),
        event_id: event
            .params
            .get("id")
            .flatten()
            .unwrap_or_default()
            .to_owned(),
        lifetime,
    })
}

fn account_of_dialog(headers: &Headers, site: &Site) -> Result<Aor, Refusal> {
    let account = headers.to()?.and_then(|to| Aor::from_uri(&to.uri));
    account
        .filter(|account| site.serves(account))
        .ok_or(Refusal::NoDialog)
}

/// Without an Accept the body of the package is meant (RFC 3842 §3.2).
fn accepts_summary(headers: &Headers) -> bool {
    let mut accepted = headers.values(Name::Accept).peekable();
    accepted.peek().is_none()
        || accepted.any(|value| match value.parse::<MediaType>() {
            Ok(accepted) => [MEDIA_TYPE, "application/*", "*/*"]
                .iter()
                .any(|known| accepted.is(known)),
            Err(_) => false,
        })
}

fn lifetime(headers: &Headers, config: &MessageWaitingConfig) -> Result<Duration, Refusal> {
    let Some(seconds) = headers.expires()? else {
        return Ok(config.default_expires);
    };
    let asked = Duration::from_secs(seconds.into());
    if !asked.is_zero() && asked < config.min_expires && seconds < 3_600 {
        return Err(Refusal::IntervalTooBrief(config.min_expires));
    }
    Ok(asked.min(config.max_expires))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::fixture::df1;

    fn request(lines: &str) -> Request {
        let text = format!(
            "SUBSCRIBE sip:bob@example.org SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\n\
             Max-Forwards: 68\r\nRecord-Route: <sip:scscf1.example.org;lr>\r\n\
             From: <sip:bob@example.org>;tag=b-s77\r\nTo: <sip:bob@example.org>\r\n\
             Call-ID: mwi-31@203.0.113.9\r\nCSeq: 1 SUBSCRIBE\r\n\
             Contact: <sip:bob@203.0.113.9:5060;transport=tcp>\r\n{lines}Content-Length: 0\r\n\r\n"
        );
        match sip::parse_datagram(text.into(), &sip::Limits::default()) {
            Ok(sip::Message::Request(request)) => request,
            other => panic!("no request: {other:?}"),
        }
    }

    fn asked(lines: &str) -> Result<Asked, Refusal> {
        let contact = "sip:im-store@df1.im.example.org".parse().expect("a URI");
        let config = MessageWaitingConfig::default();
        read(&request(lines), &df1(), &config, "df1-n5", contact)
    }

    const BOB: &str = "P-Asserted-Identity: <sip:bob@example.org>\r\n";

    #[test]
    fn the_example_is_read() {
        let asked = asked(&format!(
            "Event: message-summary;id=7\r\nAccept: application/simple-message-summary\r\nExpires: 3600\r\n{BOB}"
        ))
        .expect("it makes sense");
        assert_eq!(asked.address, "sip:bob@example.org");
        assert_eq!(asked.subscriber, asked.address);
        assert_eq!(asked.event_id, "7");
        assert_eq!(asked.lifetime, Duration::from_secs(3_600));
        assert_eq!(asked.dialog.local, "<sip:bob@example.org>;tag=df1-n5");
        assert_eq!(asked.dialog.routes, ["<sip:scscf1.example.org;lr>"]);
        assert!(!asked.refreshes);
    }

    #[test]
    fn each_row_refuses_in_its_turn() {
        let event = "Event: message-summary\r\n";
        let minute = Duration::from_secs(60);
        let table = [
            (event.to_owned(), Err(Refusal::NoAssertedIdentity)),
            (BOB.to_owned(), Err(Refusal::Event)),
            (format!("{BOB}Event: presence\r\n"), Err(Refusal::Event)),
            (
                format!("{BOB}{event}Accept: text/plain\r\nExpires: 5\r\n"),
                Err(Refusal::UnacceptedType(MEDIA_TYPE)),
            ),
            (
                format!("{BOB}{event}Expires: 5\r\n"),
                Err(Refusal::IntervalTooBrief(minute)),
            ),
            (format!("{BOB}{event}Expires: 0\r\n"), Ok(0)),
            (format!("{BOB}{event}Accept: */*\r\n"), Ok(3_600)),
            (format!("{BOB}{event}Expires: 999999\r\n"), Ok(86_400)),
        ];
        for (lines, expected) in table {
            let lifetime = asked(&lines).map(|asked| asked.lifetime.as_secs());
            assert_eq!(lifetime, expected, "{lines}");
        }
    }
}
