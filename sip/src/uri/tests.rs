//! URIs and the canonical names made of them.

use proptest::prelude::*;

use super::*;

fn sip(text: &str) -> SipUri {
    match text.parse() {
        Ok(Uri::Sip(uri)) => uri,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn uris_print_as_they_were_written() {
    for text in [
        "sip:example.com",
        "sips:bob:secret@example.com:5061;transport=tcp;lr?Subject=a%20b&x=y",
        "sip:[2001:db8::10]:5070",
        "sip:user;par=u%40example.net@example.com",
        "sip:sips%3Auser%40example.com@example.net",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
        "tel:+1-201-555-0123;ext=5",
        "urn:service:sos",
        "soap.beep://192.0.2.103:3002",
        "sip:bob@example.com;gr=urn:uuid:00000000-0000-1000-8000-000A95A0E128",
    ] {
        assert_eq!(
            text.parse::<Uri>().map(|uri| uri.to_string()),
            Ok(text.to_owned())
        );
    }
}

#[test]
fn malformed_uris_are_refused() {
    for (text, error) in [
        ("bob@example.com", UriError::Scheme),
        ("<sip:user@example.com>", UriError::Scheme),
        ("sip:user@example.com; lr", UriError::Character),
        ("sip:@example.com", UriError::User),
        ("sip:", UriError::Host),
        ("sip:2001:db8::10", UriError::Port),
        ("sip:[2001:db8::10", UriError::Host),
        ("sip:[2001:db8:::192.0.2.1]", UriError::Host),
        ("sip:example.com:70000", UriError::Port),
        ("sip:example.com:", UriError::Port),
        ("tel:", UriError::Number),
        ("tel:alice", UriError::Number),
    ] {
        assert_eq!(text.parse::<Uri>(), Err(error), "{text}");
    }
}

#[test]
fn the_parts_of_a_sip_uri_are_told_apart() {
    let uri = sip("sip:user;par=1:pw@Example.com:5070;transport=TCP;lr?a=b");
    assert_eq!(uri.user.as_deref(), Some("user;par=1"));
    assert_eq!(uri.password.as_deref(), Some("pw"));
    assert_eq!(uri.host, Host::Name("example.COM".into()));
    assert_eq!(uri.port, Some(5070));
    assert_eq!(uri.transport(), Some(crate::Transport::Tcp));
    assert!(uri.is_loose_router());
    assert_eq!(uri.headers.as_deref(), Some("a=b"));
}

#[test]
fn an_ambiguous_port_belongs_to_the_ipv6_address() {
    let inside = sip("sip:[2001:db8::10:5070]");
    assert_eq!(inside.port, None);
    assert_eq!(sip("sip:[2001:db8::10]:5070").port, Some(5070));
}

#[test]
fn canonical_addresses_follow_the_comparison_rules() {
    for (text, canonical) in [
        (
            "sip:Alice@EXAMPLE.org:5060;transport=tcp",
            "sip:Alice@example.org",
        ),
        ("sips:alice@example.org:5061", "sip:alice@example.org"),
        ("sip:alice@example.org:5061", "sip:alice@example.org:5061"),
        ("sip:%61lice%40x@example.org", "sip:alice%40x@example.org"),
        ("sip:a%2fb@example.org", "sip:a%2Fb@example.org"),
        ("sip:broken%4@example.org", "sip:broken%254@example.org"),
        ("sip:%4%31@example.org", "sip:%2541@example.org"),
        ("sips:alice@example.org:5060", "sip:alice@example.org"),
        ("sip:alice:secret@example.org?a=b", "sip:alice@example.org"),
        ("sip:scscf1.example.org", "sip:scscf1.example.org"),
        ("sip:a@[2001:DB8:0::1]:5060", "sip:a@[2001:db8::1]"),
        ("tel:+1-(555).0100;ext=4", "tel:+15550100"),
        (
            "tel:0100;phone-context=Example.org",
            "tel:0100;phone-context=example.org",
        ),
        ("im:bob@example.org", "sip:bob@example.org"),
    ] {
        for text in [text, canonical] {
            assert_eq!(
                text.parse::<Aor>().map(|aor| aor.to_string()),
                Ok(canonical.to_owned())
            );
        }
    }
    assert_eq!("http://example.org".parse::<Aor>(), Err(UriError::Scheme));
    // A local number means nothing without its context (RFC 3966 §5.1.5).
    assert_eq!("tel:1234".parse::<Aor>(), Err(UriError::Scheme));
}

#[test]
fn the_domain_of_an_address_has_no_port() {
    let domain = |text: &str| {
        text.parse::<Aor>()
            .expect("valid")
            .domain()
            .map(str::to_owned)
    };
    assert_eq!(domain("sip:a@Example.org:5070"), Some("example.org".into()));
    assert_eq!(
        domain("sip:a@[2001:db8::1]:5070"),
        Some("[2001:db8::1]".into())
    );
    assert_eq!(domain("tel:+15550100"), None);
}

#[test]
fn a_phone_user_names_a_telephone_number() {
    let number = sip("sip:+1-555-0100@example.org;user=phone").telephone();
    assert_eq!(number.map(|tel| tel.digits()), Some("+15550100".into()));
    assert_eq!(sip("sip:+15550100@example.org").telephone(), None);
}

#[test]
fn encoding_a_user_undoes_decoding() {
    let user = "I have spaces@and/% ü";
    assert_eq!(
        percent_decoded(&percent_encoded_user(user)).as_deref(),
        Some(user)
    );
    assert_eq!(percent_decoded("%4"), None);
    assert_eq!(percent_decoded("%ff"), None);
}

/// sip and sips URIs with every part that may be there.
fn sip_uri() -> impl Strategy<Value = String> {
    let user =
        prop::option::of("([a-zA-Z0-9_.!~*'()&=+$,;?/-]|%[0-9a-fA-F]{2}){1,12}(:[a-z0-9]{0,6})?");
    let host = prop_oneof![
        "[a-zA-Z][a-zA-Z0-9-]{0,8}(\\.[a-z]{2,5}){0,2}",
        any::<std::net::Ipv4Addr>().prop_map(|address| address.to_string()),
        any::<std::net::Ipv6Addr>().prop_map(|address| format!("[{address}]")),
    ];
    let tail = "(:[1-9][0-9]{0,3})?(;[a-z]{1,6}(=[a-zA-Z0-9:&+%-]{1,8})?){0,3}(\\?[a-z]{1,5}=[a-z0-9%]{0,8})?";
    ("sips?", user, host, tail).prop_map(|(scheme, user, host, tail)| {
        let user = user.map(|user| user + "@").unwrap_or_default();
        format!("{scheme}:{user}{host}{tail}")
    })
}

proptest! {
    #[test]
    fn a_sip_uri_prints_as_it_was_written(text in sip_uri()) {
        prop_assert_eq!(sip(&text).to_string(), text);
    }

    #[test]
    fn a_canonical_address_is_its_own_canonical_form(text in sip_uri()) {
        let aor: Aor = text.parse().expect("sip URIs name users");
        prop_assert_eq!(aor.as_str().parse(), Ok(aor.clone()));
        prop_assert!(aor.domain().is_some());
    }

    #[test]
    fn any_text_is_a_uri_or_none(text in "(sip:|tel:|im:|)\\PC{0,30}") {
        if let Ok(uri) = text.parse::<Uri>() {
            let printed = uri.to_string();
            prop_assert_eq!(printed.parse(), Ok(uri.clone()));
            let _ = (Aor::from_uri(&uri), uri.as_sip().map(SipUri::telephone));
        }
        let _ = percent_decoded(&text);
    }
}
