//! The sender of a large message (requirements §2.2), as text: INVITE, MSRP connection, SENDs.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::Frame;
use super::session::attribute;
use crate::patience::{ANSWER, within};
use crate::sip::{Exchange, RequestText, SipPeer, SipText, Way, fresh};

/// Somebody who wants to send one large message.
#[derive(Debug)]
pub struct Sender {
    /// Who shall get it, of `example.org`.
    pub user: String,
    /// Our path.
    pub path: String,
    /// Where we would be connected to.
    pub listener: TcpListener,
    contact: String,
    call_id: String,
    tag: String,
}

impl Sender {
    /// A sender behind this core.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn new(core: &SipPeer, user: &str) -> Self {
        let listener = TcpListener::bind((core.tcp().ip(), 0))
            .await
            .expect("a free port");
        let local = listener.local_addr().expect("bound");
        Self {
            user: user.to_owned(),
            path: format!("msrp://{local}/{};tcp", fresh()),
            listener,
            contact: format!("<sip:alice@{};transport=tcp>;+g.oma.sip-im", core.tcp()),
            call_id: format!("{}@198.51.100.7", fresh()),
            tag: fresh(),
        }
    }

    fn local(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    /// The media line of a large message with these attribute lines, each ended by CRLF.
    pub fn media(&self, attributes: &str) -> String {
        format!(
            "m=message {} TCP/MSRP *\r\na=path:{}\r\na=accept-types:message/cpim text/plain\r\n{attributes}",
            self.local().port(),
            self.path
        )
    }

    /// A description with these media lines.
    pub fn description(&self, media: &str) -> String {
        let host = self.local().ip();
        format!("v=0\r\no=alice 3973 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{media}")
    }

    /// The INVITE of the example with this description.
    pub fn invite(&self, description: &str) -> RequestText {
        let Self {
            user,
            call_id,
            tag,
            contact,
            ..
        } = self;
        RequestText::new(&format!(
            "INVITE sip:{user}@example.org SIP/2.0
            Via: {{hop}}
            Via: SIP/2.0/TCP 198.51.100.7:5062;branch=z9hG4bK-a-0102
            Max-Forwards: 68
            Route: <sip:{{edge}};transport=tcp;lr>
            From: \"Alice\" <sip:alice@example.org>;tag={tag}
            To: <sip:{user}@example.org>
            Call-ID: {call_id}
            CSeq: 1 INVITE
            Contact: {contact}
            Subject: Minutes of the meeting
            Accept-Contact: *;+g.oma.sip-im
            Allow: INVITE, ACK, CANCEL, BYE, MESSAGE, OPTIONS
            Supported: timer
            Session-Expires: 1800;refresher=uac
            User-Agent: IM-client/OMA1.0 AcmeIM/3.2
            P-Asserted-Identity: \"Alice\" <sip:alice@example.org>
            P-Served-User: <sip:{user}@example.org>;sescase=term;regstate=unreg
            Content-Length: 0"
        ))
        .body("application/sdp", description)
    }

    /// The INVITE with an offer of these attributes.
    pub fn offer(&self, attributes: &str) -> RequestText {
        self.invite(&self.description(&self.media(attributes)))
    }

    /// Sends an INVITE, which must be answered 200, and its ACK.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn accepted(self, core: &mut SipPeer, way: &Way, invite: &RequestText) -> Upload {
        let exchange = core.call(way, invite).await;
        let upload = self.answered(exchange, way.clone());
        upload.acknowledge(core).await;
        upload
    }

    /// The session of an INVITE that was answered 200 on this way.
    ///
    /// # Panics
    /// When it was refused.
    pub fn answered(self, Exchange { request, response }: Exchange, way: Way) -> Upload {
        assert_eq!(response.status(), Some(200), "{response}");
        Upload::new(self, request, response, way)
    }

    /// Has the offer of these attributes accepted and connects.
    pub async fn open(self, core: &mut SipPeer, way: &Way, attributes: &str) -> Upload {
        let invite = self.offer(attributes);
        let mut upload = self.accepted(core, way, &invite).await;
        upload.connect(core).await;
        upload
    }
}

