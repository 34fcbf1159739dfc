//! What the keys of the waiting indication mean together.

use std::time::Duration;

use edge::config::Rule;

use super::{Config, MessageWaitingConfig};

/// A header that a message is named by (MWI-03).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SummaryHeader {
    To,
    From,
    Date,
    Subject,
    Priority,
    MessageId,
    AssertedIdentity,
}

impl SummaryHeader {
    const ALL: [Self; 7] = [
        Self::To,
        Self::From,
        Self::Date,
        Self::Subject,
        Self::Priority,
        Self::MessageId,
        Self::AssertedIdentity,
    ];

    /// Its name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::To => "To",
            Self::From => "From",
            Self::Date => "Date",
            Self::Subject => "Subject",
            Self::Priority => "Priority",
            Self::MessageId => "Message-ID",
            Self::AssertedIdentity => "P-Asserted-Identity",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|header| header.as_str().eq_ignore_ascii_case(name.trim()))
    }
}

impl MessageWaitingConfig {
    /// The headers of a block, in their order; the Message-ID always among them (MWI-04).
    pub(crate) fn summary_headers(&self) -> Vec<SummaryHeader> {
        let named = self.headers.iter();
        let mut headers: Vec<_> = named
            .filter_map(|name| SummaryHeader::named(name))
            .collect();
        if !headers.contains(&SummaryHeader::MessageId) {
            headers.push(SummaryHeader::MessageId);
        }
        headers
    }

    /// Subscriptions this edge holds.
    pub(crate) fn capacity(&self) -> usize {
        usize::try_from(self.subscriptions).unwrap_or(usize::MAX)
    }
}

impl Config {
    pub(super) fn notifying(&self) -> [Rule; 5] {
        let mwi = &self.mwi;
        let is_known = |name: &String| SummaryHeader::named(name).is_some();
        [
            (
                mwi.headers.iter().all(is_known),
                "mwi.headers",
                "must be some of To, From, Date, Subject, Priority, Message-ID, P-Asserted-Identity",
            ),
            (
                mwi.min_expires >= Duration::from_secs(1) && mwi.min_expires <= mwi.max_expires,
                "mwi.min_expires",
                "must be at least 1s and not longer than mwi.max_expires",
            ),
            (
                mwi.default_expires >= mwi.min_expires && mwi.default_expires <= mwi.max_expires,
                "mwi.default_expires",
                "must lie between mwi.min_expires and mwi.max_expires",
            ),
            (
                mwi.subscriptions > 0,
                "mwi.subscriptions",
                "must be at least 1",
            ),
            (mwi.rate > 0, "mwi.rate", "must be at least 1"),
        ]
    }
}
