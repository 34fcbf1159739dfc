//! The client in a push session.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Frame, Pushed};
use crate::patience::{ANSWER, within};
use crate::sip::{Arrival, RequestText, SipPeer, SipText, fresh, local_tag};

/// Room made before a read.
const READ_OCTETS: usize = 512 * 1024;

/// Who connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The client.
    Active,
    /// The edge.
    Passive,
}

/// An accepted push session.
#[derive(Debug)]
pub struct PushSession {
    /// The INVITE that opened it.
    pub invite: Arrival,
    connection: TcpStream,
    received: Vec<u8>,
    /// Our path.
    pub local_path: String,
    /// Path of the edge.
    pub remote_path: String,
}

impl PushSession {
    /// Waits for the push INVITE to a user and accepts it.
    pub async fn accept(core: &mut SipPeer, user: &str, setup: Setup) -> Self {
        let invite = core
            .request("INVITE", &format!("sip:{user}@example.org"))
            .await;
        Self::answer_invite(core, invite, setup).await
    }

    /// Accepts a push INVITE.
    pub async fn answer_invite(core: &mut SipPeer, invite: Arrival, setup: Setup) -> Self {
        Self::answer_with(core, invite, setup, |_| {}).await
    }

    /// Waits for the push INVITE to a user whose client is behind an MSRP relay, which the edge connects
    /// to: this is the relay (RFC 4976).
    pub async fn accept_as_relay(core: &mut SipPeer, user: &str) -> Self {
        let invite = core
            .request("INVITE", &format!("sip:{user}@example.org"))
            .await;
        let client = format!("msrp://198.51.100.9:7394/{};tcp", fresh());
        let change = |answer: &mut Acceptance| answer.behind_relay(&client);
        let mut session = Self::answer_with(core, invite, Setup::Passive, change).await;
        session.local_path = format!("{} {client}", session.local_path);
        session
    }

    /// Accepts a push INVITE with another answer than usual.
    ///
    /// # Panics
    /// When its offer is none, or no connection comes about.
    pub async fn answer_with(
        core: &mut SipPeer,
        invite: Arrival,
        setup: Setup,
        change: impl FnOnce(&mut Acceptance),
    ) -> Self {
        let offer = String::from_utf8_lossy(invite.text.body()).into_owned();
        let remote_path = attribute(&offer, "path").unwrap_or_else(|| panic!("no path in {offer}"));
        let listener = TcpListener::bind((core.tcp().ip(), 0))
            .await
            .expect("a free port");
        let local = listener.local_addr().expect("bound");
        let local_path = format!("msrp://{local}/{};tcp", fresh());
        let mut answer = acceptance(core, local, &local_path, setup);
        change(&mut answer);
        let local_path = answer.path();
        accept_invite(core, &invite, &answer).await;
        let connection = match setup {
            Setup::Active => bind(core, &local_path, &remote_path).await,
            Setup::Passive => {
                let (stream, _) = within(ANSWER, "the edge to connect", listener.accept())
                    .await
                    .expect("a connection");
                stream
            }
        };
        let mut session = Self {
            invite,
            connection,
            received: Vec::new(),
            local_path,
            remote_path,
        };
        session.finish_binding(setup).await;
        session
    }

    /// The client that connected waits for its 200; the other one answers the empty SEND.
    async fn finish_binding(&mut self, setup: Setup) {
        match setup {
            Setup::Active => {
                let answer = self.frame().await;
                assert_eq!(answer.kind, "200 OK", "{answer:?}");
            }
            Setup::Passive => {
                let empty = self.frame().await;
                assert_eq!(empty.field("Byte-Range"), "1-0/0", "{empty:?}");
                self.answer(&empty, "200 OK").await;
            }
        }
    }

    /// The next whole message; all its chunks but the last are answered 200.
    pub async fn next(&mut self) -> Pushed {
        let mut chunks = Vec::new();
        loop {
            let chunk = self.frame().await;
            assert_eq!(chunk.kind, "SEND", "{chunk:?}");
            let is_last = chunk.flag == '$';
            if !is_last {
                assert_eq!(chunk.flag, '+', "{chunk:?}");
                self.answer(&chunk, "200 OK").await;
            }
            chunks.push(chunk);
            if is_last {
                return Pushed { chunks };
            }
        }
    }

