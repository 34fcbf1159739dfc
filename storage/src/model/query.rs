//! What can be asked about stored messages.

use super::{Address, Class, MailboxId, Sequence, State, StoredMessage, UnixMillis};

/// Which messages to list. Empty filters match all. Order: of the mailbox if one is named, else of
/// the Message-ID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only this served user's messages; an address or alias.
    pub served_user: Option<Address>,
    /// Only from this sender.
    pub sender: Option<Address>,
    /// Only copies that came through this group, by its canonical address.
    pub group: Option<Address>,
    /// Only in these states; empty means all.
    pub states: Vec<State>,
    /// Only of this class.
    pub class: Option<Class>,
    /// Only with this `imdn.Message-ID`.
    pub imdn_message_id: Option<String>,
    /// Only with this `Conversation-ID` (requirements §4.12).
    pub conversation_id: Option<String>,
    /// Only with this `Contribution-ID` (requirements §4.12).
    pub contribution_id: Option<String>,
    /// Only accepted at or after this instant.
    pub received_from: Option<UnixMillis>,
    /// Only accepted before this instant.
    pub received_until: Option<UnixMillis>,
    /// Only of served users of this domain, in any case of letters.
    pub domain: Option<String>,
    /// Only with a body of at least so many octets.
    pub min_octets: Option<u64>,
    /// Only with a body of at most so many octets.
    pub max_octets: Option<u64>,
    /// Only with this text in the reason of the state, in any case of letters.
    pub error: Option<String>,
    /// Only after so many attempts or more.
    pub min_attempts: u32,
    /// Hits wanted, 1 to 1,000.
    pub page_size: usize,
    /// Where the last page ended.
    pub page_token: Option<PageToken>,
}

impl ListQuery {
    /// Whether a message passes all filters but the one by served user.
    pub(crate) fn matches(&self, message: &StoredMessage) -> bool {
        let envelope = &message.envelope;
        let headers = &envelope.headers;
        let is_in = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        let is_from = |sender: &Address| envelope.sender.as_ref() == Some(sender);
        let came_through = |group: &Address| envelope.group.as_ref() == Some(group);
        self.sender.as_ref().is_none_or(is_from)
            && self.group.as_ref().is_none_or(came_through)
            && (self.states.is_empty() || self.states.contains(&message.state))
            && self.class.is_none_or(|class| class == envelope.class)
            && is_in(&self.imdn_message_id, &headers.imdn_message_id)
            && is_in(&self.conversation_id, &headers.conversation_id)
            && is_in(&self.contribution_id, &headers.contribution_id)
            && self
                .received_from
                .is_none_or(|from| envelope.received_at >= from)
            && self
                .received_until
                .is_none_or(|until| envelope.received_at < until)
            && self.matches_delivery(message)
    }

    fn matches_delivery(&self, message: &StoredMessage) -> bool {
        let envelope = &message.envelope;
        let octets = envelope.body_octets;
        let is_of = |domain: &String| {
            let served = envelope.served_user.as_str().rsplit_once('@');
            served.is_some_and(|(_, served)| served.eq_ignore_ascii_case(domain))
        };
        let has_failed_so = |error: &String| {
            let reason = message.reason.to_ascii_lowercase();
            reason.contains(&error.to_ascii_lowercase())
        };
        self.domain.as_ref().is_none_or(is_of)
            && self.min_octets.is_none_or(|least| octets >= least)
            && self.max_octets.is_none_or(|most| octets <= most)
            && self.error.as_ref().is_none_or(has_failed_so)
            && message.attempts >= self.min_attempts
    }
}

/// Where a page ended: the last key looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageToken(pub u64);

/// One page. At most 50,000 messages are looked at for it, so it may be short of hits and still
/// have a successor.
#[derive(Clone, Debug, Default)]
pub struct ListPage {
    /// The hits.
    pub messages: Vec<StoredMessage>,
    /// Present if there is more to look at.
    pub next: Option<PageToken>,
}

/// New and old messages of one kind (RFC 3842 §5.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCount {
    /// Stored, claimed or held.
    pub new: u64,
    /// Delivered and retained.
    pub old: u64,
    /// Urgent ones among `new`.
    pub new_urgent: u64,
    /// Urgent ones among `old`.
    pub old_urgent: u64,
}

/// What a waiting indication of a mailbox is made of (MWI-03).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitingQuestion {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// Messages after this place are news.
    pub after: Sequence,
    /// Messages wanted.
    pub messages: usize,
}

/// What waits in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its counters.
    pub summary: MailboxSummary,
    /// The newest undelivered messages, notifications left out, the newest first.
    pub newest: Vec<StoredMessage>,
}

/// The exact counters of a mailbox (MWI-09).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxSummary {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// `Text-Message`.
    pub text: MessageCount,
    /// `Multimedia-Message`.
    pub multimedia: MessageCount,
    /// Undelivered notifications: never counted as waiting (PFM-10).
    pub imdn: u64,
    /// Octets of content of undelivered messages.
    pub octets: u64,
    /// Grows with every change.
    pub version: u64,
    /// The last sequence given out.
    pub last_sequence: Sequence,
}
