//! Two transaction layers, a network that somebody plays with, and a clock that only jumps.

mod element;
mod messages;
mod operation;

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use bytes::Bytes;
use sip::transaction::{ClientId, Layer};
use sip::{Message, Method};

use element::{Element, Outcome, TRANSACTIONS};
use messages::{SERVER_ERROR, ack, parsed, request, response};
use operation::{Operation, Side};

/// Messages the network holds; what is sent beyond gets lost.
const IN_FLIGHT: usize = 32;
/// Operations beyond are left out.
const OPERATIONS: usize = 256;
/// Far more timer firings than the transactions of one run can have.
const CLOSING_STEPS: usize = 20_000;

/// A run of the target.
#[derive(Arbitrary, Debug)]
pub struct Run {
    network_lives: bool,
    operations: Vec<Operation>,
}

impl Run {
    /// Carries out the operations, then lets everything come to its end over a network that lives on or is dead.
    pub fn play(&self) {
        let mut exchange = Exchange {
            now: Instant::now(),
            left: Element::new(),
            right: Element::new(),
            in_flight: Vec::new(),
            branches: 0,
        };
        for operation in self.operations.iter().take(OPERATIONS) {
            exchange.carry_out(operation);
            exchange.settle();
        }
        exchange.close(self.network_lives);
    }
}

struct Exchange {
    now: Instant,
    left: Element,
    right: Element,
    in_flight: Vec<(Side, Bytes)>,
    branches: usize,
}

impl Exchange {
    fn carry_out(&mut self, operation: &Operation) {
        match *operation {
            Operation::Send {
                from,
                invite,
                reliable,
            } => self.send(from, invite, reliable),
            Operation::Respond {
                at,
                request,
                status,
            } => self.respond(at, request, status),
            Operation::Cancel { at, request } => {
                self.with_sent(at, request, |layer, now, id| layer.cancel(now, id))
            }
            Operation::Acknowledge { at, request } => self.acknowledge(at, request),
            Operation::Fail { at, request } => {
                self.with_sent(at, request, |layer, now, id| {
                    layer.handle_transport_failure(now, id)
                });
            }
            Operation::Deliver { message, reliable } => {
                let taken =
                    place(&self.in_flight, message).map(|place| self.in_flight.remove(place));
                self.deliver(taken, reliable);
            }
            Operation::Repeat { message, reliable } => {
                let copied =
                    place(&self.in_flight, message).map(|place| self.in_flight[place].clone());
                self.deliver(copied, reliable);
            }
            Operation::Lose { message } => {
                place(&self.in_flight, message).map(|place| self.in_flight.remove(place));
            }
            Operation::Forge {
                to,
                method,
                branch,
                call,
                tagged,
            } => {
                let method = [Method::Invite, Method::Message, Method::Ack, Method::Cancel]
                    [usize::from(method % 4)]
                .clone();
                let forged = request(
                    method,
                    &format!("z9hG4bKforged{}", branch % 4),
                    usize::from(call % 2),
                    tagged,
                );
                self.deliver(Some((to, forged.as_bytes().clone())), false);
            }
            Operation::Reply {
                to,
                request,
                status,
            } => self.reply(to, request, status),
            Operation::Wait { tenths } => self.wait(Duration::from_millis(100) * u32::from(tenths)),
            Operation::Ring => {
                self.ring();
            }
        }
    }

