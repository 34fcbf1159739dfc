//! Every typed view of a SIP message, each held to what it prints.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use sip::digest::{Challenge, Credentials};
use sip::session_timer::{self, SessionPolicy};
use sip::{Aor, Contacts, Field, Headers, Method, NameAddr, SipDate, Uri, Via};

/// Asks for every typed view and checks those that can be printed.
pub fn look_at_headers(headers: &Headers) {
    let addresses = [
        headers.routes(),
        headers.record_routes(),
        headers.asserted_identities(),
        headers.preferred_identities(),
        headers.associated_uris(),
    ];
    addresses
        .iter()
        .flatten()
        .flatten()
        .for_each(look_at_address);
    let ends = [headers.from(), headers.to()];
    ends.iter().flatten().flatten().for_each(look_at_address);
    if let Ok(Contacts::List(contacts)) = headers.contacts() {
        contacts.iter().for_each(look_at_address);
    }
    headers.vias().iter().flatten().for_each(look_at_via);
    if let Ok(Some(served)) = headers.served_user() {
        look_at_uri(&served.uri);
    }
    if let Ok(Some(content_type)) = headers.content_type() {
        prints_what_it_reads(&content_type);
    }
    headers
        .allow()
        .iter()
        .flatten()
        .for_each(prints_what_it_reads::<Method>);
    headers
        .date()
        .iter()
        .for_each(prints_what_it_reads::<SipDate>);
    look_at_plain_values(headers);
    headers.iter().for_each(|field| look_at_field(&field));
}

/// Checks a URI and the name it gives a user.
pub fn look_at_uri(uri: &Uri) {
    prints_what_it_reads(uri);
    if let Uri::Sip(uri) = uri {
        let _ = (uri.transport(), uri.is_loose_router());
        let _ = uri.telephone().map(|number| number.digits());
    }
    if let Some(aor) = Aor::from_uri(uri) {
        let again: Uri = aor.as_str().parse().expect("the canonical form is a URI");
        assert_eq!(
            Aor::from_uri(&again).as_ref(),
            Some(&aor),
            "canonical forms name themselves"
        );
        let _ = (aor.domain(), aor.user());
    }
}

fn look_at_plain_values(headers: &Headers) {
    let _ = (
        headers.call_id(),
        headers.cseq(),
        headers.max_forwards(),
        headers.expires(),
    );
    let _ = (
        headers.content_length(),
        headers.supported(),
        headers.require(),
        headers.privacy(),
    );
    let _ = (
        headers.min_se(),
        headers.session_expires(),
        headers.retry_after(),
        headers.event(),
    );
    let _ = (
        headers.min_expires(),
        headers.user_agent(),
        headers.subject(),
        headers.priority(),
    );
    let _ = session_timer::negotiate_uas(headers, &SessionPolicy::default());
    let _ = session_timer::negotiate_uac(headers);
}

/// A field read as what it is not must be refused as calmly as any other.
fn look_at_field(field: &Field<'_>) {
    let value = field.value();
    assert!(!field.name().is_empty());
    assert!(field.raw().ends_with(field.raw_value()));
    value.parse::<NameAddr>().iter().for_each(look_at_address);
    value.parse::<Via>().iter().for_each(look_at_via);
    value.parse::<Uri>().iter().for_each(look_at_uri);
    let _ = (value.parse::<Credentials>(), value.parse::<Challenge>());
}

fn look_at_address(address: &NameAddr) {
    prints_what_it_reads(address);
    look_at_uri(&address.uri);
    let _ = (
        address.tag(),
        address.expires(),
        address.has_feature_tag("+g.oma.sip-im"),
    );
}

fn look_at_via(via: &Via) {
    prints_what_it_reads(via);
    let _ = (via.branch(), via.received(), via.rport());
    let mut noted = via.clone();
    if noted.note_source(([192, 0, 2, 1], 5060).into()) {
        prints_what_it_reads(&noted);
    }
}

/// What a value prints is read as the same value.
fn prints_what_it_reads<T: Debug + Display + FromStr + PartialEq>(value: &T)
where
    T::Err: Debug,
{
    let printed = value.to_string();
    let read: T = printed
        .parse()
        .unwrap_or_else(|error| panic!("{value:?} prints {printed:?}: {error:?}"));
    assert_eq!(read, *value, "printed as {printed:?}");
}
