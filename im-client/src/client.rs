//! A client at work: its sockets, its registration, and the sessions opened towards it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use net::msrp::{MsrpConfig, MsrpEndpoint};
use net::sip::{SipConfig, SipEndpoint, SipListener, Target};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sip::{Contacts, Request, Response, SipDate, Transport, token};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::pager::PagerMessage;
use crate::registration::RegistrationState;
use crate::{Account, ClientError, PushedMessage};

mod listener;
mod session;

use listener::Listener;

/// Events that may wait for the caller.
const EVENT_QUEUE: usize = 64;

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Address of this machine to send from and to be reached at.
    pub local: IpAddr,
    /// Port for SIP, both UDP and TCP; zero means any.
    pub port: u16,
    /// Assert the user's identity instead of preferring it: only a core may, and only a server that
    /// trusts it believes it (requirements §3.8).
    pub asserts_identity: bool,
    /// Who connects when the peer leaves the choice to us (`a=setup:actpass`).
    pub setup: msrp::sdp::Role,
    /// Largest message taken from a session, in octets.
    pub max_message_octets: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            local: IpAddr::from([127, 0, 0, 1]),
            port: 0,
            asserts_identity: false,
            setup: msrp::sdp::Role::Active,
            max_message_octets: 64 << 20,
        }
    }
}

/// What happens to a client.
#[derive(Debug)]
pub enum Event {
    /// A session was opened towards us.
    SessionOpened {
        /// `From` of its INVITE.
        from: String,
    },
    /// A deferred message was delivered, and has been acknowledged.
    Message(PushedMessage),
    /// A session is over.
    SessionEnded {
        /// How it ended, for people.
        reason: String,
    },
}

/// The events of a client, in their order.
#[derive(Debug)]
pub struct Events {
    queue: mpsc::Receiver<Event>,
    messages: usize,
    sessions: usize,
}

impl Events {
    /// The next event; none once the client is closed.
    pub async fn next(&mut self) -> Option<Event> {
        let event = self.queue.recv().await?;
        match event {
            Event::SessionOpened { .. } => self.sessions += 1,
            Event::SessionEnded { .. } => self.sessions = self.sessions.saturating_sub(1),
            Event::Message(_) => self.messages += 1,
        }
        Some(event)
    }

    /// Messages among the events so far.
    #[must_use]
    pub fn messages_seen(&self) -> usize {
        self.messages
    }

    /// Sessions that were opened and have not ended, as far as the events tell.
    #[must_use]
    pub fn open_sessions(&self) -> usize {
        self.sessions
    }
}

/// What the client and its sessions share.
struct Shared {
    account: Account,
    options: Options,
    endpoint: SipEndpoint,
    msrp: MsrpEndpoint,
    /// Where we are reached: URI of our Contact.
    contact: String,
}

/// A client of one user.
pub struct Client {
    shared: Arc<Shared>,
    registration: Mutex<RegistrationState>,
    listener: JoinHandle<()>,
}

impl Client {
    /// Opens the client's sockets and begins to listen.
    ///
    /// # Errors
    /// [`ClientError::Bind`] or [`ClientError::BindMsrp`].
    pub async fn open(account: Account, options: Options) -> Result<(Self, Events), ClientError> {
        let any_port = SocketAddr::new(options.local, 0);
        let listeners = [Transport::Udp, Transport::Tcp].map(|transport| SipListener {
            transport,
            address: SocketAddr::new(options.local, options.port),
        });
        let host = options.local.to_string();
        let (endpoint, incoming) = SipEndpoint::bind(SipConfig {
            listeners: listeners.into(),
            advertised_host: host.clone(),
            ..SipConfig::default()
        })
        .await?;
        let msrp = MsrpEndpoint::bind(MsrpConfig {
            // A client connects to whom its proxy names: the paths of its own operator's edges.
            allow_networks: vec![any_network(options.local)],
            ..MsrpConfig::new(any_port)
        })
        .await?;
        let contact = contact(&account, &endpoint);
        let shared = Arc::new(Shared {
            account,
            options,
            endpoint,
            msrp,
            contact,
        });
        let (events, queue) = mpsc::channel(EVENT_QUEUE);
        let listener = tokio::spawn(Listener::new(Arc::clone(&shared), incoming, events).run());
        let registration = RegistrationState::new(&host, &mut StdRng::from_os_rng());
        let client = Self {
            shared,
            registration: Mutex::new(registration),
            listener,
        };
        Ok((
            client,
            Events {
                queue,
                messages: 0,
                sessions: 0,
            },
        ))
    }

