//! How long a message may wait (PFM-07, requirements §3.2). The store caps what is decided here.

use std::time::{Duration, SystemTime};

use sip::Request;

use crate::refuse::Refusal;

/// A Date further ahead than this counts as absent: its sender's clock is wrong.
const TOLERATED_LEAD: Duration = Duration::from_secs(600);

/// The message had no lifetime left when it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ExpiredOnArrival;

/// When the sender of a MESSAGE wants it to end; `None` if he does not say.
///
/// # Errors
/// It had no lifetime left when it arrived, or `Expires` is malformed.
pub fn of_message(request: &Request, now: SystemTime) -> Result<Option<SystemTime>, Refusal> {
    let seconds = request.headers().expires()?;
    let expires = seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let date = request.headers().date().and_then(|date| {
        let since_epoch = Duration::from_secs(u64::try_from(date.unix_seconds()).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since_epoch)
    });
    expires_at(date, expires, now).map_err(|_| Refusal::TemporarilyUnavailable)
}

/// `Expires` after its own `Date`, else after the
/// receipt; `None` without `Expires`, since a MESSAGE never expires by itself (RFC 3428 §7).
fn expires_at(
    date: Option<SystemTime>,
    expires: Option<Duration>,
    now: SystemTime,
) -> Result<Option<SystemTime>, ExpiredOnArrival> {
    let Some(lifetime) = expires else {
        return Ok(None);
    };
    let sent_at = date
        .filter(|date| *date <= now + TOLERATED_LEAD)
        .unwrap_or(now);
    match sent_at.checked_add(lifetime) {
        Some(end) if end > now && !lifetime.is_zero() => Ok(Some(end)),
        Some(_) => Err(ExpiredOnArrival),
        None => Ok(None),
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
            (None, seconds(60), Ok(Some(after(60)))),
            (Some(now()), seconds(2), Ok(Some(after(2)))),
            (Some(before(30)), seconds(60), Ok(Some(after(30)))),
            (Some(before(300)), seconds(60), Err(ExpiredOnArrival)),
            (Some(before(60)), seconds(60), Err(ExpiredOnArrival)),
            (Some(after(60)), seconds(60), Ok(Some(after(120)))),
            (Some(after(3_600)), seconds(60), Ok(Some(after(60)))),
            (None, seconds(0), Err(ExpiredOnArrival)),
            (Some(after(60)), seconds(0), Err(ExpiredOnArrival)),
            (
                None,
                seconds(u64::from(u32::MAX)),
                Ok(Some(after(u64::from(u32::MAX)))),
            ),
        ];
        for (date, expires, expected) in table {
            assert_eq!(
                expires_at(date, expires, now()),
                expected,
                "{date:?} {expires:?}"
            );
        }
    }
}
