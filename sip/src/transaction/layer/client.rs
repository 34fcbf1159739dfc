//! Client side of the layer: requests out, responses in.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;

use crate::Method;
use crate::message::{Request, Response};

use super::{ClientId, Event, Layer, LayerFull, TransactionId, Transmit, derived};
use crate::transaction::arena::Arena;
use crate::transaction::key::Key;
use crate::transaction::step::{ClientEvent, Context, Effect, Step};
use crate::transaction::timer::Timer;
use crate::transaction::{invite_client, non_invite_client};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    Invite(invite_client::State),
    NonInvite(non_invite_client::State),
}

impl Machine {
    fn begin(method: &Method, context: &Context) -> Step<Machine> {
        match method {
            Method::Invite => wrap(invite_client::begin(context), Machine::Invite),
            _ => wrap(non_invite_client::begin(context), Machine::NonInvite),
        }
    }

    fn step(self, event: ClientEvent, context: &Context) -> Step<Machine> {
        match self {
            Machine::Invite(state) => wrap(state.step(event, context), Machine::Invite),
            Machine::NonInvite(state) => wrap(state.step(event, context), Machine::NonInvite),
        }
    }

    fn is_terminated(self) -> bool {
        matches!(
            self,
            Machine::Invite(invite_client::State::Terminated)
                | Machine::NonInvite(non_invite_client::State::Terminated)
        )
    }
}

fn wrap<S>(step: Step<S>, machine: impl FnOnce(S) -> Machine) -> Step<Machine> {
    Step {
        state: machine(step.state),
        effects: step.effects,
        ignored: step.ignored,
    }
}

/// How far the wish to cancel an INVITE has come (RFC 3261 §9.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    Unwanted,
    /// Waits for a provisional response.
    Wanted,
    Sent,
}

#[derive(Debug)]
struct Entry<P> {
    machine: Machine,
    key: Key,
    request: Request,
    peer: P,
    reliable: bool,
    ack: Option<Bytes>,
    cancel: Cancel,
    /// The layer's own CANCEL: nobody waits for its outcome.
    unattended: bool,
}

#[derive(Debug)]
pub(super) struct Clients<P> {
    entries: Arena<Entry<P>>,
    by_key: HashMap<Key, ClientId>,
}

impl<P> Clients<P> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: Arena::new(capacity),
            by_key: HashMap::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn contains(&self, id: ClientId) -> bool {
        self.entries.contains(id.0)
    }

    fn remove(&mut self, id: ClientId) {
        if let Some(entry) = self.entries.remove(id.0)
            && self.by_key.get(&entry.key) == Some(&id)
        {
            self.by_key.remove(&entry.key);
        }
    }
}

impl<P: Clone> Layer<P> {
    /// Sends `request`, which carries our Via on top with a branch nobody else uses.
    ///
    /// # Errors
    ///
    /// [`LayerFull`] when the table is full, or the top Via cannot be read back.
    pub fn start_request(
        &mut self,
        now: Instant,
        request: Request,
        peer: P,
        reliable: bool,
    ) -> Result<ClientId, LayerFull> {
        self.start(now, request, peer, reliable, false)
    }

    /// Takes a response from the network; false if it belongs to no request of ours (RFC 3261 §18.1.2).
    pub fn handle_response(&mut self, now: Instant, response: Response) -> bool {
        let found =
            Key::of_response(&response).and_then(|key| self.clients.by_key.get(&key).copied());
        let Some(id) = found else { return false };
        let status = response.status();
        let event = match status {
            status if status.is_provisional() => ClientEvent::Provisional,
            status if status.is_success() => ClientEvent::Success,
            _ => ClientEvent::Failure,
        };
        self.client_event(now, id, event, Some(response));
        if event == ClientEvent::Provisional {
            self.send_wanted_cancel(now, id);
        }
        true
    }

    /// The bytes of that transaction could not be sent.
    pub fn handle_transport_failure(&mut self, now: Instant, id: ClientId) {
        self.client_event(now, id, ClientEvent::TransportFailure, None);
    }

    /// Gives up on an INVITE: a CANCEL leaves once a provisional response has come (RFC 3261 §9.1). The outcome still
    /// comes as an event: mostly a 487, perhaps a 2xx that crossed it, [`Event::Timeout`] after 64·T1.
    pub fn cancel(&mut self, now: Instant, id: ClientId) {
        let Some(entry) = self.clients.entries.get_mut(id.0) else {
            return;
        };
        if matches!(entry.machine, Machine::Invite(_)) && entry.cancel == Cancel::Unwanted {
            entry.cancel = Cancel::Wanted;
            self.send_wanted_cancel(now, id);
        }
    }

