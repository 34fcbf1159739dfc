//! Types a key may have.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU16, NonZeroU32, NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;

use super::error::Place;
use super::node::Node;

/// A type that can be read from the configuration.
///
/// For a type of your own that has a textual form implement [`TextValue`] instead; for an
/// enumeration of words use [`choice!`](crate::choice).
pub trait Value: Sized {
    /// Whether it is not to be shown.
    const SECRET: bool = false;

    /// What is expected, as it continues the sentence "expected …".
    fn expected() -> String;

    /// Reads the value.
    ///
    /// # Errors
    /// With a sentence for each part that is not as expected.
    fn read(node: &Node) -> Result<Self, Rejection>;
}

/// A type whose textual form is what is written in the file; gives it [`Value`].
pub trait TextValue: FromStr<Err: fmt::Display> {
    /// What is expected, as it continues the sentence "expected …".
    const EXPECTED: &'static str;
}

impl<T: TextValue> Value for T {
    fn expected() -> String {
        T::EXPECTED.to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        let text = node.text().ok_or_else(|| Rejection::of::<Self>(node))?;
        text.parse().map_err(|error: T::Err| {
            let sentence = format!("expected {}, found {node}: {error}", T::EXPECTED);
            Rejection::new(node.place().clone(), sentence)
        })
    }
}

/// Why a value was not taken: one sentence and place for each part of it that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    pub(super) parts: Vec<(Place, String)>,
}

impl Rejection {
    /// A rejection with its own sentence.
    pub fn new(place: Place, sentence: String) -> Self {
        Self {
            parts: vec![(place, sentence)],
        }
    }

    /// The sentence "expected …, found …" for a node that is not a `T`.
    pub fn of<T: Value>(node: &Node) -> Self {
        Self::new(
            node.place().clone(),
            format!("expected {}, found {node}", T::expected()),
        )
    }
}

impl Value for bool {
    fn expected() -> String {
        "`true` or `false`".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        node.boolean().ok_or_else(|| Rejection::of::<Self>(node))
    }
}

impl Value for f64 {
    fn expected() -> String {
        "a number".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        node.number().ok_or_else(|| Rejection::of::<Self>(node))
    }
}

impl Value for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        node.text()
            .map(str::to_owned)
            .ok_or_else(|| Rejection::of::<Self>(node))
    }
}

impl Value for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        let text = node.text().filter(|text| !text.is_empty());
        text.map(Self::from)
            .ok_or_else(|| Rejection::of::<Self>(node))
    }
}

/// Whole numbers of the standard library with their range.
macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn expected() -> String {
                format!("a whole number from {} to {}", Self::MIN, Self::MAX)
            }

            fn read(node: &Node) -> Result<Self, Rejection> {
                let number = node.integer().and_then(|number| Self::try_from(number).ok());
                number.ok_or_else(|| Rejection::of::<Self>(node))
            }
        }
    )*};
}
whole_numbers!(u8, u16, u32, u64, usize, i32, i64);

/// Whole numbers that cannot be nought, through the type `$plain` of the same width.
macro_rules! positive_numbers {
    ($($type:ty = $plain:ty),*) => {$(
        impl Value for $type {
            fn expected() -> String {
                format!("a whole number from {} to {}", Self::MIN, Self::MAX)
            }

            fn read(node: &Node) -> Result<Self, Rejection> {
                let number = node.integer().and_then(|number| <$plain>::try_from(number).ok());
                number.and_then(Self::new).ok_or_else(|| Rejection::of::<Self>(node))
            }
        }
    )*};
}
positive_numbers!(
    NonZeroU16 = u16,
    NonZeroU32 = u32,
    NonZeroU64 = u64,
    NonZeroUsize = usize
);

/// Types of other crates that are read by `FromStr`.
macro_rules! parsed {
    ($($type:ty = $expected:literal),* $(,)?) => {$(
        impl Value for $type {
            fn expected() -> String {
                $expected.to_owned()
            }

            fn read(node: &Node) -> Result<Self, Rejection> {
                let value = node.text().and_then(|text| text.parse().ok());
                value.ok_or_else(|| Rejection::of::<Self>(node))
            }
        }
    )*};
}
parsed! {
    IpAddr = "an IP address such as `127.0.0.1` or `::1`",
    SocketAddr = "an IP address and port such as `127.0.0.1:5060` or `[::1]:5060`",
    IpNet = "a network such as `10.0.0.0/8` or `2001:db8::/32`",
}

/// `"off"` is the absent value.
impl<T: Value> Value for Option<T> {
    const SECRET: bool = T::SECRET;

    fn expected() -> String {
        format!("{}, or `off`", T::expected())
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        if node.text() == Some("off") {
            return Ok(None);
        }
        T::read(node).map(Some)
    }
}

impl<T: Value> Value for Vec<T> {
    const SECRET: bool = T::SECRET;

    fn expected() -> String {
        format!("a list, each element {}", T::expected())
    }

    fn read(node: &Node) -> Result<Self, Rejection> {
        let nodes = node.list().ok_or_else(|| Rejection::of::<Self>(node))?;
        let mut values = Self::with_capacity(nodes.len());
        let mut parts = Vec::new();
        for node in &nodes {
            match T::read(node) {
                Ok(value) => values.push(value),
                Err(rejection) => parts.extend(rejection.parts),
            }
        }
        if parts.is_empty() {
            Ok(values)
        } else {
            Err(Rejection { parts })
        }
    }
}
