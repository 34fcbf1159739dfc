//! Values of single headers: what is read, what is refused, what prints.

use proptest::prelude::*;

use super::*;
use crate::{Params, Transport};

fn name_addr(text: &str) -> NameAddr {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn every_name_is_found_by_its_long_and_compact_form() {
    for name in Name::ALL {
        assert_eq!(
            Name::from_bytes(name.as_str().to_uppercase().as_bytes()),
            Some(*name)
        );
        if let Some(compact) = name.compact() {
            assert_eq!(Name::from_bytes(&[compact as u8]), Some(*name));
        }
    }
    assert_eq!(Name::from_bytes(b"X-Unknown"), None);
    assert_eq!(Name::from_bytes(b""), None);
    assert_eq!(Name::from_bytes(&[b'x'; 100]), None);
}

#[test]
fn compact_forms_are_those_of_the_registry() {
    let forms: String = Name::ALL.iter().filter_map(|name| name.compact()).collect();
    let mut sorted: Vec<_> = forms.chars().collect();
    sorted.sort_unstable();
    // RFC 3261, 3265, 3515, 3841, 3892, 4028; `y` and `n` belong to Identity headers nobody here reads.
    assert_eq!(String::from_iter(sorted), "abcdefijklmorstuvx");
}

#[test]
fn display_names_keep_commas_semicolons_and_quotes() {
    let address = name_addr(r#""Bell, A.; \"Sandy\"" <sip:a@b.example;lr>;tag=1"#);
    assert_eq!(
        address.display_name.as_deref(),
        Some(r#"Bell, A.; "Sandy""#)
    );
    assert_eq!(address.tag(), Some("1"));
    assert_eq!(
        address.to_string(),
        r#""Bell, A.; \"Sandy\"" <sip:a@b.example;lr>;tag=1"#
    );
}

#[test]
fn a_utf8_display_name_needs_no_quotes() {
    assert_eq!(
        name_addr("Jörg <sip:j@b.example>").display_name.as_deref(),
        Some("Jörg")
    );
}

#[test]
fn malformed_addresses_are_refused() {
    for text in [
        "",
        "<sip:a@b.example",
        r#""open <sip:a@b.example>"#,
        "Bell, A. <sip:a@b.example>",
        "<sip:a@b.example> trailing",
        "<sip:a@b.example>;",
        "<>",
        r#""name" sip:a@b.example"#,
        "sip:a@b.example, sip:c@d.example",
    ] {
        assert!(text.parse::<NameAddr>().is_err(), "{text}");
    }
}

#[test]
fn a_via_takes_blanks_around_every_separator() {
    let via: Via = "SIP / 2.0 / UDP first.example.com : 4000 ; branch = z9hG4bKa ;rport"
        .parse()
        .expect("valid");
    assert_eq!(
        via.to_string(),
        "SIP/2.0/UDP first.example.com:4000;branch=z9hG4bKa;rport"
    );
    assert_eq!(via.rport(), None);
}

#[test]
fn malformed_vias_are_refused() {
    for text in [
        "",
        "SIP/2.0",
        "SIP/2.0/UDP",
        "SIP/2.0/UDP ;branch=1",
        "SIP/2.0/UDP a b",
        "SIP/2.0/UDP 192.0.2.15;;",
    ] {
        assert!(text.parse::<Via>().is_err(), "{text}");
    }
}

#[test]
fn the_source_is_noted_only_where_it_says_something_new() {
    let noted = |via: &str, source: &str| {
        let mut via: Via = via.parse().expect("valid");
        via.note_source(source.parse().expect("valid"))
            .then(|| via.to_string())
    };
    assert_eq!(
        noted("SIP/2.0/UDP 192.0.2.1;branch=1", "192.0.2.1:5060"),
        None
    );
    assert_eq!(
        noted("SIP/2.0/UDP a.example;branch=1", "192.0.2.1:5060").as_deref(),
        Some("SIP/2.0/UDP a.example;branch=1;received=192.0.2.1")
    );
    assert_eq!(
        noted("SIP/2.0/UDP 10.0.0.1;rport;branch=1", "[2001:db8::1]:4000").as_deref(),
        Some("SIP/2.0/UDP 10.0.0.1;rport=4000;branch=1;received=2001:db8::1")
    );
}

#[test]
fn a_via_of_ours_asks_for_the_source_port() {
    let sent_by = "[2001:db8::1]:5062".parse().expect("valid");
    let via = Via::new(Transport::Tls, sent_by, "z9hG4bKx");
    assert_eq!(
        via.to_string(),
        "SIP/2.0/TLS [2001:db8::1]:5062;branch=z9hG4bKx;rport"
    );
}

#[test]
fn cseq_needs_a_number_of_32_bits_and_a_method() {
    assert_eq!(
        CSeq::parse("0009   INVITE").map(|cseq| cseq.to_string()),
        Ok("9 INVITE".into())
    );
    for text in [
        "",
        "1",
        "INVITE",
        "4294967296 INVITE",
        "-1 INVITE",
        "1 INV ITE",
    ] {
        assert!(CSeq::parse(text).is_err(), "{text}");
    }
}

#[test]
fn dates_are_gmt_and_round_trip() {
    let text = "Fri, 20 Nov 2026 09:14:05 GMT";
    let date: SipDate = text.parse().expect("valid");
    assert_eq!(date.unix_seconds(), 1_795_166_045);
    assert_eq!(date.to_string(), text);
    for other in [
        "Fri, 20 Nov 2026 09:14:05 EST",
        "Mon, 20 Nov 2026 09:14:05 GMT",
        "2026-11-20",
        "",
    ] {
        assert!(other.parse::<SipDate>().is_err(), "{other}");
    }
    assert_eq!(
        SipDate::from_unix_seconds(i64::MIN).to_string(),
        "Thu, 01 Jan 1970 00:00:00 GMT"
    );
    assert_eq!(
        SipDate::from_unix_seconds(i64::MAX).to_string(),
        "Fri, 31 Dec 9999 23:59:59 GMT"
    );
}

#[test]
fn a_served_user_has_a_case_and_a_state() {
    let header = ServedUserHeader::parse("<sip:bob@example.org>;sescase=TERM;regstate=unreg")
        .expect("valid");
    assert_eq!(header.session_case, Some(SessionCase::Terminating));
    assert_eq!(header.registered, Some(false));
    assert_eq!(
        header.to_string(),
        "<sip:bob@example.org>;sescase=term;regstate=unreg"
    );
}

#[test]
fn session_expires_names_its_refresher() {
    let header = SessionExpires::parse("1800 ; Refresher=UAS").expect("valid");
    assert_eq!(
        header,
        SessionExpires {
            seconds: 1800,
            refresher: Some(Refresher::Uas)
        }
    );
    assert_eq!(header.to_string(), "1800;refresher=uas");
    assert!(SessionExpires::parse("soon").is_err());
    assert!(SessionExpires::parse("90;refresher=proxy").is_err());
}

#[test]
fn media_types_compare_without_letter_case() {
    let media: MediaType = r#"Multipart/Mixed ; boundary="a;b""#.parse().expect("valid");
    assert!(media.is("multipart/mixed") && media.is_of_type("MULTIPART"));
    assert_eq!(media.params.value("Boundary"), Some("a;b"));
    assert_eq!(media.to_string(), r#"multipart/mixed;boundary="a;b""#);
    assert!("text".parse::<MediaType>().is_err());
}

#[test]
fn unknown_priorities_are_normal() {
    assert_eq!(Priority::from_token("URGENT"), Priority::Urgent);
    assert_eq!(Priority::from_token("whenever"), Priority::Normal);
    assert!(Priority::Emergency > Priority::Urgent && Priority::Normal > Priority::NonUrgent);
}

#[test]
fn an_event_is_a_package_with_parameters() {
    let event = EventHeader::parse("message-summary ; id=4").expect("valid");
    assert_eq!(
        (event.package.as_str(), event.params.value("id")),
        ("message-summary", Some("4"))
    );
    assert!(EventHeader::parse("two words").is_err());
}

#[test]
fn setting_a_parameter_quotes_what_is_no_token() {
    let mut params = Params::default();
    params.set("tag", Some("a.b"));
    params.set("+sip.instance", Some("<urn:uuid:1>"));
    params.set("TAG", Some("c"));
    assert_eq!(params.to_string(), r#";tag=c;+sip.instance="<urn:uuid:1>""#);
    params.remove("Tag");
    assert!(!params.has("tag"));
}

proptest! {
    #[test]
    fn an_address_reads_back_as_it_prints(
        name in prop::option::of("[^\\r\\n\\p{Cc}]{0,12}"),
        user in "[a-z]{1,8}",
        tag in prop::option::of("[^\\r\\n\\p{Cc}]{1,8}"),
    ) {
        let mut address = NameAddr::new(format!("sip:{user}@example.org;lr").parse().expect("valid"));
        address.display_name = name;
        if let Some(tag) = &tag {
            address.params.set("tag", Some(tag));
        }
        prop_assert_eq!(address.to_string().parse(), Ok(address));
    }

    #[test]
    fn any_text_is_a_value_or_none(text in "(SIP/2.0/UDP |\"|<sip:|1 )?[ -~]{0,30}") {
        if let Ok(address) = text.parse::<NameAddr>() {
            prop_assert_eq!(address.to_string().parse(), Ok(address));
        }
        if let Ok(via) = text.parse::<Via>() {
            prop_assert_eq!(via.to_string().parse(), Ok(via));
        }
        let _ = (CSeq::parse(&text), text.parse::<SipDate>(), text.parse::<MediaType>());
        let _ = (ServedUserHeader::parse(&text), SessionExpires::parse(&text), EventHeader::parse(&text));
    }
}
