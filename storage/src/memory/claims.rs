//! Claims of the model (requirements §3.13).

use std::collections::BTreeSet;
use std::time::Duration;

use super::model::{ClaimRecord, MessageRecord, Model, settle};
use crate::config::{DeliveryScope, StoreConfig};
use crate::model::{
    Binding, ClaimGrant, ClaimRequest, ClaimToken, Claimant, Device, EventKind, Generation,
    KnownDevice, MailboxId, MessageNumber, ReleaseOutcome, Released, Sequence, Settled, Settlement,
    State, TakeLimit, Taken, UnixMillis,
};
use crate::rule::device::{self, Consequence};
use crate::rule::report::refused;
use crate::store::StoreError;
use crate::timekeeper::Times;
use crate::value::is_inline;

impl Model {
    /// The account that a mailbox belongs to: itself, or the one it is a member of.
    pub(super) fn owner(&self, mailbox: MailboxId) -> MailboxId {
        let account = self.accounts.get(&mailbox);
        account.and_then(|a| a.member_of).unwrap_or(mailbox)
    }

    pub(super) fn claim(
        &mut self,
        request: &ClaimRequest,
        times: Times,
    ) -> Result<ClaimGrant, StoreError> {
        let Some(account) = self.accounts.get(&request.mailbox) else {
            return Err(StoreError::NotFound);
        };
        let earlier = account.claim.as_ref().filter(|claim| !claim.released);
        if earlier.is_some_and(|claim| claim.lease_until > times.steady) {
            return Ok(ClaimGrant::Busy);
        }
        let has_lapsed = earlier.is_some();
        let token = ClaimToken {
            mailbox: request.mailbox,
            generation: Generation(account.generation.0 + 1),
        };
        if !self.can_deliver(token, Sequence::default(), times.wall) {
            return Ok(ClaimGrant::Empty);
        }
        if has_lapsed {
            self.record_failed_attempt(request.mailbox, "the lease ran out", times.wall);
        }
        let account = self.account_mut(request.mailbox);
        account.generation = token.generation;
        account.claim = Some(ClaimRecord {
            edge: request.edge.clone(),
            claimed_at: times.wall,
            lease_until: times.steady.after(request.lease),
            released: false,
            taken: BTreeSet::new(),
            looked_until: Sequence::default(),
        });
        Ok(ClaimGrant::Granted(token))
    }

    /// Who holds the account of a mailbox under a claim whose lease lives.
    pub(super) fn claimant(&self, mailbox: MailboxId, times: Times) -> Option<Claimant> {
        let mailbox = self.owner(mailbox);
        let account = self.accounts.get(&mailbox)?;
        let claim = account.claim.as_ref()?;
        let is_live = !claim.released && claim.lease_until > times.steady;
        is_live.then(|| Claimant {
            claim: ClaimToken {
                mailbox,
                generation: account.generation,
            },
            edge: claim.edge.clone(),
        })
    }

    /// The claim that the token names, unless a newer one has superseded it.
    fn current(&mut self, token: ClaimToken) -> Option<&mut ClaimRecord> {
        let account = self.accounts.get_mut(&token.mailbox)?;
        let is_current = account.generation == token.generation;
        account.claim.as_mut().filter(|_| is_current)
    }

    pub(super) fn renew(&mut self, token: ClaimToken, lease: Duration, times: Times) -> bool {
        match self.current(token) {
            Some(claim) if !claim.released => {
                claim.lease_until = times.steady.after(lease);
                true
            }
            _ => false,
        }
    }

    fn deliverable_after(
        &self,
        token: ClaimToken,
        after: Sequence,
        now: UnixMillis,
    ) -> impl Iterator<Item = (MessageNumber, &MessageRecord)> {
        self.messages_of(token.mailbox)
            .filter(move |(_, message)| {
                message.is_deliverable()
                    && message.envelope.sequence > after
                    && message.envelope.expires_at > now
                    && message.earliest_generation <= token.generation
            })
            .map(|(number, message)| (*number, message))
    }

