//! Subscription-State (RFC 6665 §8.2.3).

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::Params;
use crate::header::BadValue;
use crate::text::{parse_number, split_top_level, trim};

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// `timeout`: it was not refreshed, or was ended by the subscriber.
    Timeout,
    /// `deactivated`: the notifier stops; subscribe again, elsewhere.
    Deactivated,
    /// `noresource`: what was subscribed to is gone.
    NoResource,
}

impl EndReason {
    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Deactivated => "deactivated",
            Self::NoResource => "noresource",
        }
    }
}

/// The state a NOTIFY tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionState {
    /// It goes on, for so long without a refresh.
    Active(Duration),
    /// It is over.
    Terminated(EndReason),
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active(left) => write!(f, "active;expires={}", whole_seconds(*left)),
            // Somebody else is there in a moment (requirements §3.12).
            Self::Terminated(EndReason::Deactivated) => {
                f.write_str("terminated;reason=deactivated;retry-after=1")
            }
            Self::Terminated(reason) => write!(f, "terminated;reason={}", reason.as_str()),
        }
    }
}

/// Rounded up: a state that is told is never over already.
fn whole_seconds(left: Duration) -> u64 {
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

impl FromStr for SubscriptionState {
    type Err = BadValue;

    /// `pending` reads as active; a reason that is not known as [`EndReason::Timeout`], after which a
    /// subscriber may try again (RFC 6665 §4.1.3).
    fn from_str(value: &str) -> Result<Self, BadValue> {
        let (state, params) = split_top_level(value, b';');
        let params = params.map(Params::parse).transpose()?.unwrap_or_default();
        let state = trim(state);
        if state.eq_ignore_ascii_case("active") || state.eq_ignore_ascii_case("pending") {
            let seconds = params.get("expires").flatten().map(parse_number::<u32>);
            let seconds = seconds.unwrap_or(Some(0)).ok_or(BadValue::Number)?;
            return Ok(Self::Active(Duration::from_secs(seconds.into())));
        }
        if !state.eq_ignore_ascii_case("terminated") {
            return Err(BadValue::Syntax);
        }
        let known = [
            EndReason::Timeout,
            EndReason::Deactivated,
            EndReason::NoResource,
        ];
        let reason = params.get("reason").flatten().unwrap_or_default();
        let reason = known
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(reason));
        Ok(Self::Terminated(reason.unwrap_or(EndReason::Timeout)))
    }
}
