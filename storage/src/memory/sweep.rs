//! The end of lifetimes and retentions in the model (requirements §3.2).

use super::model::{MessageRecord, Model, settle};
use crate::config::StoreConfig;
use crate::model::{EventKind, MessageNumber, ReportStatus, State, UnixMillis};
use crate::rule::order::held_until;
use crate::rule::{retention, subscription};
use crate::store::Swept;
use crate::timekeeper::Times;

impl Model {
    pub(super) fn sweep(&mut self, now: UnixMillis, limit: usize, times: Times) -> Swept {
        let now = now.min(times.wall);
        self.duplicates.retain(|_, first| first.until > now);
        for account in self.accounts.values_mut() {
            account.subscriptions = subscription::kept(&account.subscriptions, now);
        }
        self.sweep_jobs(now, times);
        let due = self.messages.iter().filter(|(_, m)| m.due_at <= now);
        let mut due: Vec<_> = due
            .map(|(number, m)| (m.due_at, m.envelope.mailbox, *number))
            .collect();
        due.sort_unstable();
        let mut swept = Swept {
            more: due.len() > limit,
            uploads_forgotten: self.sweep_uploads(times),
            ..Swept::default()
        };
        for (_, _, number) in due.into_iter().take(limit) {
            self.sweep_one(number, times, &mut swept);
        }
        swept
    }

    fn sweep_one(&mut self, number: MessageNumber, times: Times, swept: &mut Swept) {
        let Some(message) = self.messages.get(&number) else {
            return;
        };
        let expires_at = message.envelope.expires_at;
        if held_until(message.state, message.due_at, expires_at).is_some() {
            swept.unheld.push(number);
            self.change(number, |message, _| {
                message.state = State::Stored;
                message.due_at = expires_at;
                message.record(times.wall, EventKind::Unheld, None, "", "");
            });
        } else if message.waits() {
            swept.expired.push(number);
            self.change(number, |message, config| {
                settle(message, config, State::Expired, times.wall, "");
                message.record(times.wall, EventKind::Expired, None, "", "");
            });
            self.report(number, ReportStatus::Failed, times);
        } else if message.parts.is_some() {
            swept.contents_removed += 1;
            self.change(number, |message, config| {
                message.parts = None;
                message.due_at = timeline_due(message, config, times);
                message.record(times.wall, EventKind::ContentRemoved, None, "", "");
            });
        } else {
            self.messages.remove(&number);
        }
    }
}

/// When the rest of a settled message without content goes.
pub(super) fn timeline_due(
    message: &MessageRecord,
    config: &StoreConfig,
    times: Times,
) -> UnixMillis {
    let settled_at = message.settled_at.unwrap_or(times.wall);
    retention::timeline_until(settled_at, &config.retention).max(times.wall)
}
