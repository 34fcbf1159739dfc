//! The 200 to a REGISTER: the Contact of the core for a third-party one (requirements §2.4.1), all
//! bindings with what is left of them for the others (REG-03).

use std::time::{Duration, SystemTime};

use sip::{Name, NameAddr, Request, Response, ResponseBuilder, StatusCode};
use storage_client::registration::Binding;

use edge::response::answer;
use edge::signature::Signature;

/// The feature tag of IM clients, by which a client sees that it is known as one (RFC 3840 §9).
const IM_FEATURE_TAG: &str = "+g.oma.sip-im";

/// 200 to the core: its own Contact and the lifetime it named.
pub(crate) fn to_core(
    request: &Request,
    lifetime: Duration,
    signature: &Signature,
    now: SystemTime,
) -> Response {
    let builder = answer(request, StatusCode::OK, signature, now);
    let contacts = request.headers().contacts().ok();
    match contacts.as_ref().and_then(sip::Contacts::first) {
        Some(contact) => {
            let mut contact = contact.clone();
            contact
                .params
                .set("expires", Some(&lifetime.as_secs().to_string()));
            builder.header(Name::Contact, contact).build()
        }
        None => builder.header(Name::Expires, lifetime.as_secs()).build(),
    }
}

/// 200 to a client: every live binding, and its Path back (RFC 3327 §5.3).
pub(crate) fn to_client(
    request: &Request,
    bindings: &[Binding],
    signature: &Signature,
    now: SystemTime,
) -> Response {
    let mut builder = answer(request, StatusCode::OK, signature, now);
    for path in request.headers().values(Name::Path) {
        builder = builder.header(Name::Path, path);
    }
    bindings
        .iter()
        .fold(builder, |builder, binding| {
            with_contact(builder, binding, now)
        })
        .build()
}

/// A contact that is no URI any more cannot be listed; the others can.
fn with_contact(builder: ResponseBuilder, binding: &Binding, now: SystemTime) -> ResponseBuilder {
    let Ok(uri) = binding.contact.parse() else {
        return builder;
    };
    let left = binding.expires_at.duration_since(now).unwrap_or_default();
    let mut contact = NameAddr::new(uri);
    if !binding.instance.is_empty() {
        contact.params.set("+sip.instance", Some(&binding.instance));
    }
    if binding.reg_id > 0 {
        contact
            .params
            .set("reg-id", Some(&binding.reg_id.to_string()));
    }
    if binding.has_im_tag {
        contact.params.set(IM_FEATURE_TAG, None);
    }
    // Rounded up: the moment between commit and answer is none of the client's time.
    let seconds = left.as_millis().div_ceil(1_000);
    contact.params.set("expires", Some(&seconds.to_string()));
    builder.header(Name::Contact, contact)
}

#[cfg(test)]
mod tests {
    use storage_client::registration::RegistrationKind;

    use super::*;
    use crate::site::fixture::df1;

    #[test]
    fn a_client_is_told_its_tag_and_the_whole_time_it_asked_for() {
        let registered = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_176_001);
        let binding = Binding {
            contact: "sip:bob@203.0.113.9:5060;transport=tcp".to_owned(),
            instance: String::new(),
            reg_id: 0,
            call_id: String::new(),
            cseq: 1,
            path: Vec::new(),
            flow: None,
            has_im_tag: true,
            allows_message: true,
            kind: RegistrationKind::Direct,
            user_agent: String::new(),
            expires_at: registered + Duration::from_secs(3_600),
            gruu: String::new(),
        };
        let request = edge::example::request(crate::registration::example::REGISTER);
        let answered = registered + Duration::from_millis(7);
        let response = to_client(&request, &[binding], &df1().signature, answered);
        let contacts = response.headers().contacts().expect("well-formed");
        let contact = contacts.first().expect("one");
        assert_eq!(contact.expires(), Some(3_600));
        assert!(contact.has_feature_tag("+g.oma.sip-im"));
    }
}
