//! What a list of suspensions becomes.

use crate::model::{SUSPENSIONS_MAX, Suspended, Suspension, UnixMillis};
use crate::store::StoreError;

/// Those that have not ended.
pub(crate) fn live(all: &[Suspension], now: UnixMillis) -> Vec<Suspension> {
    let live = all.iter().filter(|suspension| suspension.until > now);
    live.cloned().collect()
}

/// With one more, in the order of targets.
pub(crate) fn with(
    all: &[Suspension],
    new: &Suspension,
    now: UnixMillis,
) -> Result<Vec<Suspension>, StoreError> {
    let (mut left, _) = without(all, &new.target, now);
    if left.len() >= SUSPENSIONS_MAX {
        let reason = format!("there are {SUSPENSIONS_MAX} suspensions already");
        return Err(StoreError::Precondition { reason });
    }
    let place = left.partition_point(|suspension| suspension.target < new.target);
    left.insert(place, new.clone());
    Ok(left)
}

/// Without that of a target, and that one if it has not ended.
pub(crate) fn without(
    all: &[Suspension],
    target: &Suspended,
    now: UnixMillis,
) -> (Vec<Suspension>, Option<Suspension>) {
    let mut left = live(all, now);
    let place = left
        .iter()
        .position(|suspension| suspension.target == *target);
    let ended = place.map(|place| left.remove(place));
    (left, ended)
}