    /// Whether a claim can deliver something after this place, where each device shall have it to one that is
    /// registered.
    fn can_deliver(&self, token: ClaimToken, after: Sequence, now: UnixMillis) -> bool {
        let account = self.accounts.get(&token.mailbox);
        let bindings = account.map_or(&[][..], |account| &account.bindings);
        let live = device::live(bindings, now);
        let mut deliverable = self.deliverable_after(token, after, now);
        deliverable.any(|(_, message)| {
            if self.config.scope == DeliveryScope::First {
                return message.waits();
            }
            let is_done = |device: &Device| device::is_done(&message.devices, device);
            live.iter().any(|device| !is_done(device))
                || device::done(&message.devices).next().is_none()
        })
    }

    pub(super) fn take(
        &mut self,
        token: ClaimToken,
        device: Option<&Device>,
        (after, limit): (Sequence, TakeLimit),
        times: Times,
    ) -> Vec<Taken> {
        if self.current(token).is_none_or(|claim| claim.released) {
            return Vec::new();
        }
        let mut numbers = Vec::new();
        let mut octets = 0;
        for (number, message) in self.deliverable_after(token, after, times.wall) {
            let may_go = match device {
                Some(device) => !device::is_done(&message.devices, device),
                None => message.waits(),
            };
            if !may_go {
                continue;
            }
            let message_octets = message.inline_octets();
            let is_full = numbers.len() >= limit.messages
                || message_octets > limit.octets.saturating_sub(octets);
            if is_full && !numbers.is_empty() {
                break;
            }
            octets = octets.saturating_add(message_octets);
            numbers.push(number);
        }
        let last = Sequence(self.next_number.saturating_sub(1));
        if let Some(claim) = self.current(token) {
            claim.taken.extend(&numbers);
            if device.is_some() && numbers.is_empty() {
                claim.looked_until = last;
            }
        }
        numbers
            .into_iter()
            .filter_map(|number| self.taken(number, times))
            .collect()
    }

    fn taken(&self, number: MessageNumber, times: Times) -> Option<Taken> {
        let mut message = self.message(number, times).ok()?;
        message.state = State::Claimed;
        let mut parts = self.messages.get(&number)?.parts.clone()?;
        parts.retain(|part| is_inline((part.kind, part.octets.len() as u64)));
        Some(Taken { message, parts })
    }

    pub(super) fn acknowledge(
        &mut self,
        token: ClaimToken,
        device: Option<&Device>,
        number: MessageNumber,
        settlement: Settlement,
        times: Times,
    ) -> Settled {
        let mailboxes = self.mailboxes_of(token.mailbox);
        let message = self.messages.get(&number);
        let Some(message) = message.filter(|m| mailboxes.contains(&m.envelope.mailbox)) else {
            return Settled::Unknown(number);
        };
        let is_open = match device {
            Some(device) => {
                let may_come = message.waits() || message.is_deliverable();
                may_come && !device::is_done(&message.devices, device)
            }
            None => message.waits(),
        };
        let is_early = message.earliest_generation > token.generation;
        let Some(claim) = self.current(token) else {
            return Settled::Superseded;
        };
        if is_early {
            return Settled::Superseded;
        }
        let was_taken = claim.taken.remove(&number);
        let is_final = !matches!(settlement, Settlement::Failed { .. });
        let counts = is_open || (was_taken && is_final);
        if !counts {
            return Settled::AlreadySettled;
        }
        if matches!(settlement, Settlement::Delivered { .. }) {
            self.retract_report(number, times);
        }
        self.settle_attempt(token, device, (number, settlement), times);
        Settled::Settled
    }