    pub(super) fn client_timer(&mut self, now: Instant, id: ClientId, timer: Timer) {
        self.client_event(now, id, ClientEvent::Timer(timer), None);
    }

    fn start(
        &mut self,
        now: Instant,
        request: Request,
        peer: P,
        reliable: bool,
        unattended: bool,
    ) -> Result<ClientId, LayerFull> {
        let key = Key::of_request(&request).ok_or(LayerFull)?;
        let begin = Machine::begin(request.method(), &self.context(now, reliable));
        let (machine, cancel) = (begin.state, Cancel::Unwanted);
        let entry = Entry {
            machine,
            key: key.clone(),
            request,
            peer,
            reliable,
            ack: None,
            cancel,
            unattended,
        };
        let id = ClientId(self.clients.entries.insert(entry).map_err(|_| LayerFull)?);
        self.clients.by_key.insert(key, id);
        self.client_step(id, begin, None);
        Ok(id)
    }

    fn send_wanted_cancel(&mut self, now: Instant, id: ClientId) {
        let Some(entry) = self.clients.entries.get_mut(id.0) else {
            return;
        };
        let proceeding = matches!(
            entry.machine,
            Machine::Invite(invite_client::State::Proceeding { .. })
        );
        if entry.cancel != Cancel::Wanted || !proceeding {
            return;
        }
        entry.cancel = Cancel::Sent;
        let cancel = derived::cancel(&entry.request);
        let (peer, reliable) = (entry.peer.clone(), entry.reliable);
        self.client_event(now, id, ClientEvent::Cancelled, None);
        // Without room for a CANCEL the INVITE still ends 64·T1 from now.
        let _ = self.start(now, cancel, peer, reliable, true);
    }

    fn client_event(
        &mut self,
        now: Instant,
        id: ClientId,
        event: ClientEvent,
        response: Option<Response>,
    ) {
        if let Some(entry) = self.clients.entries.get(id.0) {
            let step = entry
                .machine
                .step(event, &self.context(now, entry.reliable));
            self.client_step(id, step, response);
        }
    }

    fn client_step(&mut self, id: ClientId, step: Step<Machine>, response: Option<Response>) {
        if let Some(entry) = self.clients.entries.get_mut(id.0) {
            entry.machine = step.state;
        }
        for effect in step.effects.iter() {
            self.client_effect(id, effect, response.as_ref());
        }
        if step.state.is_terminated() {
            self.clients.remove(id);
        }
    }

    fn client_effect(&mut self, id: ClientId, effect: Effect, response: Option<&Response>) {
        match effect {
            Effect::SendRequest => self.send_request(id),
            Effect::SendAck => self.send_ack(id, response),
            Effect::Start(timer, at) => self.queue.start(timer, at, TransactionId::Client(id)),
            Effect::Deliver => {
                if let Some(response) = response.cloned() {
                    self.report(id, |peer| Event::Response { id, response, peer });
                }
            }
            Effect::ReportTimeout => self.report(id, |peer| Event::Timeout { id, peer }),
            Effect::ReportUnreachable => self.report(id, |peer| Event::Unreachable { id, peer }),
            Effect::SendResponse | Effect::SendTrying | Effect::ReportExpired => {
                debug_assert!(false, "an effect of server machines");
            }
        }
    }

    fn report(&mut self, id: ClientId, event: impl FnOnce(P) -> Event<P>) {
        let entry = self
            .clients
            .entries
            .get(id.0)
            .filter(|entry| !entry.unattended);
        self.outbox
            .events
            .extend(entry.map(|entry| event(entry.peer.clone())));
    }

    fn send_request(&mut self, id: ClientId) {
        let Some(entry) = self.clients.entries.get(id.0) else {
            return;
        };
        let bytes = entry.request.as_bytes().clone();
        let transmit = Transmit {
            peer: entry.peer.clone(),
            bytes,
            client: Some(id),
        };
        self.outbox.transmits.push_back(transmit);
    }

    fn send_ack(&mut self, id: ClientId, response: Option<&Response>) {
        let Some(entry) = self.clients.entries.get_mut(id.0) else {
            return;
        };
        if let (None, Some(response)) = (&entry.ack, response) {
            entry.ack = Some(derived::ack(&entry.request, response).as_bytes().clone());
        }
        if let Some(bytes) = entry.ack.clone() {
            let transmit = Transmit {
                peer: entry.peer.clone(),
                bytes,
                client: Some(id),
            };
            self.outbox.transmits.push_back(transmit);
        }
    }
}
