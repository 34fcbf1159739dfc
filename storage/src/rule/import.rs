//! What holds for a message that is taken over from another store, instead of what holds for a deposit.

use std::time::Duration;

use crate::config::{Bounds, Retention};
use crate::model::{
    Ahead, Class, Deposit, Event, EventKind, Import, Importer, Refusal, UnixMillis,
};
use crate::rule::deposit::{Decision, Usage};

/// What the other store has promised, and who takes it over.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) received_at: UnixMillis,
    expires_at: UnixMillis,
    ahead: Ahead,
    by: Importer,
}

impl Terms {
    /// Parts a message from its terms. Its sender has had his answer from the other store: no report is made.
    pub(crate) fn of(import: Import, by: &Importer) -> (Deposit, Self) {
        let terms = Self {
            received_at: import.received_at,
            expires_at: import.expires_at,
            ahead: import.ahead,
            by: by.clone(),
        };
        let deposit = Deposit {
            report_request: None,
            ..import.deposit
        };
        (deposit, terms)
    }

    /// As the other store says, but no longer from now than any message lives here, and not before it is stored.
    pub(crate) fn expires_at(&self, now: UnixMillis, retention: &Retention) -> UnixMillis {
        let latest = now.after(retention.max);
        let earliest = now.after(Duration::from_millis(1));
        self.expires_at.min(latest).max(earliest)
    }

    /// How long it is recognised when it comes again: as long as there is a reason to take it over, but not for
    /// ever because another store has kept it so.
    pub(crate) fn recognised_until(
        &self,
        now: UnixMillis,
        window: Duration,
        retention: &Retention,
    ) -> UnixMillis {
        let latest = now.after(retention.max.saturating_add(window));
        self.expires_at.min(latest).max(now.after(window))
    }

    /// What is stored, and what a rehearsal has come by before.
    pub(crate) fn usage(&self, class: Class, stored: Usage) -> Usage {
        let Ahead { messages, octets } = self.ahead;
        let (other, imdn) = match class {
            Class::Imdn => (0, messages),
            Class::Pager | Class::Large => (messages, 0),
        };
        Usage {
            messages: stored.messages.saturating_add(other),
            imdn: stored.imdn.saturating_add(imdn),
            octets: stored.octets.saturating_add(octets),
        }
    }

    /// What its timeline says of it.
    pub(crate) fn event(&self, now: UnixMillis) -> Event {
        Event {
            at: now,
            kind: EventKind::Imported,
            generation: None,
            actor: self.by.actor.clone(),
            detail: self.by.reason.clone(),
        }
    }
}

/// Nothing makes way for what is taken over: what is here may be newer.
pub(crate) fn without_displacement<R>(decision: Decision<R>, bounds: &Bounds) -> Decision<R> {
    match decision {
        Decision::Displace(_) => Decision::Refuse(Refusal::MailboxFull {
            retry_after: bounds.full_retry_after,
        }),
        decision => decision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

    fn terms(expires_at: UnixMillis) -> Terms {
        Terms {
            received_at: UnixMillis(1_600_000_000_000),
            expires_at,
            ahead: Ahead {
                messages: 2,
                octets: 10,
            },
            by: Importer::default(),
        }
    }

    #[test]
    fn expiry_is_kept_within_the_longest_lifetime_from_now() {
        let retention = Retention {
            max: 30 * DAY,
            ..Retention::default()
        };
        let at = |expires_at| terms(expires_at).expires_at(NOW, &retention);
        assert_eq!(at(NOW.after(DAY)), NOW.after(DAY));
        assert_eq!(at(NOW.after(90 * DAY)), NOW.after(30 * DAY));
        assert_eq!(at(UnixMillis(0)), UnixMillis(NOW.0 + 1));
    }

    #[test]
    fn it_is_recognised_until_it_expires_and_at_least_for_the_window() {
        let retention = Retention {
            max: 100 * DAY,
            ..Retention::default()
        };
        let until = |expires_at| terms(expires_at).recognised_until(NOW, DAY, &retention);
        assert_eq!(until(NOW.after(90 * DAY)), NOW.after(90 * DAY));
        assert_eq!(until(UnixMillis(u64::MAX)), NOW.after(101 * DAY));
        assert_eq!(until(NOW), NOW.after(DAY));
    }

    #[test]
    fn what_a_rehearsal_has_come_by_counts_for_its_class() {
        let stored = Usage {
            messages: 1,
            imdn: 1,
            octets: 5,
        };
        let usage = terms(NOW).usage(Class::Imdn, stored);
        assert_eq!((usage.messages, usage.imdn, usage.octets), (1, 3, 15));
        let usage = terms(NOW).usage(Class::Pager, stored);
        assert_eq!((usage.messages, usage.imdn, usage.octets), (3, 1, 15));
    }
}
