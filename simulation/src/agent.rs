//! A SIP element over UDP: the transaction layer of [`sip`] with a port of the network.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use net::network::Datagrams;
use sip::transaction::{ClientId, Event, Layer, LayerLimits, ServerId, Timers};
use sip::{
    Limits, Message, Method, Request, Response, ResponseBuilder, StatusCode, parse_datagram,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

/// Commands that wait.
const COMMANDS: usize = 64;

/// A request that wants an answer.
#[derive(Debug)]
pub struct Incoming {
    /// For [`Agent::respond`].
    pub id: ServerId,
    /// The request.
    pub request: Request,
    /// Who sent it.
    pub source: SocketAddr,
}

enum Command {
    Request(Request, SocketAddr, oneshot::Sender<Option<Response>>),
    Respond(ServerId, Response),
}

/// The handle; the element ends with its last clone.
#[derive(Clone)]
pub struct Agent {
    commands: mpsc::Sender<Command>,
}

impl Agent {
    /// Serves a port. Requests that come in are told to `incoming`.
    pub fn start(port: Box<dyn Datagrams>, incoming: mpsc::Sender<Incoming>) -> Self {
        let (sender, commands) = mpsc::channel(COMMANDS);
        let element = Element {
            layer: Layer::new(Timers::default(), LayerLimits::default()),
            waiting: HashMap::new(),
            invites: HashMap::new(),
            port,
            incoming,
        };
        tokio::spawn(element.run(commands));
        Self { commands: sender }
    }

    /// Sends a request, with its Via, and waits for its final response; `None` if there is none.
    pub async fn request(&self, request: Request, to: SocketAddr) -> Option<Response> {
        let (sender, answer) = oneshot::channel();
        let command = Command::Request(request, to, sender);
        self.commands.send(command).await.ok()?;
        answer.await.ok()?
    }

    /// Answers a request.
    pub async fn respond(&self, id: ServerId, response: Response) {
        // An element that has ended answers nobody.
        let _ = self.commands.send(Command::Respond(id, response)).await;
    }
}

struct Element {
    layer: Layer<SocketAddr>,
    waiting: HashMap<ClientId, oneshot::Sender<Option<Response>>>,
    /// INVITEs without final response.
    invites: HashMap<ServerId, Request>,
    port: Box<dyn Datagrams>,
    incoming: mpsc::Sender<Incoming>,
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

impl Element {
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            self.settle();
            let timeout = self.layer.next_timeout();
            tokio::select! {
                biased;
                (datagram, source) = self.port.receive() => self.take(datagram, source),
                command = commands.recv() => match command {
                    Some(command) => self.carry_out(command),
                    None => return,
                },
                () = sleep_until(timeout.unwrap_or_else(now).into()), if timeout.is_some() => {
                    self.layer.handle_timeout(now());
                }
            }
        }
    }

    fn take(&mut self, datagram: Bytes, source: SocketAddr) {
        match parse_datagram(datagram, &Limits::default()) {
            Ok(Message::Request(request)) => {
                let request = request.received_from(source);
                self.layer.handle_request(now(), request, source, false);
            }
            Ok(Message::Response(response)) => {
                self.layer.handle_response(now(), response);
            }
            Err(error) => panic!("an edge sent what is no SIP: {error}"),
        }
    }

    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Request(request, to, answer) => {
                match self.layer.start_request(now(), request, to, false) {
                    Ok(id) => drop(self.waiting.insert(id, answer)),
                    // Nobody was sent anything.
                    Err(_) => drop(answer.send(None)),
                }
            }
            Command::Respond(id, response) => self.respond(id, &response),
        }
    }

    fn respond(&mut self, id: ServerId, response: &Response) {
        if response.status().is_final() {
            self.invites.remove(&id);
        }
        self.layer.respond(now(), id, response);
    }

    fn reply(&mut self, (id, request): (ServerId, &Request), status: StatusCode, tag: &str) {
        let response = ResponseBuilder::reply_to(request, status).to_tag(tag);
        self.respond(id, &response.build());
    }

    fn settle(&mut self) {
        while let Some(event) = self.layer.poll_event() {
            self.on_event(event);
        }
        while let Some(transmit) = self.layer.poll_transmit() {
            self.port.send(&transmit.bytes, transmit.peer);
        }
    }

    fn on_event(&mut self, event: Event<SocketAddr>) {
        match event {
            Event::Request { id, request, peer } => {
                if *request.method() == Method::Invite {
                    self.invites.insert(id, request.clone());
                }
                // A request that finds no room is sent again.
                let _ = self.incoming.try_send(Incoming {
                    id,
                    request,
                    source: peer,
                });
            }
            // One request by two edges, and the first copy is not answered yet (RFC 3261 §8.2.2.2).
            Event::Merged { id, request, .. } => {
                self.reply((id, &request), StatusCode::LOOP_DETECTED, "merged");
            }
            Event::Cancel {
                id,
                request,
                status,
                to_tag,
            } => self.reply((id, &request), status, &to_tag),
            Event::Cancelled { id, .. } => {
                if let Some(invite) = self.invites.remove(&id) {
                    self.reply((id, &invite), StatusCode::REQUEST_TERMINATED, "cancelled");
                }
            }
            Event::Response { id, response, .. } if response.status().is_final() => {
                self.tell(id, Some(response));
            }
            Event::Timeout { id, .. } | Event::Unreachable { id, .. } => self.tell(id, None),
            _ => {}
        }
    }

    fn tell(&mut self, id: ClientId, answer: Option<Response>) {
        if let Some(waiting) = self.waiting.remove(&id) {
            // Whoever asked may have gone.
            let _ = waiting.send(answer);
        }
    }
}
