//! How long messages live and what of them is kept afterwards (requirements §3.2).

use std::time::Duration;

use crate::config::Retention;
use crate::model::{Class, State, UnixMillis};

/// When a message expires that was received at `received_at`: as its sender asked, else by the
/// default, never beyond the cap, and never before it was accepted.
pub(crate) fn expires_at(
    asked: Option<Duration>,
    received_at: UnixMillis,
    retention: &Retention,
) -> UnixMillis {
    let lifetime = asked.unwrap_or(retention.default).min(retention.max);
    received_at.after(lifetime.max(Duration::from_millis(1)))
}

/// The same of a message of this class: notifications have a default of their own (IMD-07).
pub(crate) fn expires_at_of(
    class: Class,
    asked: Option<Duration>,
    received_at: UnixMillis,
    retention: &Retention,
) -> UnixMillis {
    let own = (class == Class::Imdn).then_some(retention.imdn);
    expires_at(asked.or(own), received_at, retention)
}

/// How long the content of a message stays that was settled now; `None` removes it at once.
/// Dead letters keep theirs until they would have expired.
pub(crate) fn content_until(
    state: State,
    settled_at: UnixMillis,
    expires_at: UnixMillis,
    retention: &Retention,
) -> Option<UnixMillis> {
    let until = match state {
        State::Delivered => settled_at.after(retention.delivered),
        State::Refused => expires_at,
        _ => return None,
    };
    (until > settled_at).then_some(until)
}

/// How long the rest of a settled message stays.
pub(crate) fn timeline_until(settled_at: UnixMillis, retention: &Retention) -> UnixMillis {
    settled_at.after(retention.timeline)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn lifetimes_are_capped_and_have_a_default() {
        let retention = Retention {
            default: Duration::from_secs(3_600),
            max: Duration::from_secs(7_200),
            ..Retention::default()
        };
        let at = |asked: Option<u64>| {
            expires_at(asked.map(Duration::from_millis), UnixMillis(1), &retention)
        };
        assert_eq!(at(None), UnixMillis(1 + HOUR));
        assert_eq!(at(Some(500)), UnixMillis(501));
        assert_eq!(at(Some(u64::MAX)), UnixMillis(1 + 2 * HOUR));
        assert_eq!(at(Some(0)), UnixMillis(2));
    }

    #[test]
    fn imd_07_notifications_have_a_lifetime_of_their_own() {
        let retention = Retention {
            imdn: Duration::from_secs(3_600),
            ..Retention::default()
        };
        let at = |class, asked| expires_at_of(class, asked, UnixMillis(1), &retention);
        assert_eq!(at(Class::Imdn, None), UnixMillis(1 + HOUR));
        let half = Duration::from_millis(500);
        assert_eq!(at(Class::Imdn, Some(half)), UnixMillis(501));
        assert_eq!(at(Class::Pager, None), UnixMillis(1 + 7 * 24 * HOUR));
    }

    #[test]
    fn only_delivered_and_refused_messages_keep_their_content() {
        let retention = Retention::default();
        let until = |state| content_until(state, UnixMillis(10), UnixMillis(50), &retention);
        assert_eq!(until(State::Delivered), Some(UnixMillis(10 + 24 * HOUR)));
        assert_eq!(until(State::Refused), Some(UnixMillis(50)));
        for state in [State::Expired, State::Deleted, State::Recalled] {
            assert_eq!(until(state), None);
        }
    }

    #[test]
    fn no_retention_removes_delivered_content_at_once() {
        let retention = Retention {
            delivered: Duration::ZERO,
            ..Retention::default()
        };
        let until = content_until(State::Delivered, UnixMillis(10), UnixMillis(50), &retention);
        assert_eq!(until, None);
    }
}
