//! A push session from the user's side (requirements §1.5): the client answers the INVITE, takes messages, and
//! acknowledges each. While it is not willing it is also busy, slow, deaf, and cut off in the middle.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::stream::{FuturesOrdered, StreamExt as _};
use msrp::Path;
use msrp::sdp::{MsrpMedia, Origin, Role, SessionDescription, Setup, answer_media};
use net::msrp::{AnswerHandle, MsrpConfig, MsrpEndpoint, MsrpSession, OpenError, PendingSession};
use net::msrp::{SessionRules, WholeMessage};
use net::network::Network;
use sip::dialog::Dialog;
use sip::{Method, Name, Request, ResponseBuilder, StatusCode, Uri};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::arrival::Arrival;
use super::life::Life;
use super::{Client, Kind};
use crate::agent::Incoming;
use crate::ledger::SessionNumber;

/// Where clients listen for MSRP.
const PORT: u16 = 2855;

/// Port of a media line whose side only connects (RFC 6135 §4.2.2).
const DISCARD_PORT: u16 = 9;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an edge may take to say BYE when its connection has gone.
const FAREWELL: Duration = Duration::from_secs(5);

/// Largest message taken.
const MAX_OCTETS: u64 = 1 << 20;

/// The client's port for MSRP.
///
/// # Panics
/// If the port is taken.
pub(super) async fn listen(network: impl Network + 'static, ip: IpAddr) -> MsrpEndpoint {
    let mut config = MsrpConfig::new(SocketAddr::new(ip, PORT));
    config.network = Some(std::sync::Arc::new(network));
    // All hosts are on loopback.
    config.allow_networks = vec!["127.0.0.0/8".parse().expect("a network")];
    let endpoint = MsrpEndpoint::bind(config).await;
    endpoint.expect("a host that has just come up")
}

/// What happens to a message that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is acknowledged, perhaps after a while.
    Accepted,
    /// It is refused, and its user does not see it.
    Refused(u16),
    /// Nobody ever answers.
    Ignored,
    /// The connection breaks before it is acknowledged.
    CutBefore,
    /// The connection breaks when it has just been acknowledged.
    CutAfter,
    /// The client ends the session, and acknowledges it all the same.
    Bye,
    /// The edge dies before it is acknowledged.
    EdgeDies,
    /// The client vanishes before it is acknowledged.
    Vanishes,
}

/// One session.
pub(super) struct PushSession {
    client: Client,
    life: Life,
    msrp: MsrpEndpoint,
    invite: Incoming,
    number: SessionNumber,
}

/// What offer and answer agree on.
struct Agreed {
    pending: PendingSession,
    peer_path: Path,
    role: Role,
}

impl PushSession {
    pub(super) fn new(client: Client, life: Life, msrp: MsrpEndpoint, invite: Incoming) -> Self {
        let number = client.world.ledger().begin_session();
        Self {
            client,
            life,
            msrp,
            invite,
            number,
        }
    }

    fn note(&self, event: &str) {
        let (user, number) = (self.client.user, self.number);
        self.client
            .world
            .note(format!("user {user}: session {number}: {event}"));
    }

    fn edge(&self) -> IpAddr {
        self.invite.source.ip()
    }

    fn tag(&self) -> String {
        format!("u{}-{}", self.client.user, self.number)
    }

    pub(super) async fn run(self) {
        sleep(self.client.thinks(self.edge())).await;
        if let Some(status) = self.refusal() {
            self.note(&format!("refused with {status}"));
            return self.life.answer(&self.invite, status, &self.tag()).await;
        }
        self.ring().await;
        let ended = self.life.begin(&self.invite.request);
        if let Some(agreed) = self.accept().await {
            match self.connect(agreed).await {
                Ok(session) => self.receive(session, &ended).await,
                Err(error) => self.note(&format!("not connected: {error}")),
            }
        }
        // An edge that lives says BYE.
        let _ = timeout(FAREWELL, ended.cancelled()).await;
        self.life.forget(&self.invite.request);
        self.note("over");
    }

    /// Whether it is refused, and how.
    fn refusal(&self) -> Option<StatusCode> {
        if self.client.is_willing() {
            return None;
        }
        match self.client.world.pick(100) {
            0..5 => Some(StatusCode::BUSY_HERE),
            5..8 => Some(StatusCode::TEMPORARILY_UNAVAILABLE),
            // It gets MESSAGEs then (DLM-01).
            8..14 if self.client.kind == Kind::Both => Some(StatusCode::NOT_ACCEPTABLE_HERE),
            _ => None,
        }
    }

    async fn ring(&self) {
        if !self.client.is_willing() && self.client.world.chance(15) {
            let status = StatusCode::RINGING;
            self.life.answer(&self.invite, status, &self.tag()).await;
            sleep(self.client.world.millis(100, 12_000)).await;
        }
    }

    /// Answers 200, with a description of our own.
    async fn accept(&self) -> Option<Agreed> {
        let request = &self.invite.request;
        let description = SessionDescription::parse(request.body()).ok();
        let offer = description.as_ref().and_then(|it| it.first_msrp());
        let (Some(description), Some(offer)) = (description, offer) else {
            self.client.world.violated("an INVITE offers no MSRP");
            return None;
        };
        let pending = self.msrp.open();
        let pending = pending.with_rules(SessionRules::receive_up_to(MAX_OCTETS));
        let (media, role) = self.describe(&offer, pending.local_path().clone());
        let origin = Origin {
            user: "client".to_owned(),
            session_id: self.number as u64,
            version: 1,
            host: self.client.ip.to_string(),
        };
        let answer = description.print_answer(&origin, 0, &media);
        let response = ResponseBuilder::reply_to(request, StatusCode::OK)
            .to_tag(&self.tag())
            .header(Name::Contact, format_args!("<{}>", self.contact()))
            .body("application/sdp", answer);
        self.note(&format!("accepted, {role:?}"));
        self.life
            .agent
            .respond(self.invite.id, response.build())
            .await;
        Some(Agreed {
            pending,
            peer_path: offer.path.clone(),
            role,
        })
    }

