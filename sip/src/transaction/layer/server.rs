//! Server side of the layer: requests in, responses out.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use bytes::Bytes;

use crate::message::{Request, Response, ResponseBuilder};
use crate::{Method, StatusCode};

use super::{Event, Layer, ServerId, TransactionId, Transmit};
use crate::transaction::arena::Arena;
use crate::transaction::key::{DialogKey, Key, MergeKey};
use crate::transaction::step::{Context, Effect, Effects, ServerEvent, Step};
use crate::transaction::timer::Timer;
use crate::transaction::{invite_server, non_invite_server};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    Invite(invite_server::State),
    NonInvite(non_invite_server::State),
}

impl Machine {
    fn step(self, event: ServerEvent, context: &Context) -> Step<Machine> {
        match self {
            Machine::Invite(state) => wrap(state.step(event, context), Machine::Invite),
            Machine::NonInvite(state) => wrap(state.step(event, context), Machine::NonInvite),
        }
    }

    fn is_terminated(self) -> bool {
        matches!(
            self,
            Machine::Invite(invite_server::State::Terminated)
                | Machine::NonInvite(non_invite_server::State::Terminated)
        )
    }

    /// An INVITE that a CANCEL still has an effect on (RFC 3261 §9.2).
    fn is_cancellable(self) -> bool {
        matches!(
            self,
            Machine::Invite(invite_server::State::Proceeding { .. })
        )
    }

    fn is_accepted(self) -> bool {
        matches!(self, Machine::Invite(invite_server::State::Accepted { .. }))
    }
}

fn wrap<S>(step: Step<S>, machine: impl FnOnce(S) -> Machine) -> Step<Machine> {
    Step {
        state: machine(step.state),
        effects: step.effects,
        ignored: step.ignored,
    }
}

#[derive(Debug)]
struct Entry<P> {
    machine: Machine,
    key: Key,
    merge: Option<MergeKey>,
    /// Where the ACK of a 2xx finds this transaction.
    answer: Option<DialogKey>,
    peer: P,
    reliable: bool,
    /// Until the final response; it is what a 100 is made from.
    request: Option<Box<Request>>,
    /// The response given last, as retransmitted.
    response: Option<Bytes>,
}

#[derive(Debug)]
pub(super) struct Servers<P> {
    entries: Arena<Entry<P>>,
    by_key: HashMap<Key, ServerId>,
    by_merge: HashMap<MergeKey, ServerId>,
    by_answer: HashMap<DialogKey, ServerId>,
    /// Makes To tags nobody can guess for the responses the layer gives itself.
    tags: RandomState,
}

impl<P> Servers<P> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: Arena::new(capacity),
            by_key: HashMap::new(),
            by_merge: HashMap::new(),
            by_answer: HashMap::new(),
            tags: RandomState::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn contains(&self, id: ServerId) -> bool {
        self.entries.contains(id.0)
    }

    /// Forgets a transaction; false if it was gone already.
    pub(super) fn remove(&mut self, id: ServerId) -> bool {
        let Some(entry) = self.entries.remove(id.0) else {
            return false;
        };
        self.by_key.remove(&entry.key);
        if let Some(merge) = entry.merge {
            self.forget_merge(&merge, id);
        }
        if let Some(answer) = entry.answer {
            self.forget_answer(&answer, id);
        }
        true
    }

    fn forget_merge(&mut self, merge: &MergeKey, id: ServerId) {
        if self.by_merge.get(merge) == Some(&id) {
            self.by_merge.remove(merge);
        }
    }

    /// Merged INVITEs may have been answered alike: the ACK belongs to the one answered last.
    fn forget_answer(&mut self, answer: &DialogKey, id: ServerId) {
        if self.by_answer.get(answer) == Some(&id) {
            self.by_answer.remove(answer);
        }
    }

    fn insert(&mut self, entry: Entry<P>) -> Option<ServerId> {
        let (key, merge) = (entry.key.clone(), entry.merge.clone());
        let id = ServerId(self.entries.insert(entry).ok()?);
        self.by_key.insert(key, id);
        if let Some(merge) = merge {
            self.by_merge.entry(merge).or_insert(id);
        }
        Some(id)
    }

    /// RFC 3261 §9.2: the tag of the INVITE's responses, as far as one was given.
    fn own_tag(&self, key: &Key) -> String {
        format!("{:016x}", self.tags.hash_one(key))
    }
}

