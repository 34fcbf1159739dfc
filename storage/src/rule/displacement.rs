//! Which messages make way for a new one where a full mailbox drops its oldest (requirements §3.6).

use crate::config::Quota;
use crate::model::{Class, Envelope, MailboxId, MessageNumber, Priority};
use crate::rule::deposit::{Ask, Usage};

/// Why a message was dropped, in its state.
pub(crate) const REASON: &str = "mailbox full: dropped for a newer message";

/// Messages of a kind that may be dropped for one, and of any kind for its octets.
pub(crate) const CANDIDATES: usize = 64;

/// What must go before a message fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    /// Messages of the same kind: notifications, or others.
    pub(crate) messages: u64,
    /// Octets, of whatever kind.
    pub(crate) octets: u64,
}

/// What a message that does not fit lacks; `None` if no mailbox is large enough for it.
pub(crate) fn lack(usage: Usage, ask: Ask, quota: &Quota) -> Option<Lack> {
    let (messages, most) = match ask.class {
        Class::Imdn => (usage.imdn, quota.imdn),
        Class::Pager | Class::Large => (usage.messages, quota.messages),
    };
    let octets = usage.octets.saturating_add(ask.octets);
    (most > 0 && ask.octets <= quota.octets).then(|| Lack {
        messages: (messages + 1).saturating_sub(most),
        octets: octets.saturating_sub(quota.octets),
    })
}

/// A message that waits in the mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) mailbox: MailboxId,
    pub(crate) number: MessageNumber,
    pub(crate) class: Class,
    pub(crate) is_urgent: bool,
    pub(crate) octets: u64,
}

impl Candidate {
    /// As its envelope says.
    pub(crate) fn of(envelope: &Envelope, octets: u64) -> Self {
        Self {
            mailbox: envelope.mailbox,
            number: envelope.id.number,
            class: envelope.class,
            is_urgent: is_urgent(envelope),
            octets,
        }
    }
}

/// What may make way in one mailbox for a new message of this class that is urgent, or not, from the oldest on.
#[derive(Debug)]
pub(crate) struct Candidates {
    new: (Class, bool),
    ordinary: Vec<Candidate>,
    urgent: Vec<Candidate>,
}

impl Candidates {
    /// None yet.
    pub(crate) fn new(new: (Class, bool)) -> Self {
        Self {
            new,
            ordinary: Vec::new(),
            urgent: Vec::new(),
        }
    }

    /// The next one. False if later ones would not go.
    pub(crate) fn add(&mut self, candidate: Candidate) -> bool {
        let (class, is_urgent_too) = self.new;
        let is_alike = |known: &Candidate| is_notification(known.class) == is_notification(class);
        let alike = |known: &[Candidate]| known.iter().filter(|known| is_alike(known)).count();
        let known = match candidate.is_urgent {
            true => &mut self.urgent,
            false => &mut self.ordinary,
        };
        let has_place =
            known.len() < CANDIDATES || (is_alike(&candidate) && alike(known) < CANDIDATES);
        if has_place && (is_urgent_too || !candidate.is_urgent) {
            known.push(candidate);
        }
        alike(&self.ordinary) < CANDIDATES
    }

    /// All of them.
    pub(crate) fn into_vec(self) -> Vec<Candidate> {
        let mut all = self.ordinary;
        all.extend(self.urgent);
        all
    }
}

/// Whether a message is dropped after all others, and for another such one only.
pub(crate) fn is_urgent(envelope: &Envelope) -> bool {
    matches!(envelope.priority, Priority::Urgent | Priority::Emergency)
}

/// Notifications and other messages make way for their like.
fn is_notification(class: Class) -> bool {
    class == Class::Imdn
}

/// The messages that make way, if that is enough: the oldest, urgent ones after all others.
pub(crate) fn displaced(
    mut candidates: Vec<Candidate>,
    lack: Lack,
    (class, is_urgent_too): (Class, bool),
) -> Option<Vec<Candidate>> {
    candidates.retain(|candidate| is_urgent_too || !candidate.is_urgent);
    candidates.sort_by_key(|candidate| (candidate.is_urgent, candidate.number));
    let Lack {
        mut messages,
        mut octets,
    } = lack;
    let mut displaced = Vec::new();
    for candidate in candidates {
        if messages == 0 && octets == 0 {
            break;
        }
        let is_alike = is_notification(candidate.class) == is_notification(class);
        if octets > 0 || is_alike {
            messages = messages.saturating_sub(u64::from(is_alike));
            octets = octets.saturating_sub(candidate.octets);
            displaced.push(candidate);
        }
    }
    (messages == 0 && octets == 0).then_some(displaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(number: u64, class: Class, is_urgent: bool) -> Candidate {
        Candidate {
            mailbox: MailboxId(1),
            number: MessageNumber(number),
            class,
            is_urgent,
            octets: 10,
        }
    }

    fn numbers(lack: Lack, class: Class, is_urgent: bool) -> Option<Vec<u64>> {
        let candidates = vec![
            candidate(5, Class::Pager, false),
            candidate(1, Class::Pager, true),
            candidate(2, Class::Imdn, false),
            candidate(3, Class::Large, false),
        ];
        let displaced = displaced(candidates, lack, (class, is_urgent))?;
        Some(displaced.iter().map(|found| found.number.0).collect())
    }

    #[test]
    fn the_oldest_of_its_kind_goes_and_urgent_ones_last() {
        let one = Lack {
            messages: 1,
            octets: 0,
        };
        assert_eq!(numbers(one, Class::Pager, false), Some(vec![3]));
        assert_eq!(numbers(one, Class::Imdn, false), Some(vec![2]));
        let three = Lack {
            messages: 3,
            octets: 0,
        };
        assert_eq!(numbers(three, Class::Pager, false), None);
        assert_eq!(numbers(three, Class::Pager, true), Some(vec![3, 5, 1]));
    }

    #[test]
    fn octets_are_made_by_any_kind() {
        let lack = |octets| Lack {
            messages: 0,
            octets,
        };
        assert_eq!(numbers(lack(11), Class::Pager, false), Some(vec![2, 3]));
        assert_eq!(numbers(lack(30), Class::Imdn, false), Some(vec![2, 3, 5]));
        assert_eq!(numbers(lack(31), Class::Pager, false), None);
        assert_eq!(numbers(lack(0), Class::Pager, false), Some(Vec::new()));
    }

    #[test]
    fn what_no_mailbox_holds_displaces_nothing() {
        let quota = Quota {
            messages: 2,
            octets: 100,
            imdn: 0,
        };
        let usage = Usage {
            messages: 2,
            imdn: 0,
            octets: 60,
        };
        let ask = |class, octets| Ask {
            class,
            octets,
            file_transfer: false,
        };
        let expected = Lack {
            messages: 1,
            octets: 10,
        };
        assert_eq!(lack(usage, ask(Class::Pager, 50), &quota), Some(expected));
        assert_eq!(lack(usage, ask(Class::Pager, 101), &quota), None);
        assert_eq!(lack(usage, ask(Class::Imdn, 1), &quota), None);
    }
}