    /// Who connects is the client's choice (DLV-11).
    fn describe(&self, offer: &MsrpMedia, path: Path) -> (MsrpMedia, Role) {
        let (mut media, _) = answer_media(offer, path);
        media.max_size = Some(MAX_OCTETS);
        if self.client.world.chance(50) {
            return (media, Role::Passive);
        }
        media.setup = Some(Setup::Active);
        media.port = DISCARD_PORT;
        (media, Role::Active)
    }

    fn contact(&self) -> String {
        self.client.contact()
    }

    async fn connect(&self, agreed: Agreed) -> Result<MsrpSession, OpenError> {
        let Agreed {
            pending,
            peer_path,
            role,
        } = agreed;
        if !self.client.is_willing() && self.client.world.chance(3) {
            self.note("nobody connects");
            return Err(OpenError::Timeout);
        }
        match role {
            Role::Active => pending.connect(peer_path, "edge", CONNECT).await,
            Role::Passive => pending.accept(peer_path, CONNECT).await,
        }
    }

    /// Takes messages, in the order in which they begin, until the session is over.
    async fn receive(&self, mut session: MsrpSession, ended: &CancellationToken) {
        let mut arriving = FuturesOrdered::new();
        let mut is_open = true;
        while is_open || !arriving.is_empty() {
            tokio::select! {
                Some(arrived) = arriving.next() => {
                    if let Some(message) = arrived {
                        self.take(message).await;
                    }
                }
                inbound = session.next(), if is_open => match inbound {
                    Some(inbound) => arriving.push_back(inbound.gather()),
                    None => is_open = false,
                },
                () = ended.cancelled() => break,
            }
        }
        session.close().await;
    }

    /// Takes a message, unless it is refused, and answers it in a while.
    async fn take(&self, message: WholeMessage) {
        let content_type = message.head.content_type.as_deref().unwrap_or_default();
        let Some(arrival) = Arrival::of_send(content_type, &message.body) else {
            let what = String::from_utf8_lossy(&message.body).into_owned();
            let wrong = format!("PSH-02: what was pushed cannot be read: {what:?}");
            return self.client.world.violated(wrong);
        };
        let letter = self.client.gets(&arrival, Some(self.number));
        let fate = self.fate();
        if fate != Fate::Accepted {
            self.note(&format!("{fate:?}"));
        }
        if let Fate::Refused(code) = fate {
            return message.answer.refuse(code);
        }
        letter.inspect(|letter| self.client.sees(*letter));
        self.suffer(fate).await;
        let (client, edge, number) = (self.client.clone(), self.edge(), self.number);
        let thinks = client.thinks(edge);
        self.life.spawn(async move {
            sleep(thinks).await;
            if let Some(letter) = letter {
                client.world.ledger().acknowledged(letter, number);
            }
            answer(message.answer, fate);
            if fate == Fate::CutAfter {
                // The answer may have left, or not.
                sleep(client.world.millis(0, 3)).await;
                client.cut(edge);
            }
        });
    }

    fn fate(&self) -> Fate {
        if self.client.is_willing() {
            return Fate::Accepted;
        }
        match self.client.world.pick(100) {
            0..6 => Fate::Refused([400, 423, 481, 501, 506][self.client.world.pick(5)]),
            6..9 => Fate::Ignored,
            9..14 => Fate::CutBefore,
            14..20 => Fate::CutAfter,
            20..23 => Fate::Bye,
            23..28 => Fate::EdgeDies,
            28..30 => Fate::Vanishes,
            _ => Fate::Accepted,
        }
    }

    /// What breaks when a message has come.
    async fn suffer(&self, fate: Fate) {
        match fate {
            Fate::CutBefore => self.client.cut(self.edge()),
            Fate::Bye => self.bye().await,
            Fate::EdgeDies => self.client.kill_edge(self.edge()),
            Fate::Vanishes => self.client.vanish_for_a_while(),
            Fate::Accepted | Fate::Refused(_) | Fate::Ignored | Fate::CutAfter => {}
        }
    }

    /// Ends the dialog from our side.
    async fn bye(&self) {
        let contact: Uri = self.contact().parse().expect("a URI of ours");
        let dialog = Dialog::uas(&self.invite.request, &self.tag(), contact);
        let mut dialog = dialog.expect("an INVITE that could be answered");
        let (ip, number) = (self.client.ip, self.number);
        let bye = dialog
            .request(Method::Bye)
            .header(
                Name::Via,
                format_args!("SIP/2.0/UDP {ip}:5060;branch=z9hG4bK-bye-{number};rport"),
            )
            .header(Name::MaxForwards, 70)
            .build();
        let (agent, edge) = (self.life.agent.clone(), self.invite.source);
        self.life.spawn(async move {
            let bye: Request = bye;
            // Whatever is said to that: the session is over.
            let _ = agent.request(bye, edge).await;
        });
    }
}

fn answer(answer: AnswerHandle, fate: Fate) {
    match fate {
        Fate::Ignored => answer.withhold(),
        _ => answer.accept(),
    }
}