    fn element(&mut self, side: Side) -> &mut Element {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    fn send(&mut self, from: Side, invite: bool, reliable: bool) {
        self.branches += 1;
        let method = if invite {
            Method::Invite
        } else {
            Method::Message
        };
        let request = request(
            method,
            &format!("z9hG4bK{}", self.branches),
            self.branches + 2,
            false,
        );
        let (now, element) = (self.now, self.element(from));
        match element
            .layer
            .start_request(now, request.clone(), from.other(), reliable)
        {
            Ok(id) => {
                element.sent.push((id, request));
                element.outcomes.insert(id, Outcome::Open);
            }
            Err(_) => assert_eq!(
                element.layer.transactions().1,
                TRANSACTIONS,
                "turned away with room left"
            ),
        }
    }

    fn respond(&mut self, at: Side, request: u8, status: u8) {
        let (now, element) = (self.now, self.element(at));
        if let Some(place) = place(&element.received, request) {
            let (id, request) = &element.received[place];
            element.layer.respond(now, *id, &response(request, status));
        }
    }

    fn acknowledge(&mut self, at: Side, request: u8) {
        self.branches += 1;
        let branch = format!("z9hG4bK{}", self.branches);
        let element = self.element(at);
        let Some(place) = place(&element.sent, request) else {
            return;
        };
        let ack = ack(&element.sent[place].1, &branch);
        self.in_flight.push((at.other(), ack.as_bytes().clone()));
    }

    fn with_sent(
        &mut self,
        at: Side,
        request: u8,
        act: impl FnOnce(&mut Layer<Side>, Instant, ClientId),
    ) {
        let (now, element) = (self.now, self.element(at));
        if let Some(place) = place(&element.sent, request) {
            act(&mut element.layer, now, element.sent[place].0);
        }
    }

    fn reply(&mut self, to: Side, request: u8, status: u8) {
        let (now, element) = (self.now, self.element(to));
        if let Some(place) = place(&element.sent, request) {
            element
                .layer
                .handle_response(now, response(&element.sent[place].1, status));
        }
    }

    fn deliver(&mut self, message: Option<(Side, Bytes)>, reliable: bool) {
        let Some((to, bytes)) = message else { return };
        let (now, element) = (self.now, self.element(to));
        match parsed(bytes) {
            Message::Request(request) => {
                element
                    .layer
                    .handle_request(now, request, to.other(), reliable)
            }
            Message::Response(response) => {
                element.layer.handle_response(now, response);
            }
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let now = self.now;
        for layer in [&mut self.left.layer, &mut self.right.layer] {
            layer.handle_timeout(now);
            assert!(
                layer.next_timeout().is_none_or(|next| next > now),
                "a timer fired and is still due"
            );
        }
    }

    /// Jumps to the next timer; false if none runs.
    fn ring(&mut self) -> bool {
        let timers = [
            self.left.layer.next_timeout(),
            self.right.layer.next_timeout(),
        ];
        let Some(next) = timers.into_iter().flatten().min() else {
            return false;
        };
        self.wait(next.saturating_duration_since(self.now));
        true
    }

    /// Takes everything the layers have to say.
    fn settle(&mut self) {
        for side in [Side::Left, Side::Right] {
            let (now, element) = (self.now, self.element(side));
            let sent = element.settle(now);
            assert!(
                sent.iter().all(|(to, _)| *to == side.other()),
                "sent to itself"
            );
            self.in_flight.extend(sent);
        }
        self.in_flight.truncate(IN_FLIGHT);
    }

    /// Every request is answered, every timer runs: both tables end up empty and every request has an outcome.
    fn close(&mut self, network_lives: bool) {
        for _ in 0..CLOSING_STEPS {
            for side in [Side::Left, Side::Right] {
                let (now, element) = (self.now, self.element(side));
                for (id, request) in std::mem::take(&mut element.received) {
                    element
                        .layer
                        .respond(now, id, &response(&request, SERVER_ERROR));
                }
            }
            self.settle();
            let moving = std::mem::take(&mut self.in_flight);
            if network_lives && !moving.is_empty() {
                for message in moving {
                    self.deliver(Some(message), false);
                    self.settle();
                }
            } else if !self.ring() {
                return [&self.left, &self.right]
                    .into_iter()
                    .for_each(Element::has_ended);
            }
            self.settle();
        }
        panic!("the layers never come to rest");
    }
}

fn place<T>(list: &[T], number: u8) -> Option<usize> {
    usize::from(number).checked_rem(list.len())
}