/// A session in which the message goes.
#[derive(Debug)]
pub struct Upload {
    /// Who sends.
    pub sender: Sender,
    /// The INVITE as it was sent.
    pub invite: SipText,
    /// The 200 to it.
    pub response: SipText,
    /// Path of the edge.
    pub remote_path: String,
    way: Way,
    cseq: u32,
    connection: Option<MsrpConnection>,
}

impl Upload {
    fn new(sender: Sender, invite: SipText, response: SipText, way: Way) -> Self {
        let answer = String::from_utf8_lossy(response.body()).into_owned();
        let remote_path =
            attribute(&answer, "path").unwrap_or_else(|| panic!("no path in {answer}"));
        Self {
            sender,
            invite,
            response,
            remote_path,
            way,
            cseq: 1,
            connection: None,
        }
    }

    /// The value of an attribute of the answer.
    pub fn answered(&self, name: &str) -> Option<String> {
        attribute(&String::from_utf8_lossy(self.response.body()), name)
    }

    /// Sends the ACK.
    pub async fn acknowledge(&self, core: &mut SipPeer) {
        let ack = self.request("ACK", 1);
        core.send(&self.way, &ack).await;
    }

    /// Sends the ACK of the last INVITE within the dialog.
    pub async fn acknowledge_cseq(&self, core: &mut SipPeer) {
        let ack = self.request("ACK", self.cseq);
        core.send(&self.way, &ack).await;
    }

    /// A request in the dialog.
    pub fn request(&self, method: &str, cseq: u32) -> RequestText {
        let contact = self.response.field("Contact");
        let target = contact.split(['<', '>']).nth(1).unwrap_or(contact);
        RequestText::new(&format!(
            "{method} {target} SIP/2.0
            Via: {{hop}}
            Max-Forwards: 70
            From: {}
            To: {}
            Call-ID: {}
            CSeq: {cseq} {method}
            Contact: {}
            Content-Length: 0",
            self.invite.field("From"),
            self.response.field("To"),
            self.invite.field("Call-ID"),
            self.invite.field("Contact"),
        ))
    }

    /// The next request in the dialog.
    pub fn next_request(&mut self, method: &str) -> RequestText {
        self.cseq += 1;
        self.request(method, self.cseq)
    }

    /// Says BYE; the status of the answer.
    pub async fn bye(&mut self, core: &mut SipPeer) -> u16 {
        let bye = self.next_request("BYE");
        let way = self.way.clone();
        core.call(&way, &bye).await.response.status().unwrap_or(0)
    }

    /// Waits for the BYE of the edge and answers it.
    pub async fn bye_of_edge(&self, core: &mut SipPeer) -> SipText {
        let call_id = self.invite.field("Call-ID").to_owned();
        let is_bye =
            |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
        let bye = core.expect("the BYE of the edge", is_bye).await;
        core.answer(&bye, "200 OK", &[], "").await;
        bye.text
    }

    /// The BYE of the edge, if it has come; it is answered.
    pub async fn bye_that_came(&self, core: &mut SipPeer) -> Option<SipText> {
        let call_id = self.invite.field("Call-ID").to_owned();
        let is_bye =
            |text: &SipText| text.method() == Some("BYE") && text.field("Call-ID") == call_id;
        if core.count(is_bye) == 0 {
            return None;
        }
        Some(self.bye_of_edge(core).await)
    }