    /// Sends one pager message and waits for its final response (requirements §1.2).
    ///
    /// # Errors
    /// [`ClientError::Refused`] for anything but a 2xx, or why there is no answer.
    pub async fn send(&self, message: &PagerMessage) -> Result<Response, ClientError> {
        let host = self.shared.options.local.to_string();
        let request = {
            let mut rng = StdRng::from_os_rng();
            message.request(&self.shared.account, &host, now(), &mut rng)
        };
        self.shared.request(request).await
    }

    /// Registers for `expires`, or ends the registration if that is zero. Returns the bindings that
    /// the registrar holds for the user.
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub async fn register(&self, expires: Duration) -> Result<Vec<String>, ClientError> {
        let seconds = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX);
        let mut registration = self.registration.lock().await;
        let request = registration.request(&self.shared.account, &self.shared.contact, seconds);
        let response = self.shared.request(request).await?;
        let contacts = response.headers().contacts();
        match contacts.map_err(|_| ClientError::PeerMisbehaved("its Contact cannot be read"))? {
            Contacts::List(contacts) => Ok(contacts.iter().map(ToString::to_string).collect()),
            Contacts::Wildcard => Ok(Vec::new()),
        }
    }

    /// Closes all sockets. A registration is left to expire: end it before.
    pub async fn close(self) {
        self.shared.endpoint.close().await;
        self.shared.msrp.close().await;
        // Ends by itself with the endpoint; it has nothing to tell.
        let _ = self.listener.await;
    }
}

impl Shared {
    /// Sends a request to the proxy and waits for its 2xx.
    async fn request(&self, request: Request) -> Result<Response, ClientError> {
        let target = Target::Uri(self.account.proxy.clone());
        let branch = token::branch(&mut rand::rng());
        let mut transaction = self.endpoint.request(request, &target, branch).await?;
        while let Some(outcome) = transaction.next().await {
            let response = outcome?;
            if response.status().is_success() {
                return Ok(response);
            }
            if response.status().is_final() {
                return Err(refused(&response));
            }
        }
        Err(ClientError::Closed)
    }
}

fn refused(response: &Response) -> ClientError {
    let warning = response.headers().first_named("Warning");
    let reason = warning.map_or_else(
        || response.reason().into_owned(),
        |warning| format!("{} ({})", response.reason(), warning.value()),
    );
    ClientError::Refused {
        status: response.status(),
        reason,
    }
}

/// Our Contact by the transport the proxy is reached with.
fn contact(account: &Account, endpoint: &SipEndpoint) -> String {
    let transport = account
        .proxy
        .as_sip()
        .and_then(sip::SipUri::transport)
        .unwrap_or(Transport::Udp);
    let place = endpoint.sent_by(transport);
    let user = account.user_part();
    match transport {
        Transport::Udp => format!("sip:{user}@{place}"),
        Transport::Tcp | Transport::Tls => format!("sip:{user}@{place};transport=tcp"),
    }
}

/// Every address of the family of `address`.
fn any_network(address: IpAddr) -> ipnet::IpNet {
    match address {
        IpAddr::V4(_) => ipnet::Ipv4Net::default().into(),
        IpAddr::V6(_) => ipnet::Ipv6Net::default().into(),
    }
}

fn now() -> SipDate {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    SipDate::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}