impl<P: Clone> Layer<P> {
    /// Takes a request from the network. One whose top Via or Call-ID cannot be read belongs to no transaction and is
    /// dropped: [`Request::check`] refuses it before.
    pub fn handle_request(&mut self, now: Instant, request: Request, peer: P, reliable: bool) {
        let Some(key) = Key::of_request(&request) else {
            return;
        };
        match (request.method(), self.servers.by_key.get(&key).copied()) {
            (Method::Ack, found) => self.acknowledge(now, found, request, peer),
            (_, Some(id)) => self.server_event(now, id, ServerEvent::Request),
            (Method::Cancel, None) => self.cancelled(key, request, peer, reliable),
            (_, None) => self.opened(now, key, request, peer, reliable),
        }
    }

    /// Gives a response of the transaction user: any number of 1xx, then one final. A second final response is
    /// discarded (RFC 3261 §17.2.2), except that a 2xx to an INVITE goes out each time (RFC 6026 §7.1).
    pub fn respond(&mut self, now: Instant, id: ServerId, response: &Response) {
        let status = response.status();
        let event = match status {
            status if status.is_provisional() => ServerEvent::Provisional,
            status if status.is_success() => ServerEvent::Success,
            _ => ServerEvent::Failure,
        };
        let Some(entry) = self.servers.entries.get(id.0) else {
            return;
        };
        let step = entry
            .machine
            .step(event, &self.context(now, entry.reliable));
        if step.ignored.is_some() {
            return;
        }
        self.remember_response(id, response);
        self.server_step(id, step);
    }

    pub(super) fn server_timer(&mut self, now: Instant, id: ServerId, timer: Timer) {
        self.server_event(now, id, ServerEvent::Timer(timer));
    }

    fn opened(&mut self, now: Instant, key: Key, request: Request, peer: P, reliable: bool) {
        let merge = MergeKey::of(&request);
        let merged = merge
            .as_ref()
            .is_some_and(|merge| self.servers.by_merge.contains_key(merge));
        let entry = Entry {
            merge,
            ..new_entry(key, &request, peer.clone(), reliable)
        };
        let Some(id) = self.insert_server(entry) else {
            self.outbox
                .events
                .push_back(Event::Overflow { request, peer });
            return;
        };
        if *request.method() == Method::Invite {
            let step = invite_server::begin(&self.context(now, reliable));
            self.server_effects(id, step.effects);
        }
        self.outbox.events.push_back(match merged {
            true => Event::Merged { id, request, peer },
            false => Event::Request { id, request, peer },
        });
    }

    /// RFC 3261 §17.2.3: the ACK of a failure has the INVITE's branch and ends here; the ACK of a 2xx has a branch of
    /// its own and belongs to the dialog.
    fn acknowledge(&mut self, now: Instant, found: Option<ServerId>, request: Request, peer: P) {
        let machine = found
            .and_then(|id| self.servers.entries.get(id.0))
            .map(|entry| entry.machine);
        match (found, machine) {
            (Some(id), Some(machine)) if !machine.is_accepted() => {
                self.server_event(now, id, ServerEvent::Ack);
            }
            _ => {
                let answered = DialogKey::of(request.headers());
                let answered = answered.and_then(|key| self.servers.by_answer.get(&key).copied());
                if let Some(id) = answered.or(found) {
                    self.server_event(now, id, ServerEvent::Ack);
                }
                self.outbox.events.push_back(Event::Ack { request, peer });
            }
        }
    }

    /// RFC 3261 §9.2: the answer to the CANCEL is decided here, what it means for the INVITE is the transaction user's
    /// business.
    fn cancelled(&mut self, key: Key, request: Request, peer: P, reliable: bool) {
        let Some(invite_key) = Key::of_cancelled(&request) else {
            return;
        };
        let invite = self.servers.by_key.get(&invite_key).copied();
        let status = if invite.is_some() {
            StatusCode::OK
        } else {
            StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST
        };
        let to_tag = self.servers.own_tag(&invite_key);
        let entry = new_entry(key, &request, peer.clone(), reliable);
        let event = match self.insert_server(entry) {
            Some(id) => Event::Cancel {
                id,
                request,
                status,
                to_tag,
            },
            None => Event::Overflow { request, peer },
        };
        self.outbox.events.push_back(event);
        let invite = invite.and_then(|id| Some((id, self.servers.entries.get(id.0)?)));
        if let Some((id, entry)) = invite.filter(|(_, entry)| entry.machine.is_cancellable()) {
            let peer = entry.peer.clone();
            self.outbox.events.push_back(Event::Cancelled { id, peer });
        }
    }

