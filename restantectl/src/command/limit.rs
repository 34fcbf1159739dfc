//! How much of a list is shown, and where it can go on.

use std::str::FromStr;

use serde::Serialize;
use thiserror::Error;

use crate::exit::complain;
use crate::output::text::escape;

/// Items asked for at a time: the first are shown soon, and a reply stays small.
const PAGE: u32 = 200;

/// How many items to show.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(Option<u64>);

/// Why a text is no [`Limit`].
#[derive(Clone, Copy, Debug, Error)]
#[error("write a whole number from 1, or `all`")]
pub(crate) struct InvalidLimit;

impl FromStr for Limit {
    type Err = InvalidLimit;

    fn from_str(text: &str) -> Result<Self, InvalidLimit> {
        match text {
            "all" => Ok(Self(None)),
            text => {
                let count = text
                    .parse()
                    .ok()
                    .filter(|count| *count > 0)
                    .ok_or(InvalidLimit)?;
                Ok(Self(Some(count)))
            }
        }
    }
}

impl Limit {
    /// How many to ask for after `shown`; zero at the end.
    pub(super) fn next_page(self, shown: usize) -> u32 {
        let shown = u64::try_from(shown).unwrap_or(u64::MAX);
        let left = self.0.map_or(u64::MAX, |limit| limit.saturating_sub(shown));
        u32::try_from(left).map_or(PAGE, |left| left.min(PAGE))
    }
}

/// The end of the JSON document of a list.
#[derive(Debug, Serialize)]
pub(super) struct ListEnd {
    next_page_token: Option<String>,
}

impl ListEnd {
    /// The end of a list that can go on at `token`.
    pub(super) fn at(token: Option<String>) -> Self {
        Self {
            next_page_token: token,
        }
    }
}

/// Tells people where a list can go on.
pub(super) fn tell_rest(token: &str) {
    let token = escape(token);
    complain(&format_args!(
        "there may be more: go on with --page-token {token}"
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_exactly_at_the_limit() {
        let limit: Limit = "450".parse().unwrap();
        assert_eq!(
            [0, 200, 400, 450].map(|shown| limit.next_page(shown)),
            [200, 200, 50, 0]
        );
        assert_eq!("all".parse::<Limit>().unwrap().next_page(usize::MAX), PAGE);
    }

    #[test]
    fn no_limit_is_said_with_a_word() {
        for text in ["0", "-1", "", "ALLE", "1.5"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }
}
