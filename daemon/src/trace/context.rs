//! What goes from process to process, and onto the disk: W3C Trace Context, `traceparent`.

use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

/// A span in a trace that is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    pub(super) trace: NonZeroU128,
    pub(super) span: NonZeroU64,
}

/// The text is no `traceparent` of a sampled trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoContext;

impl Context {
    /// A new trace.
    pub(super) fn random() -> Self {
        Self {
            trace: NonZeroU128::new(rand::random()).unwrap_or(NonZeroU128::MIN),
            span: random_span(),
        }
    }

    /// A further span of the trace.
    pub(super) fn child(self) -> Self {
        Self {
            span: random_span(),
            ..self
        }
    }
}

fn random_span() -> NonZeroU64 {
    NonZeroU64::new(rand::random()).unwrap_or(NonZeroU64::MIN)
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-01", self.trace, self.span)
    }
}

impl FromStr for Context {
    type Err = NoContext;

    /// Of later versions what version 00 says, as they promise.
    fn from_str(text: &str) -> Result<Self, NoContext> {
        let mut fields = text.splitn(5, '-');
        let mut field = |digits| {
            let is_digit = |octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
            let field = fields.next().filter(|field| field.len() == digits);
            field
                .filter(|field| field.bytes().all(is_digit))
                .ok_or(NoContext)
        };
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        let has_more = fields.next().is_some();
        if version == "ff" || (version == "00" && has_more) {
            return Err(NoContext);
        }
        let flags = u8::from_str_radix(flags, 16).map_err(|_| NoContext)?;
        if flags & 1 == 0 {
            return Err(NoContext);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| NoContext)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NoContext)?;
        Ok(Self {
            trace: NonZeroU128::new(trace).ok_or(NoContext)?,
            span: NonZeroU64::new(span).ok_or(NoContext)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_example_of_the_recommendation_is_read_and_written() {
        let context: Context = EXAMPLE.parse().expect("one");
        assert_eq!(context.to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_none_or_not_sampled_is_refused() {
        for text in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-+af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(text.parse::<Context>(), Err(NoContext), "{text}");
        }
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        assert_eq!(later.parse::<Context>(), EXAMPLE.parse());
    }

    proptest! {
        #[test]
        fn contexts_round_trip(_seed in 0_u8..16) {
            let context = Context::random();
            prop_assert_eq!(context.to_string().parse(), Ok(context));
            let child = context.child();
            prop_assert!(child.trace == context.trace && child.span != context.span);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC*") {
            let _ = text.parse::<Context>();
        }
    }
}