    fn insert_server(&mut self, entry: Entry<P>) -> Option<ServerId> {
        if self.servers.entries.is_full() && !self.retire_completed() {
            return None;
        }
        self.servers.insert(entry)
    }

    fn remember_response(&mut self, id: ServerId, response: &Response) {
        let Some(entry) = self.servers.entries.get_mut(id.0) else {
            return;
        };
        // A copy of its own: the printer's buffer is larger, and there may be a million of these.
        entry.response = Some(Bytes::copy_from_slice(response.as_bytes()));
        if response.status().is_provisional() {
            return;
        }
        entry.request = None;
        // Answered: the same request by another way is no merged one any more (§8.2.2.2 speaks of ongoing
        // transactions); whoever keeps what it brought recognises it there. An INVITE goes on until its ACK.
        if matches!(entry.machine, Machine::NonInvite(_))
            && let Some(merge) = entry.merge.take()
        {
            self.servers.forget_merge(&merge, id);
            return;
        }
        if response.status().is_success() && matches!(entry.machine, Machine::Invite(_)) {
            let answer = DialogKey::of(response.headers());
            let before = std::mem::replace(&mut entry.answer, answer.clone());
            if let Some(before) = before {
                self.servers.forget_answer(&before, id);
            }
            if let Some(answer) = answer {
                self.servers.by_answer.insert(answer, id);
            }
        }
    }

    fn server_event(&mut self, now: Instant, id: ServerId, event: ServerEvent) {
        if let Some(entry) = self.servers.entries.get(id.0) {
            let step = entry
                .machine
                .step(event, &self.context(now, entry.reliable));
            self.server_step(id, step);
        }
    }

    fn server_step(&mut self, id: ServerId, step: Step<Machine>) {
        if let Some(entry) = self.servers.entries.get_mut(id.0) {
            entry.machine = step.state;
        }
        self.server_effects(id, step.effects);
        if step.state.is_terminated() {
            self.servers.remove(id);
        }
    }

    fn server_effects(&mut self, id: ServerId, effects: Effects) {
        for effect in effects.iter() {
            match effect {
                Effect::SendResponse => self.send_response(id),
                Effect::SendTrying => self.send_trying(id),
                Effect::Start(timer, at) => self.queue.start(timer, at, TransactionId::Server(id)),
                Effect::ReportExpired => self.report_expired(id),
                Effect::SendRequest
                | Effect::SendAck
                | Effect::Deliver
                | Effect::ReportTimeout
                | Effect::ReportUnreachable => debug_assert!(false, "an effect of client machines"),
            }
        }
    }

    fn report_expired(&mut self, id: ServerId) {
        let peer = self
            .servers
            .entries
            .get(id.0)
            .map(|entry| entry.peer.clone());
        self.outbox
            .events
            .extend(peer.map(|peer| Event::ServerExpired { id, peer }));
    }

    fn send_response(&mut self, id: ServerId) {
        let Some(entry) = self.servers.entries.get(id.0) else {
            return;
        };
        if let Some(bytes) = entry.response.clone() {
            let transmit = Transmit {
                peer: entry.peer.clone(),
                bytes,
                client: None,
            };
            self.outbox.transmits.push_back(transmit);
        }
    }

    fn send_trying(&mut self, id: ServerId) {
        let Some(entry) = self.servers.entries.get_mut(id.0) else {
            return;
        };
        let Some(request) = &entry.request else {
            return;
        };
        let trying = ResponseBuilder::reply_to(request, StatusCode::TRYING).build();
        entry.response = Some(trying.as_bytes().clone());
        self.send_response(id);
    }
}

fn new_entry<P>(key: Key, request: &Request, peer: P, reliable: bool) -> Entry<P> {
    let machine = match request.method() {
        Method::Invite => Machine::Invite(invite_server::State::Proceeding { answered: false }),
        _ => Machine::NonInvite(non_invite_server::State::Trying),
    };
    // Only an INVITE can get a 100 of ours.
    let request = (*request.method() == Method::Invite).then(|| Box::new(request.clone()));
    Entry {
        machine,
        key,
        merge: None,
        answer: None,
        peer,
        reliable,
        request,
        response: None,
    }
}
