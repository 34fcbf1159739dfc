//! How long a message may wait (PFM-07, requirements §3.2). The store caps what is decided here.

use std::time::{Duration, SystemTime};

use sip::Request;

use crate::refuse::Refusal;

/// A Date further ahead than this counts as absent: its sender's clock is wrong.
const TOLERATED_LEAD: Duration = Duration::from_secs(600);

/// The message had no lifetime left when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ExpiredOnArrival;

/// How much of the lifetime that its sender gave a MESSAGE is left; `None` if he does not say. The store counts it from
/// the acceptance, so that clocks that differ do no harm.
///
/// # Errors
/// It had no lifetime left when it arrived, or `Expires` is malformed.
pub fn of_message(request: &Request, now: SystemTime) -> Result<Option<Duration>, Refusal> {
    let seconds = request.headers().expires()?;
    let expires = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let date = request.headers().date().and_then(|date| {
        let since_epoch = Duration::from_secs(u64::try_from(date.unix_seconds()).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since_epoch)
    });
    left(date, expires, now).map_err(|_| Refusal::TemporarilyUnavailable)
}

/// What is left of `Expires` after its own `Date`, else after the receipt; `None` without `Expires`, since a MESSAGE never expires by itself (RFC 3428 §7).
fn left(
    date: Option<SystemTime>,
    expires: Option<Duration>,
    now: SystemTime,
) -> Result<Option<Duration>, ExpiredOnArrival> {
    let Some(lifetime) = expires else {
        return Ok(None);
    };
    let sent_at = date
        .filter(|date| *date <= now + TOLERATED_LEAD)
        .unwrap_or(now);
    let left = match now.duration_since(sent_at) {
        Ok(passed) => lifetime.saturating_sub(passed),
        Err(ahead) if !lifetime.is_zero() => lifetime.saturating_add(ahead.duration()),
        Err(_) => Duration::ZERO,
    };
    match left.is_zero() {
        true => Err(ExpiredOnArrival),
        false => Ok(Some(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(seconds: u64) -> SystemTime {
        now() + Duration::from_secs(seconds)
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
    }

    fn before(seconds: u64) -> SystemTime {
        now() - Duration::from_secs(seconds)
    }

    #[test]
    fn lifetimes_follow_the_table_of_the_requirements() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let table = [
            (None, None, Ok(None)),
            (Some(now()), None, Ok(None)),
            (None, seconds(60), Ok(seconds(60))),
            (Some(now()), seconds(2), Ok(seconds(2))),
            (Some(before(30)), seconds(60), Ok(seconds(30))),
            (Some(before(300)), seconds(60), Err(ExpiredOnArrival)),
            (Some(before(60)), seconds(60), Err(ExpiredOnArrival)),
            (Some(after(60)), seconds(60), Ok(seconds(120))),
            (Some(after(3_600)), seconds(60), Ok(seconds(60))),
            (None, seconds(0), Err(ExpiredOnArrival)),
            (Some(after(60)), seconds(0), Err(ExpiredOnArrival)),
            (
                None,
                seconds(u64::from(u32::MAX)),
                Ok(seconds(u64::from(u32::MAX))),
            ),
        ];
        for (date, expires, expected) in table {
            assert_eq!(left(date, expires, now()), expected, "{date:?} {expires:?}");
        }
    }
}
