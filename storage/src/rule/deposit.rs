//! Whether a deposit is stored (PFM-13).

use std::time::Instant;

use crate::config::{Bounds, MailboxFull, Quota, SenderLimits};
use crate::model::{Barring, Class, Refusal};
use crate::rule::displacement::{Lack, lack};
use crate::value::SenderValue;

/// What a decision needs to know of the deposit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask {
    pub(crate) class: Class,
    pub(crate) octets: u64,
    /// It transfers a file (DEF-19).
    pub(crate) file_transfer: bool,
}

/// What a mailbox holds undelivered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) messages: u64,
    pub(crate) imdn: u64,
    pub(crate) octets: u64,
}

/// What a decision needs to know of the store.
#[derive(Clone, Debug)]
pub(crate) struct Facts<R> {
    /// The receipt of the first copy.
    pub(crate) duplicate: Option<R>,
    /// The served user has an account, or gets one by this deposit.
    pub(crate) account_known: bool,
    pub(crate) barring: Barring,
    pub(crate) usage: Usage,
    /// What the sender has stored; `None` for one who is not bounded.
    pub(crate) sender: Option<SenderValue>,
    pub(crate) disk_full: bool,
}

/// What happens to the deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision<R> {
    Duplicate(R),
    Refuse(Refusal),
    Store,
    /// Once so much has made way; refused as full if that cannot be.
    Displace(Lack),
}

/// Decides in the order of PFM-13: duplicate, unknown user, barred, mailbox full, limit of the sender, disk.
pub(crate) fn decide<R>(facts: Facts<R>, ask: Ask, bounds: &Bounds) -> Decision<R> {
    let retry_after = bounds.full_retry_after;
    let has_place = fits(facts.usage, ask, &bounds.quota);
    let drops = bounds.mailbox_full == MailboxFull::DropOldest;
    let lack = lack(facts.usage, ask, &bounds.quota).filter(|_| drops && !has_place);
    if let Some(receipt) = facts.duplicate {
        return Decision::Duplicate(receipt);
    }
    let refusal = if !facts.account_known {
        Refusal::UnknownUser
    } else if is_barred(facts.barring, ask) {
        Refusal::Barred
    } else if !has_place && lack.is_none() {
        Refusal::MailboxFull { retry_after }
    } else if !facts
        .sender
        .is_none_or(|stored| may_store(stored, ask, &bounds.sender))
    {
        Refusal::SenderLimit { retry_after }
    } else if facts.disk_full {
        Refusal::DiskFull
    } else {
        return lack.map_or(Decision::Store, Decision::Displace);
    };
    Decision::Refuse(refusal)
}

/// Whether the edge has answered 503 by now (PFM-05). Asked before the decision.
pub(crate) fn is_too_late(deadline: Instant, now: Instant) -> bool {
    now >= deadline
}

/// Notifications are never barred: they tell of the user's own messages (PFM-10).
fn is_barred(barring: Barring, ask: Ask) -> bool {
    match ask.class {
        Class::Pager => barring.pager,
        Class::Large => barring.large || (ask.file_transfer && barring.file_transfer),
        Class::Imdn => false,
    }
}

/// Notifications have a number of their own (requirements §3.6); octets are common.
pub(crate) fn fits(usage: Usage, ask: Ask, quota: &Quota) -> bool {
    let has_place = match ask.class {
        Class::Imdn => usage.imdn < quota.imdn,
        Class::Pager | Class::Large => usage.messages < quota.messages,
    };
    has_place && usage.octets.saturating_add(ask.octets) <= quota.octets
}

/// Whether a sender who has that much stored may have one message more.
fn may_store(stored: SenderValue, ask: Ask, limits: &SenderLimits) -> bool {
    let octets = stored.octets.saturating_add(ask.octets);
    limits.messages.is_none_or(|most| stored.messages < most)
        && limits.octets.is_none_or(|most| octets <= most)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RETRY: Duration = Duration::from_secs(3_600);

    fn all_wrong() -> Facts<u8> {
        Facts {
            duplicate: Some(7),
            account_known: false,
            barring: Barring {
                pager: true,
                large: true,
                file_transfer: true,
            },
            usage: Usage {
                messages: 1,
                imdn: 1,
                octets: 0,
            },
            sender: Some(SenderValue {
                messages: 1,
                octets: 0,
            }),
            disk_full: true,
        }
    }

    fn decided(facts: &Facts<u8>, class: Class) -> Decision<u8> {
        let config = crate::StoreConfig {
            quota: Quota {
                messages: 1,
                octets: 10,
                imdn: 1,
            },
            sender: SenderLimits {
                messages: Some(1),
                octets: Some(15),
            },
            full_retry_after: RETRY,
            ..crate::StoreConfig::default()
        };
        let ask = Ask {
            class,
            octets: 10,
            file_transfer: false,
        };
        decide(facts.clone(), ask, &config.bounds())
    }

    #[test]
    fn reasons_are_looked_at_in_the_order_of_pfm_13() {
        let mut facts = all_wrong();
        assert_eq!(decided(&facts, Class::Pager), Decision::Duplicate(7));
        facts.duplicate = None;
        let refused = |facts: &Facts<u8>| match decided(facts, Class::Pager) {
            Decision::Refuse(refusal) => refusal,
            other => panic!("not refused: {other:?}"),
        };
        assert_eq!(refused(&facts), Refusal::UnknownUser);
        facts.account_known = true;
        assert_eq!(refused(&facts), Refusal::Barred);
        facts.barring.pager = false;
        assert_eq!(refused(&facts), Refusal::MailboxFull { retry_after: RETRY });
        facts.usage.messages = 0;
        let limit = Refusal::SenderLimit { retry_after: RETRY };
        assert_eq!(refused(&facts), limit);
        let too_many_octets = SenderValue {
            messages: 0,
            octets: 6,
        };
        facts.sender = Some(too_many_octets);
        assert_eq!(refused(&facts), limit);
        facts.sender = None;
        assert_eq!(refused(&facts), Refusal::DiskFull);
        facts.disk_full = false;
        assert_eq!(decided(&facts, Class::Pager), Decision::Store);
    }

    #[test]
    fn classes_are_barred_and_counted_apart() {
        let mut facts = all_wrong();
        facts.duplicate = None;
        facts.account_known = true;
        facts.disk_full = false;
        facts.sender = None;
        facts.usage.imdn = 0;
        assert_eq!(decided(&facts, Class::Imdn), Decision::Store);
        assert_eq!(
            decided(&facts, Class::Large),
            Decision::Refuse(Refusal::Barred)
        );
    }

    #[test]
    fn octets_fill_a_mailbox_for_every_class() {
        let mut facts = all_wrong();
        facts.duplicate = None;
        facts.account_known = true;
        facts.disk_full = false;
        facts.sender = None;
        facts.usage = Usage {
            octets: 1,
            ..Usage::default()
        };
        assert_eq!(
            decided(&facts, Class::Imdn),
            Decision::Refuse(Refusal::MailboxFull { retry_after: RETRY })
        );
    }

    #[test]
    fn a_deadline_is_over_when_it_is_reached() {
        let now = Instant::now();
        assert!(is_too_late(now, now));
        assert!(!is_too_late(now + Duration::from_millis(1), now));
    }
}