    /// The next whole message, acknowledged.
    pub async fn take(&mut self) -> Pushed {
        let message = self.next().await;
        self.answer(message.last(), "200 OK").await;
        message
    }

    /// The next frame.
    ///
    /// # Panics
    /// When the connection ends.
    pub async fn frame(&mut self) -> Frame {
        within(ANSWER, "an MSRP frame", async {
            loop {
                if let Some(frame) = Frame::take(&mut self.received) {
                    return frame;
                }
                // A frame is looked for again with each read: few large ones are cheap.
                self.received.reserve(READ_OCTETS);
                let length = self.connection.read_buf(&mut self.received).await;
                assert!(
                    length.is_ok_and(|length| length > 0),
                    "the MSRP connection has ended"
                );
            }
        })
        .await
    }

    /// Answers a SEND.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn answer(&mut self, send: &Frame, status: &str) {
        // A response goes one hop (RFC 4975 §7.2).
        let hop = self.local_path.split(' ').next().unwrap_or_default();
        let answer = response(send, status, &self.remote_path, hop);
        self.connection
            .write_all(answer.as_bytes())
            .await
            .expect("an open connection");
    }

    /// Writes octets as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn write(&mut self, octets: &[u8]) {
        within(ANSWER, "room to write", self.connection.write_all(octets))
            .await
            .expect("an open connection");
    }

    /// Hands on what the client behind a relay reports of a message.
    pub async fn report(&mut self, message_id: &str, range: &str, status: &str) {
        let (transaction, to, from) = (fresh(), &self.remote_path, &self.local_path);
        let report = format!(
            "MSRP {transaction} REPORT\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: {message_id}\r\n\
             Byte-Range: {range}\r\nStatus: 000 {status}\r\n-------{transaction}$\r\n"
        );
        self.write(report.as_bytes()).await;
    }

    /// Returns when the edge has taken in what was written before: it answers a method that it does not
    /// know.
    ///
    /// # Panics
    /// When it answers otherwise.
    pub async fn fence(&mut self) {
        let (to, from) = (&self.remote_path, &self.local_path);
        let unknown = format!(
            "MSRP fence001 FOO\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: fence\r\n-------fence001$\r\n"
        );
        self.write(unknown.as_bytes()).await;
        let answer = self.frame().await;
        assert_eq!(
            (answer.transaction.as_str(), answer.status()),
            ("fence001", 501)
        );
    }

    /// Waits for the BYE of the edge and answers it.
    pub async fn bye(self, core: &mut SipPeer) -> Arrival {
        core.ended(&self.invite).await
    }

    /// Closes the MSRP connection, and waits for the BYE that follows.
    pub async fn bye_after_disconnection(mut self, core: &mut SipPeer) -> Arrival {
        // The edge may have closed it first.
        let _ = self.connection.shutdown().await;
        self.bye(core).await
    }

    /// A request of the client within the dialog.
    pub fn request(&self, method: &str, cseq: u32) -> RequestText {
        let invite = &self.invite.text;
        let contact = invite.field("Contact");
        let target = contact.split(['<', '>']).nth(1).unwrap_or(contact);
        RequestText::new(&format!(
            "{method} {target} SIP/2.0
            Via: {{hop}}
            Max-Forwards: 70
            From: {};tag={}
            To: {}
            Call-ID: {}
            CSeq: {cseq} {method}
            Content-Length: 0",
            invite.field("To"),
            local_tag(invite),
            invite.field("From"),
            invite.field("Call-ID"),
        ))
    }

    /// Sends a request of the client; the answer.
    pub async fn call(&self, core: &mut SipPeer, request: &RequestText) -> SipText {
        let way = self.invite.way.clone();
        core.call(&way, request).await.response
    }

    /// Says BYE and waits for the answer.
    pub async fn hang_up(self, core: &mut SipPeer) -> u16 {
        let bye = self.request("BYE", 1);
        self.call(core, &bye).await.status().unwrap_or_default()
    }
}

/// The answer to a SEND.
pub(crate) fn response(send: &Frame, status: &str, remote_path: &str, local_path: &str) -> String {
    let transaction = &send.transaction;
    format!(
        "MSRP {transaction} {status}\r\nTo-Path: {remote_path}\r\nFrom-Path: {local_path}\r\n\
         -------{transaction}$\r\n"
    )
}

