//! A client at work: its sockets, its registration, and the sessions it opens and that are opened towards it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use net::msrp::{MsrpConfig, MsrpEndpoint, MsrpTlsConfig};
use net::sip::{SipConfig, SipEndpoint, SipListener, Target};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use sip::{Contacts, HostPort, Name, Request, Response, SipDate, Transport, Via, token};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use crate::outgoing::{Outgoing, Sent};
use crate::pager::PagerMessage;
use crate::publication::{Publication, Published};
use crate::registration::RegistrationState;
use crate::upload::{UploadControl, Uploaded};
use crate::{Account, ClientError, LargeMessage};

mod call;
mod event;
mod fetching;
mod listener;
mod options;
mod originating;
mod sending;
mod session;
mod spool;
mod table;
mod waiting;

pub use event::{Event, Events};
pub use options::Options;
pub use waiting::WaitingIndication;

use fetching::Fetching;
use listener::Listener;
use sending::Sending;
use table::SessionTable;

/// Message connections opened within a second: a load opens hundreds, all wanted by its user.
const CONNECTS_PER_SECOND: usize = 10_000;
/// Events that may wait for the caller.
const EVENT_QUEUE: usize = 64;

/// What the client and its sessions share.
struct Shared {
    account: Account,
    options: Options,
    endpoint: SipEndpoint,
    msrp: MsrpEndpoint,
    /// Where we are reached: URI of our Contact.
    contact: String,
    sessions: SessionTable,
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
            connects_per_second: CONNECTS_PER_SECOND,
            tls: Some(MsrpTlsConfig::new(any_port)),
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
            sessions: SessionTable::default(),
        });
        let (events, queue) = mpsc::channel(EVENT_QUEUE);
        let listener = tokio::spawn(Listener::new(Arc::clone(&shared), incoming, events).run());
        let registration = RegistrationState::new(&host, &mut StdRng::from_os_rng());
        let client = Self {
            shared,
            registration: Mutex::new(registration),
            listener,
        };
        Ok((client, Events::new(queue)))
    }

    /// Sends one pager message and waits for its final response (requirements §1.2).
    ///
    /// # Errors
    /// [`ClientError::Refused`] for anything but a 2xx, or why there is no answer.
    pub async fn send(&self, message: &PagerMessage) -> Result<Response, ClientError> {
        self.shared.request(self.compose(message)).await
    }

    /// Sends one large message in a session of its own and ends the session (requirements §1.4).
    ///
    /// # Errors
    /// Why it is not known to have arrived.
    pub async fn send_large(
        &self,
        message: &LargeMessage,
        control: &UploadControl,
    ) -> Result<Uploaded, ClientError> {
        let sending = Sending::new(&self.shared, message, control);
        Box::pin(sending.run()).await
    }

    /// Fetches one deferred message of this user (requirements §3.14). It is acknowledged once `keep` has
    /// it; what `keep` cannot keep stays in the store.
    ///
    /// # Errors
    /// [`ClientError::Refused`] with 404 for a message that does not wait for this user, with 480 while
    /// his mailbox is being delivered; otherwise why it has not come.
    pub async fn fetch(
        &self,
        message_id: &str,
        is_asserted: bool,
        keep: impl FnOnce(Event) -> std::io::Result<()>,
    ) -> Result<(), ClientError> {
        let control = UploadControl::default();
        let fetching = Fetching::new(&self.shared, &control, message_id);
        Box::pin(fetching.run(is_asserted, keep)).await
    }

    /// Sends content by whichever procedure fits it (OPG-01).
    ///
    /// # Errors
    /// As for [`Client::send`] and [`Client::send_large`].
    pub async fn deliver(
        &self,
        outgoing: &Outgoing,
        control: &UploadControl,
    ) -> Result<Sent, ClientError> {
        let content = &outgoing.message.content;
        if outgoing.choice.allows_pager(content.octets()) {
            let body = content.gather().await.map_err(ClientError::Content)?;
            let request = self.compose(&outgoing.pager(body));
            if outgoing.choice.is_pager(self.shared.octets(&request)) {
                return self.shared.request(request).await.map(Sent::Pager);
            }
        }
        let sent = self.send_large(&outgoing.message, control).await;
        sent.map(Sent::Large)
    }

    fn compose(&self, message: &PagerMessage) -> Request {
        let host = self.shared.options.local.to_string();
        let mut rng = StdRng::from_os_rng();
        message.request(&self.shared.account, &host, now(), &mut rng)
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

    /// Publishes settings, or refreshes or removes what was published (requirements §1.15).
    ///
    /// # Errors
    /// As for [`Client::send`].
    pub async fn publish(&self, publication: &Publication) -> Result<Published, ClientError> {
        let host = self.shared.options.local.to_string();
        let mut rng = StdRng::from_os_rng();
        let request = publication.request(&self.shared.account, &host, now(), &mut rng);
        let response = self.shared.request(request).await?;
        let headers = response.headers();
        let tag = headers.first(Name::SipEtag);
        let expires = headers.expires().ok().flatten();
        match (tag, expires) {
            (Some(tag), Some(expires)) => Ok(Published {
                entity_tag: tag.value().into_owned(),
                expires,
            }),
            _ => Err(ClientError::PeerMisbehaved(
                "its answer to a PUBLISH has no tag or no lifetime",
            )),
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
    /// Length of the complete request, with the Via that it gets when it is sent (RFC 3428 §8).
    fn octets(&self, request: &Request) -> usize {
        let transport = transport(&self.account);
        let sent_by: Option<HostPort> = self.endpoint.sent_by(transport).parse().ok();
        let branch = token::branch(&mut rand::rng());
        let via =
            sent_by.map(|sent_by| format!("Via: {}\r\n", Via::new(transport, sent_by, &branch)));
        request.as_bytes().len() + via.map_or(0, |line| line.len())
    }

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
    let transport = transport(account);
    let place = endpoint.sent_by(transport);
    let user = account.user_part();
    match transport {
        Transport::Udp => format!("sip:{user}@{place}"),
        Transport::Tcp | Transport::Tls => format!("sip:{user}@{place};transport=tcp"),
    }
}

/// The transport the proxy is reached with.
fn transport(account: &Account) -> Transport {
    let named = account.proxy.as_sip().and_then(sip::SipUri::transport);
    named.unwrap_or(Transport::Udp)
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