    /// Connects to the path of the edge.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn connect(&mut self, core: &SipPeer) {
        self.connection = Some(MsrpConnection::open(core, &self.remote_path).await);
    }

    /// Waits for the edge to connect.
    ///
    /// # Panics
    /// When it does not.
    pub async fn accept(&mut self) {
        self.connection = Some(MsrpConnection::accept(&self.sender.listener).await);
    }

    /// The MSRP connection.
    ///
    /// # Panics
    /// When there is none.
    pub fn msrp(&mut self) -> &mut MsrpConnection {
        self.connection.as_mut().expect("connected")
    }

    /// Breaks the MSRP connection.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// A SEND with these header lines, each ended by CRLF, this body, and this flag.
    pub fn chunk(&self, transaction: &str, lines: &str, body: &[u8], flag: char) -> Vec<u8> {
        chunk(
            (&self.remote_path, &self.sender.path),
            transaction,
            &format!("{lines}Content-Type: text/plain\r\n"),
            body,
            flag,
        )
    }

    /// Sends a chunk `range` of the message `example-1`.
    pub async fn send(&mut self, transaction: &str, range: &str, body: &[u8], flag: char) {
        let lines = format!("Message-ID: example-1\r\nByte-Range: {range}\r\n");
        let octets = self.chunk(transaction, &lines, body, flag);
        self.msrp().write(&octets).await;
    }

    /// Waits until the edge knows nothing of the session any more. Another connection than that of the
    /// session hears so, and not of its answers.
    pub async fn until_gone(&self, core: &SipPeer) {
        let probe = self.chunk("probe001", "Message-ID: probe\r\n", b"x", '$');
        let mut other = MsrpConnection::open(core, &self.remote_path).await;
        loop {
            other.write(&probe).await;
            match other.response().await.1 {
                481 => break,
                status => assert_eq!(status, 506),
            }
        }
    }

    /// The answers that are still to come, of a session that the edge has forgotten.
    pub async fn answers_to_the_end(&mut self) -> Vec<(String, u16)> {
        let probe = self.chunk("probe002", "Message-ID: probe\r\n", b"x", '$');
        self.msrp().write(&probe).await;
        let mut answers = Vec::new();
        loop {
            let answer = self.msrp().response().await;
            if answer.0 == "probe002" {
                return answers;
            }
            answers.push(answer);
        }
    }

    /// Sends a whole message in one chunk, and waits for its 200.
    pub async fn send_whole(&mut self, body: &[u8]) {
        let range = format!("1-{0}/{0}", body.len());
        self.send("whole001", &range, body, '$').await;
        let answer = self.msrp().frame().await;
        assert_eq!(
            (answer.transaction.as_str(), answer.status()),
            ("whole001", 200),
            "{answer:?}"
        );
    }
}

/// A SEND with these header lines up to its empty line, this body, and this flag.
pub fn chunk(
    (to, from): (&str, &str),
    transaction: &str,
    lines: &str,
    body: &[u8],
    flag: char,
) -> Vec<u8> {
    let mut octets =
        format!("MSRP {transaction} SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\n{lines}\r\n")
            .into_bytes();
    octets.extend_from_slice(body);
    octets.extend_from_slice(format!("\r\n-------{transaction}{flag}\r\n").as_bytes());
    octets
}

/// One MSRP connection.
#[derive(Debug)]
pub struct MsrpConnection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl MsrpConnection {
    /// Connects to the address in this path.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn open(core: &SipPeer, path: &str) -> Self {
        let place = path
            .split("://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        let place: SocketAddr = place
            .and_then(|place| place.parse().ok())
            .expect("an address in the path");
        let stream = within(ANSWER, "an MSRP connection", core.connect(place)).await;
        Self::over(stream.expect("the edge listens"))
    }

    /// Waits for the edge to connect.
    ///
    /// # Panics
    /// When it does not.
    pub async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = within(ANSWER, "the edge to connect", listener.accept())
            .await
            .expect("a connection");
        Self::over(stream)
    }

    fn over(stream: TcpStream) -> Self {
        Self {
            stream,
            received: Vec::new(),
        }
    }

    /// Writes octets as they are.
    ///
    /// # Panics
    /// When the connection is gone.
    pub async fn write(&mut self, octets: &[u8]) {
        within(ANSWER, "room to write", self.stream.write_all(octets))
            .await
            .expect("an open connection");
    }

    /// The next frame; none once the connection has ended.
    pub async fn next(&mut self) -> Option<Frame> {
        within(ANSWER, "an MSRP frame", async {
            loop {
                if let Some(frame) = Frame::take(&mut self.received) {
                    return Some(frame);
                }
                match self.stream.read_buf(&mut self.received).await {
                    Ok(0) | Err(_) => return None,
                    Ok(_) => {}
                }
            }
        })
        .await
    }

    /// The next frame.
    ///
    /// # Panics
    /// When the connection has ended.
    pub async fn frame(&mut self) -> Frame {
        self.next().await.expect("the MSRP connection has ended")
    }

    /// Transaction and status of the next frame, which must be a response.
    pub async fn response(&mut self) -> (String, u16) {
        let frame = self.frame().await;
        (frame.transaction.clone(), frame.status())
    }
}
