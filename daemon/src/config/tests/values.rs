//! Each type takes what it says and nothing else.

use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;

use super::super::file::parse_value;
use super::super::node::{Node, Raw};
use super::super::{Octets, Place, TextValue, Value};

fn from_file<T: Value>(text: &str) -> Option<T> {
    T::read(&parse_value(text).expect("TOML")).ok()
}

fn from_environment<T: Value>(text: &str) -> Option<T> {
    T::read(&Node::new(
        Place::Defaults,
        Raw::Environment(text.to_owned()),
    ))
    .ok()
}

#[test]
fn durations_need_a_unit() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (text, expected) in [
        ("500ms", Some(Duration::from_millis(500))),
        ("0s", Some(Duration::ZERO)),
        ("30s", seconds(30)),
        ("10 m", seconds(600)),
        ("1h30m", seconds(5400)),
        ("7d", seconds(7 * 86_400)),
        ("", None),
        ("5", None),
        ("0", None),
        ("s", None),
        ("-1s", None),
        ("1.5s", None),
        ("1w", None),
        ("99999999999999999999d", None),
        ("18446744073709551615d", None),
    ] {
        assert_eq!(from_environment::<Duration>(text), expected, "{text}");
    }
    assert_eq!(from_file::<Duration>("5"), None);
}

#[test]
fn sizes_have_binary_units() {
    for (text, expected) in [
        ("512B", Some(512)),
        ("64KiB", Some(65_536)),
        ("10MiB", Some(10 * 1024 * 1024)),
        ("1 GiB", Some(1 << 30)),
        ("2TiB", Some(2 << 40)),
        ("64", None),
        ("64KB", None),
        ("64kib", None),
        ("99999999TiB", None),
    ] {
        assert_eq!(
            from_environment::<Octets>(text).map(Octets::get),
            expected,
            "{text}"
        );
    }
    assert_eq!(Octets(u64::MAX).as_usize(), usize::MAX);
}

#[test]
fn numbers_keep_to_their_range() {
    assert_eq!(from_file::<u8>("255"), Some(255));
    assert_eq!(from_file::<u8>("256"), None);
    assert_eq!(from_file::<u16>("0x10"), Some(16));
    assert_eq!(from_file::<i32>("-7"), Some(-7));
    assert_eq!(from_file::<u64>("1_000"), Some(1000));
    assert_eq!(from_file::<u64>("\"1000\""), None);
    assert_eq!(from_environment::<u64>("1_000"), Some(1000));
    assert_eq!(from_file::<NonZeroU16>("0"), None);
    assert_eq!(from_file::<NonZeroU16>("1"), NonZeroU16::new(1));
    assert_eq!(from_file::<f64>("2"), Some(2.0));
    assert_eq!(from_environment::<f64>("0.5"), Some(0.5));
    assert_eq!(from_environment::<f64>("inf"), None);
}

#[test]
fn off_is_the_absent_value() {
    assert_eq!(from_file::<Option<u16>>("\"off\""), Some(None));
    assert_eq!(from_environment::<Option<u16>>("off"), Some(None));
    assert_eq!(from_environment::<Option<u16>>("4"), Some(Some(4)));
    assert_eq!(from_environment::<Option<u16>>("on"), None);
}

#[test]
fn texts_are_not_made_of_other_types() {
    assert_eq!(from_file::<String>("5"), None);
    assert_eq!(from_file::<bool>("\"true\""), None);
    assert_eq!(from_file::<PathBuf>("\"\""), None);
    assert_eq!(from_file::<Vec<String>>("\"a\""), None);
}

#[derive(Debug, PartialEq)]
struct Even(u32);

impl std::str::FromStr for Even {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number: u32 = text.parse().map_err(|error| format!("{error}"))?;
        if number.is_multiple_of(2) {
            Ok(Self(number))
        } else {
            Err("this one is odd".to_owned())
        }
    }
}

impl TextValue for Even {
    const EXPECTED: &'static str = "an even number";
}

#[test]
fn own_types_say_why_they_refuse() {
    assert_eq!(from_file::<Even>("\"4\""), Some(Even(4)));
    let rejection = Even::read(&parse_value("\"3\"").expect("TOML")).expect_err("odd");
    let sentences: Vec<_> = rejection
        .parts
        .into_iter()
        .map(|(_, sentence)| sentence)
        .collect();
    assert_eq!(
        sentences,
        ["expected an even number, found `3`: this one is odd"]
    );
}

proptest! {
    #[test]
    fn durations_of_any_length_are_read_back(milliseconds in 0..u64::MAX) {
        let text = format!("{milliseconds}ms");
        let expected = Some(Duration::from_millis(milliseconds));
        prop_assert_eq!(from_environment::<Duration>(&text), expected);
    }

    #[test]
    fn quantities_never_panic(text in "[0-9smhdKMiB ]{0,30}") {
        from_environment::<Duration>(&text);
        from_environment::<Octets>(&text);
    }
}