/// The 200 that accepts a push.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// Its header lines.
    pub lines: Vec<String>,
    /// The description of the client's side.
    pub sdp: String,
}

impl Acceptance {
    /// Gives a header field this value in place of any it had.
    pub fn header(&mut self, name: &str, value: &str) {
        let prefix = format!("{name}: ");
        self.lines.retain(|line| !line.starts_with(&prefix));
        self.lines.push(format!("{prefix}{value}"));
    }

    /// Replaces the line of an attribute by this text, which may be several lines or none.
    pub fn attribute(&mut self, name: &str, lines: &str) {
        let prefix = format!("a={name}:");
        let kept = self.sdp.lines().filter(|line| !line.starts_with(&prefix));
        let kept: String = kept.map(|line| format!("{line}\r\n")).collect();
        self.sdp = format!("{kept}{lines}");
    }

    /// Where the edge reaches us: the first URI of the path.
    ///
    /// # Panics
    /// When there is none.
    pub fn path(&self) -> String {
        let path = attribute(&self.sdp, "path").expect("a path");
        path.split(' ').next().unwrap_or_default().to_owned()
    }

    /// Puts one more URI at the end of the path: what was there becomes that of a relay.
    ///
    /// # Panics
    /// When there is no path.
    pub fn behind_relay(&mut self, client: &str) {
        let relay = attribute(&self.sdp, "path").expect("a path");
        self.attribute("path", &format!("a=path:{relay} {client}\r\n"));
    }
}

/// What a client says to a push INVITE that it accepts.
pub fn acceptance(core: &SipPeer, local: SocketAddr, path: &str, setup: Setup) -> Acceptance {
    let (role, port) = match setup {
        Setup::Active => ("active", 9),
        Setup::Passive => ("passive", local.port()),
    };
    let host = local.ip();
    let sdp = format!(
        "v=0\r\no=bob 8801 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n\
         m=message {port} TCP/MSRP *\r\na=path:{path}\r\n\
         a=accept-types:multipart/mixed message/cpim text/plain\r\na=accept-wrapped-types:*\r\n\
         a=recvonly\r\na=setup:{role}\r\n"
    );
    let lines = [
        format!(
            "Contact: <sip:bob@{};transport=tcp>;+g.oma.sip-im",
            core.tcp()
        ),
        "Allow: INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS".to_owned(),
        "Supported: timer".to_owned(),
        "Require: timer".to_owned(),
        "Session-Expires: 1800;refresher=uac".to_owned(),
        "Server: IM-client/OMA1.0 AcmeIM/3.2".to_owned(),
        "Content-Type: application/sdp".to_owned(),
    ];
    Acceptance {
        lines: lines.into(),
        sdp,
    }
}

/// Sends the 200, and waits for the ACK.
async fn accept_invite(core: &mut SipPeer, invite: &Arrival, answer: &Acceptance) {
    core.answer(invite, "200 OK", &answer.lines, &answer.sdp)
        .await;
    core.acknowledged(invite).await;
}

/// Connects to the edge and binds the connection with an empty SEND.
async fn bind(core: &SipPeer, local_path: &str, remote_path: &str) -> TcpStream {
    let place = remote_path
        .strip_prefix("msrp://")
        .and_then(|rest| rest.split('/').next());
    let place: SocketAddr = place
        .and_then(|place| place.parse().ok())
        .expect("an address in the path");
    let mut connection = within(ANSWER, "an MSRP connection", core.connect(place))
        .await
        .expect("the edge listens");
    let transaction = fresh();
    let empty = format!(
        "MSRP {transaction} SEND\r\nTo-Path: {remote_path}\r\nFrom-Path: {local_path}\r\n\
         Message-ID: bind-1\r\nByte-Range: 1-0/0\r\n-------{transaction}$\r\n"
    );
    connection
        .write_all(empty.as_bytes())
        .await
        .expect("an open connection");
    connection
}

/// The value of `a=name:value`.
pub(crate) fn attribute(sdp: &str, name: &str) -> Option<String> {
    let prefix = format!("a={name}:");
    sdp.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .map(str::to_owned)
}
