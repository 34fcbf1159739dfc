//! Every kind of value round-trips, refuses what it did not write, keeps names in the part that a
//! key will cover, and still reads the files that the first version wrote.

mod golden;
mod grouped;
mod sealed;
mod strategies;

use std::fmt::Debug;

use proptest::prelude::*;

use super::{Encoder, StateValue, Value, WaitingValue, decode, encode};
use crate::store::StoreError;

/// Reads back what it writes; every shorter text is refused, and so are trailing octets.
fn round_trips<V: Value + Debug + PartialEq>(value: &V) {
    round_trips_since(value, 0);
}

/// As [`round_trips`], for a value whose last octets earlier versions did not write.
fn round_trips_since<V: Value + Debug + PartialEq>(value: &V, added: usize) {
    let octets = encode(value).to_vec();
    assert_eq!(decode::<V>(&octets).as_ref(), Ok(value));
    let earlier = octets.len() - added;
    for cut in (0..octets.len()).filter(|cut| *cut != earlier) {
        assert!(is_corrupt(&decode::<V>(&octets[..cut])), "cut at {cut}");
    }
    let mut longer = octets.clone();
    longer.push(0);
    assert!(is_corrupt(&decode::<V>(&longer)));
    let mut other_format = octets.clone();
    other_format[0] += 1;
    assert!(is_corrupt(&decode::<V>(&other_format)));
    let mut other_key = octets;
    other_key[4] = 1;
    assert!(is_corrupt(&decode::<V>(&other_key)));
}

fn is_corrupt<V>(answer: &Result<V, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Corrupt { .. }))
}

/// The octets of a value that no key will cover.
fn in_the_clear<V: Value>(value: &V) -> Vec<u8> {
    let mut out = Encoder::with_header(super::FORMAT, super::NO_KEY);
    value.write(&mut out);
    out.finish().parts().0.to_vec()
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn envelopes_round_trip(value in strategies::envelope()) {
        round_trips(&value);
    }

    #[test]
    fn states_round_trip(value in strategies::state()) {
        let before = StateValue {
            devices: Vec::new(),
            ..value.clone()
        };
        round_trips_since(&value, encode(&value).len() - encode(&before).len());
    }

    #[test]
    fn mailboxes_round_trip(value in strategies::mailbox()) {
        round_trips(&value);
    }

    #[test]
    fn bindings_round_trip(value in strategies::bindings()) {
        let mut before = value.clone();
        before.devices.clear();
        for binding in &mut before.bindings {
            binding.gruu.clear();
        }
        round_trips_since(&value, encode(&value).len() - encode(&before).len());
    }

    #[test]
    fn settings_round_trip(value in strategies::sayings()) {
        round_trips(&value);
    }

    #[test]
    fn subscriptions_round_trip(value in strategies::subscriptions()) {
        round_trips(&value);
    }

    #[test]
    fn small_values_round_trip(
        (claim, receipt, waiting) in strategies::delivery(),
        (address, account) in strategies::account(),
        (event, attempt) in strategies::timeline(),
        (identity, counters) in strategies::meta(),
    ) {
        round_trips(&claim);
        round_trips(&receipt);
        let before = WaitingValue {
            done: Vec::new(),
            ..waiting
        };
        round_trips_since(&waiting, encode(&waiting).len() - encode(&before).len());
        round_trips(&address);
        round_trips(&account);
        round_trips(&event);
        round_trips(&attempt);
        round_trips(&identity);
        round_trips_since(&counters, 8);
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut with_header = vec![super::FORMAT, 0, 0, 0, 0];
        with_header.extend(octets);
        if let Ok(value) = decode::<super::EnvelopeValue>(&with_header) {
            prop_assert_eq!(decode(&encode(&value)), Ok(value));
        }
        drop(decode::<super::BindingsValue>(&with_header));
        drop(decode::<super::MailboxValue>(&with_header));
        drop(decode::<super::SubscriptionsValue>(&with_header));
        drop(decode::<super::EventValue>(&with_header));
    }
}

#[test]
fn values_of_reports_round_trip() {
    round_trips(&golden::report());
    round_trips(&golden::job_report());
    round_trips_since(&golden::reported_envelope(), golden::request_octets());
    round_trips_since(&golden::reported_state(), 5);
    round_trips(&golden::suspensions());
}

#[test]
fn values_of_fan_out_round_trip() {
    round_trips_since(&golden::group(), 2 + "friends".len());
    round_trips(&golden::group_document());
    round_trips(&golden::job());
    round_trips(&golden::template());
    round_trips(&golden::roster());
    round_trips(&golden::leg());
    round_trips(&golden::large_job());
    round_trips_since(&golden::large_template(), 19);
    round_trips_since(&golden::large_leg(), 1);
}

#[test]
fn names_and_subjects_are_where_a_key_will_cover_them() {
    let envelope = in_the_clear(&golden::envelope());
    for text in ["alice", "bob", "Lunch", "192.0.2.1"] {
        assert!(!contains(&envelope, text), "{text}");
    }
    assert!(contains(&envelope, "store.example.org"), "the test can see");
    assert!(!contains(&in_the_clear(&golden::account()), "bob"));
    assert!(!contains(&in_the_clear(&golden::address()), "bob"));
    assert!(!contains(&in_the_clear(&golden::bindings()), "sip:"));
    assert!(!contains(&in_the_clear(&golden::sayings()), "urn:uuid"));
    assert!(!contains(&in_the_clear(&golden::sayings()), "as asked"));
    assert!(!contains(&in_the_clear(&golden::subscriptions()), "bob"));
    assert!(!contains(&in_the_clear(&golden::claim()), "edge"));
    assert!(!contains(&in_the_clear(&golden::event()), "operator"));
    assert!(!contains(&in_the_clear(&golden::attempt()), "480"));
    assert!(!contains(&in_the_clear(&golden::state()), "413"));
    let envelope = in_the_clear(&golden::reported_envelope());
    assert!(!contains(&envelope, "alice") && !contains(&envelope, "imdn-1"));
    assert!(!contains(&in_the_clear(&golden::report()), "example.org"));
    assert!(!contains(&in_the_clear(&golden::suspensions()), "example"));
    assert!(!contains(&in_the_clear(&golden::group()), "example.org"));
    assert!(!contains(&in_the_clear(&golden::group_document()), "group"));
    assert!(!contains(&in_the_clear(&golden::job()), "example.org"));
    assert!(!contains(&in_the_clear(&golden::job()), "as asked"));
    assert!(!contains(&in_the_clear(&golden::template()), "Lunch"));
    assert!(!contains(&in_the_clear(&golden::roster()), "bob"));
    assert!(!contains(&in_the_clear(&golden::leg()), "482"));
    let secret = golden::identity().secret;
    let identity = in_the_clear(&golden::identity());
    assert!(!identity.windows(32).any(|window| window == secret));
}
