//! How folders of backups are called: by the time at which they began, and why. So they sort by time, for people.

use chrono::{DateTime, NaiveDateTime};
use storage::model::UnixMillis;

use super::Kind;

const TIME: &str = "%Y%m%dT%H%M%S%.3fZ";

/// The name of a backup.
pub(super) fn of(kind: Kind, began_at: UnixMillis) -> String {
    let millis = i64::try_from(began_at.0).unwrap_or(i64::MAX);
    let time = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    format!("{}-{}", time.format(TIME), kind.word())
}

/// Whether a backup may have been given this name here.
pub(super) fn is_ours(name: &str) -> bool {
    let read = || {
        let (time, kind) = name.rsplit_once('-')?;
        let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
        let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
        let millis = u64::try_from(time.and_utc().timestamp_millis()).ok()?;
        Some((kind, UnixMillis(millis)))
    };
    read().is_some_and(|(kind, began_at)| of(kind, began_at) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_again_and_others_are_not() {
        for kind in Kind::ALL {
            assert!(is_ours(&of(kind, UnixMillis(1_763_740_800_123))));
        }
        for other in [
            "x",
            "before-the-backup",
            "20251121T160000.123Z-backup.old",
            "20251121T160000Z-backup",
            "2025-11-21-checkpoint",
            "",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
