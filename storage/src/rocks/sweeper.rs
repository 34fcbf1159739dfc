//! Finding what is due: a scan of the index by time, from the cursor, bounded (C-28).

use std::sync::Arc;

use super::committer::Job;
use super::fan_out;
use super::operation::sweep::{Barrier, SweepSlice, TrimBindings};
use super::queue::Queues;
use super::shared::Shared;
use super::submit::submit;
use crate::column_family::Family;
use crate::key::{self, Due};
use crate::model::UnixMillis;
use crate::store::{StoreError, Swept};
use crate::value::{self, Counters};

/// Due things of one operation: the committer takes a few of these per group.
const SLICE: usize = 64;

/// Ends what is due by `now`, at most `limit` things. Never ahead of the clock of the store, whose
/// time does not go backwards: what is written later is due later than the cursor.
pub(super) async fn sweep(
    shared: &Arc<Shared>,
    queues: &Queues<Job>,
    now: UnixMillis,
    limit: usize,
) -> Result<Swept, StoreError> {
    let now = now.min(shared.times.read().wall);
    // What was decided before `now` may become due before it, and be on its way to the disk: the cursor must not pass it.
    submit(shared, queues, Barrier).await?;
    let scanning = Arc::clone(shared);
    let due = tokio::task::spawn_blocking(move || scanning.due(now, limit.saturating_add(1)));
    let mut due = due.await.map_err(|_| StoreError::Closed)??;
    let mut swept = Swept {
        more: due.len() > limit,
        ..Swept::default()
    };
    due.truncate(limit);
    let nothing = swept.clone();
    match sweep_all(shared, queues, (&due, now, limit), &mut swept).await {
        Err(error) if swept == nothing => Err(error),
        // Nobody else tells what is done: messages that may be offered again would wait for another reason to be.
        Err(error) => {
            tracing::warn!(event = "sweep.interrupted", %error, "a sweep failed on its way");
            swept.more = true;
            Ok(swept)
        }
        Ok(()) => Ok(swept),
    }
}

/// Ends these things, and notes what is on disk.
async fn sweep_all(
    shared: &Arc<Shared>,
    queues: &Queues<Job>,
    (due, now, limit): (&[Due], UnixMillis, usize),
    swept: &mut Swept,
) -> Result<(), StoreError> {
    for slice in due.chunks(SLICE) {
        let (done, closing) = submit(shared, queues, SweepSlice(slice.to_vec())).await?;
        swept.unheld.extend(done.unheld);
        swept.expired.extend(done.expired);
        swept.contents_removed += done.contents_removed;
        for number in closing {
            fan_out::close_legs(shared, queues, number).await?;
        }
    }
    for slice in shared.directory.ended(now, limit).chunks(SLICE) {
        let trim = TrimBindings {
            mailboxes: slice.to_vec(),
            now,
        };
        submit(shared, queues, trim).await?;
    }
    Ok(())
}

impl Shared {
    fn due(&self, now: UnixMillis, limit: usize) -> Result<Vec<Due>, StoreError> {
        let counters = self.database.read(Family::Meta, &key::COUNTERS)?;
        let counters: Counters = match counters {
            Some(counters) => value::decode(&counters)?,
            None => return Err(StoreError::Corrupt { what: "meta rows" }),
        };
        let lower = counters.swept_until.0.to_be_bytes();
        let upper = now.0.saturating_add(1).to_be_bytes();
        if lower >= upper {
            return Ok(Vec::new());
        }
        let mut scan = self.database.scan(Family::Due, &lower, Some(&upper));
        let mut due = Vec::new();
        while due.len() < limit {
            let Some(next) = scan.step(|key, _| Due::decode(key))? else {
                break;
            };
            due.push(next);
        }
        Ok(due)
    }
}
