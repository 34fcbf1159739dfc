//! Keys whose value is one of a few words.

/// Declares an enumeration whose variants are written as words in the configuration; gives it
/// `Display`, `FromStr` and [`Value`](crate::config::Value).
///
/// ```
/// # use restante_daemon as daemon;
/// daemon::choice! {
///     /// What happens when a mailbox is full.
///     pub enum WhenFull {
///         /// The new message is refused.
///         RejectNew = "reject-new",
///         /// The oldest message makes room.
///         DropOldest = "drop-oldest",
///     }
/// }
/// assert_eq!("drop-oldest".parse(), Ok(WhenFull::DropOldest));
/// assert_eq!(WhenFull::RejectNew.to_string(), "reject-new");
/// ```
#[macro_export]
macro_rules! choice {
    (
        $(#[doc = $doc:expr])*
        $visibility:vis enum $name:ident {
            $($(#[doc = $variant_doc:expr])* $variant:ident = $word:literal),+ $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visibility enum $name {
            $($(#[doc = $variant_doc])* $variant),+
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ::std::string::String;

            fn from_str(word: &str) -> ::std::result::Result<Self, Self::Err> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(::std::format!("expected {}", <Self as $crate::config::Value>::expected())),
                }
            }
        }

        impl $crate::config::Value for $name {
            fn expected() -> ::std::string::String {
                let words = [$(::std::concat!("`", $word, "`")),+];
                ::std::format!("one of {}", words.join(", "))
            }

            fn read(
                node: &$crate::config::Node,
            ) -> ::std::result::Result<Self, $crate::config::Rejection> {
                let value = node.text().and_then(|text| text.parse().ok());
                value.ok_or_else(|| $crate::config::Rejection::of::<Self>(node))
            }
        }
    };
}
