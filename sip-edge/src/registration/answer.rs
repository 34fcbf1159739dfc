//! The 200 to a REGISTER: the Contact of the core for a third-party one (requirements §2.4.1), all
//! bindings with what is left of them for the others (REG-03).

use std::time::{Duration, SystemTime};

use sip::{Name, NameAddr, Request, Response, ResponseBuilder, StatusCode};
use storage_client::registration::Binding;

use edge::response::answer;
use edge::signature::Signature;

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
    contact
        .params
        .set("expires", Some(&left.as_secs().to_string()));
    builder.header(Name::Contact, contact)
}
