//! URIs, paths and ids.

use proptest::prelude::*;
use rand::RngCore;

use super::{path, rng};
use crate::{ByteRange, MsrpUri, Path, SessionId, TransactionId, UriError};

fn uri(text: &str) -> MsrpUri {
    text.parse().expect("a URI of the tests")
}

#[test]
fn uris_print_as_they_were_read() {
    for text in [
        "msrp://192.0.2.20:2855/8rVq3LxT0mZc7YwKp5NbGd;tcp",
        "msrps://alice@relay.example.org/a+b=c/d;tcp;x=y",
        "msrp://[2001:db8::1]:2855/x;tcp",
        "msrp://relay.example.org;tcp",
    ] {
        assert_eq!(uri(text).to_string(), text);
    }
}

#[test]
fn equality_follows_the_standard() {
    let known = uri("msrp://Host.example.org:2855/AbC;tcp");
    assert_eq!(known, uri("msrp://eve@host.example.org:2855/AbC;TCP;x=1"));
    for different in [
        "msrps://host.example.org:2855/AbC;tcp",
        "msrp://host.example.org/AbC;tcp",
        "msrp://host.example.org:2856/AbC;tcp",
        "msrp://host.example.org:2855/abc;tcp",
        "msrp://host.example.org:2855;tcp",
        "msrp://host.example.org:2855/AbC;sctp",
    ] {
        assert_ne!(known, uri(different), "{different}");
    }
    assert_eq!(
        uri("msrp://[2001:db8::1]:1/x;tcp"),
        uri("msrp://[2001:DB8:0::1]:1/x;tcp")
    );
}

#[test]
fn malformed_uris_say_what_is_wrong() {
    for (text, expected) in [
        ("http://a/b;tcp", UriError::Scheme),
        ("msrp:a/b;tcp", UriError::Scheme),
        ("msrp:///b;tcp", UriError::Host),
        ("msrp://a b/c;tcp", UriError::Host),
        ("msrp://[::1/c;tcp", UriError::Host),
        ("msrp://a:0/c;tcp", UriError::Port),
        ("msrp://a:70000/c;tcp", UriError::Port),
        ("msrp://a:1/;tcp", UriError::SessionId),
        ("msrp://a:1/c", UriError::Transport),
        ("msrp://a:1/c;", UriError::Transport),
    ] {
        assert_eq!(text.parse::<MsrpUri>(), Err(expected), "{text}");
    }
    assert_eq!("  ".parse::<Path>(), Err(UriError::EmptyPath));
}

#[test]
fn paths_keep_the_order_of_their_hops() {
    let text = "msrp://relay.example.org:2855/r1;tcp msrp://203.0.113.9:49200/b0bS3ss;tcp";
    let path = path(text);
    assert_eq!(path.to_string(), text);
    assert!(path.has_relays());
    assert_eq!(path.first().host(), "relay.example.org");
    assert_eq!(path.last().session_id().unwrap().as_str(), "b0bS3ss");
}

#[test]
fn our_ids_have_their_length_and_differ() {
    let mut rng = rng();
    let ids: std::collections::HashSet<_> =
        (0..1000).map(|_| SessionId::generate(&mut rng)).collect();
    assert_eq!(ids.len(), 1000);
    assert!(ids.iter().all(|id| id.as_str().len() == 22));
    let transaction = TransactionId::generate(&mut rng);
    assert_eq!(transaction.as_str().len(), 16);
    assert_eq!(transaction.as_str().parse(), Ok(transaction.clone()));
}

#[test]
fn a_session_id_hides_itself_in_debug_output() {
    let id: SessionId = "8rVq3LxT0mZc7YwKp5NbGd".parse().unwrap();
    assert_eq!(format!("{id:?}"), "SessionId(8rVq…)");
}

#[test]
fn byte_ranges_follow_the_grammar() {
    for text in ["1-0/0", "1-*/3745", "2049-3000/3000", "1-*/*", "1-5/*"] {
        assert_eq!(text.parse::<ByteRange>().unwrap().to_string(), text);
    }
    for text in [
        "0-5/5", "5-3/9", "*-5/5", "1-5", "1/5", "-5/5", "1-5/x", "+1-5/5", "1 -5/5",
    ] {
        assert!(text.parse::<ByteRange>().is_err(), "{text}");
    }
    let huge: ByteRange = "1-99999999999999999999999/99999999999999999999999"
        .parse()
        .unwrap();
    assert_eq!((huge.end, huge.total), (Some(u64::MAX), Some(u64::MAX)));
}

proptest! {
    #[test]
    fn session_ids_are_equal_exactly_if_their_text_is(a in "[a-z]{1,3}", b in "[a-z]{1,3}") {
        let same = a.parse::<SessionId>().unwrap() == b.parse::<SessionId>().unwrap();
        prop_assert_eq!(same, a == b);
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}") {
        let _ = text.parse::<Path>();
        let _ = text.parse::<ByteRange>();
        let _ = format!("msrp://{text}").parse::<MsrpUri>();
    }
}

#[test]
fn generators_take_any_secure_source() {
    // The ids must come from the generator that is given, not from one of their own.
    let (mut a, mut b) = (rng(), rng());
    assert_eq!(SessionId::generate(&mut a), SessionId::generate(&mut b));
    assert_eq!(a.next_u64(), b.next_u64());
}