    fn settle_attempt(
        &mut self,
        token: ClaimToken,
        device: Option<&Device>,
        (number, settlement): (MessageNumber, Settlement),
        times: Times,
    ) {
        let now = times.wall;
        let account = self.account_mut(token.mailbox);
        let registrations = account.registrations;
        let known = (account.devices.clone(), account.bindings.clone());
        let claim = account.claim.as_ref();
        let (edge, claimed_at) =
            claim.map_or((String::new(), now), |c| (c.edge.clone(), c.claimed_at));
        let generation = Some(token.generation);
        let given = settlement.clone();
        let mut ended = EventKind::Claimed;
        self.change(number, |message, config| {
            message.attempts += 1;
            let taken_at = claimed_at.max(message.envelope.received_at);
            message.record(taken_at, EventKind::Claimed, generation, &edge, "");
            if let Some(device) = device {
                let word = device::Word {
                    device,
                    settlement: &settlement,
                    registrations,
                    at: now,
                };
                let kind = settle_at(message, config, &word, (&known.0, &known.1));
                let detail = device::detail(settlement.said(), device);
                message.record(now, kind, generation, &edge, &detail);
                ended = kind;
                return;
            }
            let (kind, detail) = match settlement {
                Settlement::Delivered { by } => {
                    settle(message, config, State::Delivered, now, "");
                    (EventKind::Delivered, by)
                }
                Settlement::Refused { reason } => {
                    settle(message, config, State::Refused, now, &reason);
                    (EventKind::Refused, reason)
                }
                Settlement::Failed { reason, refusal } => {
                    message.reason.clone_from(&reason);
                    if refusal && message.refused_on != Some(registrations) {
                        message.refused_on = Some(registrations);
                        message.refusals += 1;
                    }
                    if refusal && message.refusals >= config.max_refusals {
                        settle(message, config, State::Refused, now, &reason);
                        (EventKind::Refused, reason)
                    } else {
                        (EventKind::AttemptFailed, reason)
                    }
                }
            };
            message.record(now, kind, generation, &edge, &detail);
            ended = kind;
        });
        if let Some(status) = refused(&given, ended) {
            self.report(number, status, times);
        }
    }

    pub(super) fn release(
        &mut self,
        token: ClaimToken,
        last_seen: Sequence,
        outcome: ReleaseOutcome,
        times: Times,
    ) -> Released {
        let Some(claim) = self.current(token).filter(|claim| !claim.released) else {
            return Released::Superseded;
        };
        let last_seen = last_seen.max(claim.looked_until);
        let has_failed = !outcome.reason.is_empty();
        if !has_failed && self.can_deliver(token, last_seen, times.wall) {
            return Released::LookAgain;
        }
        if has_failed {
            self.record_failed_attempt(token.mailbox, &outcome.reason, times.wall);
        }
        if let Some(claim) = self.current(token) {
            claim.released = true;
            claim.taken.clear();
        }
        Released::Released
    }

    /// Notes on each message that waits that a delivery as a whole has failed.
    fn record_failed_attempt(&mut self, mailbox: MailboxId, reason: &str, now: UnixMillis) {
        let account = self.account_mut(mailbox);
        let generation: Generation = account.generation;
        let edge = account.claim.as_ref().map(|claim| claim.edge.clone());
        let edge = edge.unwrap_or_default();
        let mailboxes = self.mailboxes_of(mailbox);
        for message in self.messages.values_mut() {
            let is_left =
                mailboxes.contains(&message.envelope.mailbox) && message.state == State::Stored;
            if is_left {
                message.record(
                    now,
                    EventKind::AttemptFailed,
                    Some(generation),
                    &edge,
                    reason,
                );
            }
        }
    }
}

/// What a word of one device does to a message; what the timeline calls it.
fn settle_at(
    message: &mut MessageRecord,
    config: &StoreConfig,
    word: &device::Word<'_>,
    (known, bindings): (&[KnownDevice], &[Binding]),
) -> EventKind {
    let devices = device::told(&message.devices, word, config.max_refusals);
    let is_missing = device::is_missing(&devices, (known, bindings), config.scope, word.at);
    let said = word.settlement.said();
    let consequence = device::consequence(&devices, word.device, message.state, is_missing);
    match consequence {
        Consequence::Delivered { is_missing } => delivered(message, config, is_missing, word.at),
        Consequence::Refused => settle(message, config, State::Refused, word.at, said),
        Consequence::None => said.clone_into(&mut message.reason),
    }
    message.devices = devices;
    device::event(consequence, word.settlement)
}

/// While others are missing the content stays until it would have expired.
fn delivered(message: &mut MessageRecord, config: &StoreConfig, is_missing: bool, now: UnixMillis) {
    let had = (message.state, message.settled_at, message.parts.clone());
    settle(message, config, State::Delivered, now, "");
    if had.0 == State::Delivered {
        message.settled_at = had.1;
    }
    let expires_at = message.envelope.expires_at;
    if is_missing && had.2.is_some() && expires_at > now {
        message.due_at = match message.parts.is_some() {
            true => message.due_at.max(expires_at),
            false => expires_at,
        };
        message.parts = had.2;
    }
}
