//! SIP peers that say what the test wrote.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use sip::{Limits, Message, Name, Request, Response, StreamDecoder, StreamItem, parse_datagram};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::within;

/// A peer over UDP.
pub(crate) struct UdpPeer {
    socket: UdpSocket,
    edge: SocketAddr,
}

impl UdpPeer {
    pub(crate) async fn new(edge: SocketAddr) -> Self {
        Self {
            socket: UdpSocket::bind("127.0.0.1:0").await.expect("a free port"),
            edge,
        }
    }

    pub(crate) async fn send(&self, text: &str) {
        self.socket
            .send_to(text.as_bytes(), self.edge)
            .await
            .expect("sent");
    }

    /// The next datagram as text.
    pub(crate) async fn receive(&self) -> String {
        let mut buffer = vec![0; 65_536];
        let (octets, _) = within("a datagram", self.socket.recv_from(&mut buffer))
            .await
            .expect("received");
        String::from_utf8_lossy(&buffer[..octets]).into_owned()
    }

    /// The response to what was sent.
    pub(crate) async fn response(&self) -> Response {
        match self.next().await {
            Message::Response(response) => response,
            Message::Request(request) => panic!("a request came: {request:?}"),
        }
    }

    /// The next request.
    pub(crate) async fn request(&self) -> Request {
        match self.next().await {
            Message::Request(request) => request,
            Message::Response(response) => panic!("a response came: {response:?}"),
        }
    }

    async fn next(&self) -> Message {
        parse_datagram(Bytes::from(self.receive().await), &Limits::default()).expect("SIP")
    }
}

/// A connection, in clear or over TLS.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// A peer over one TCP connection, which may carry TLS.
pub(crate) struct TcpPeer {
    stream: Box<dyn Stream>,
    address: SocketAddr,
    decoder: StreamDecoder,
    /// Requests that came before an answer that was waited for.
    early: VecDeque<Request>,
}

impl TcpPeer {
    pub(crate) async fn connect(edge: SocketAddr) -> Self {
        let stream = TcpStream::connect(edge).await.expect("it listens");
        let address = stream.local_addr().expect("connected");
        Self::over(stream, address)
    }

    /// Connects and shakes hands.
    pub(crate) async fn connect_tls(edge: SocketAddr, tls: ClientConfig) -> Self {
        let stream = TcpStream::connect(edge).await.expect("it listens");
        let address = stream.local_addr().expect("connected");
        let connector = TlsConnector::from(Arc::new(tls));
        let shaking = connector.connect(ServerName::from(edge.ip()), stream);
        let stream = within("the handshake", shaking).await.expect("TLS");
        Self::over(stream, address)
    }

    /// Waits for the edge to connect.
    pub(crate) async fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = within("the edge", listener.accept())
            .await
            .expect("accepted");
        let address = stream.local_addr().expect("connected");
        Self::over(stream, address)
    }

    /// Waits for the edge to connect and shake hands; `None` if it does not like what it is shown.
    pub(crate) async fn accept_tls(listener: &TcpListener, tls: ServerConfig) -> Option<Self> {
        let (stream, _) = within("the edge", listener.accept())
            .await
            .expect("accepted");
        let address = stream.local_addr().expect("connected");
        let shaking = TlsAcceptor::from(Arc::new(tls)).accept(stream);
        let stream = within("the handshake", shaking).await.ok()?;
        Some(Self::over(stream, address))
    }

    fn over(stream: impl Stream + 'static, address: SocketAddr) -> Self {
        Self {
            stream: Box::new(stream),
            address,
            decoder: StreamDecoder::new(Limits::default()),
            early: VecDeque::new(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("sent");
        self.stream.flush().await.expect("sent");
    }

    async fn next(&mut self) -> Message {
        loop {
            match self.decoder.next().expect("SIP") {
                Some(StreamItem::Message(message)) => return message,
                Some(other) => panic!("not a message: {other:?}"),
                None => {}
            }
            let mut buffer = BytesMut::with_capacity(65_536);
            let octets = within("octets", self.stream.read_buf(&mut buffer))
                .await
                .expect("read");
            assert_ne!(octets, 0, "the edge closed the connection");
            self.decoder.push(&buffer);
        }
    }

    /// The next response; provisional ones are passed over.
    pub(crate) async fn response(&mut self) -> Response {
        loop {
            match self.next().await {
                Message::Response(response) if response.status().is_final() => return response,
                Message::Response(_) => {}
                Message::Request(request) => panic!("a request came: {request:?}"),
            }
        }
    }

    /// The next final response; requests that overtake it come out of [`TcpPeer::request`] later.
    pub(crate) async fn response_amid_requests(&mut self) -> Response {
        loop {
            match self.next().await {
                Message::Response(response) if response.status().is_final() => return response,
                Message::Response(_) => {}
                Message::Request(request) => self.early.push_back(request),
            }
        }
    }

    /// The next request.
    pub(crate) async fn request(&mut self) -> Request {
        if let Some(request) = self.early.pop_front() {
            return request;
        }
        match self.next().await {
            Message::Request(request) => request,
            Message::Response(response) => panic!("a response came: {response:?}"),
        }
    }

    /// The next request, which must have this method.
    pub(crate) async fn request_of(&mut self, method: &str) -> Request {
        let request = self.request().await;
        assert_eq!(request.method().as_str(), method, "{request:?}");
        request
    }

    /// Answers a request with this status line and these lines before the body.
    pub(crate) async fn answer(
        &mut self,
        request: &Request,
        status: &str,
        lines: &str,
        body: &str,
    ) {
        let text = answer(request, status, lines, body);
        self.send(&text).await;
    }

    /// The requests and responses until the edge closes the connection.
    pub(crate) async fn rest(mut self) -> String {
        let mut rest = Vec::new();
        within(
            "the end of the connection",
            self.stream.read_to_end(&mut rest),
        )
        .await
        .expect("read");
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// A response with what RFC 3261 §8.2.6 copies, and the tag `b-9d`.
pub(crate) fn answer(request: &Request, status: &str, lines: &str, body: &str) -> String {
    let copied: String = [
        Name::Via,
        Name::RecordRoute,
        Name::From,
        Name::CallId,
        Name::CSeq,
    ]
    .iter()
    .flat_map(|name| request.headers().all(*name))
    .map(|field| format!("{}: {}\r\n", field.name(), field.value()))
    .collect();
    let to = request
        .headers()
        .first(Name::To)
        .expect("a To")
        .value()
        .into_owned();
    let tag = if to.contains(";tag=") {
        ""
    } else {
        ";tag=b-9d"
    };
    format!(
        "SIP/2.0 {status}\r\n{copied}To: {to}{tag}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The value of a header, empty if it is not there.
pub(crate) fn value(headers: &sip::Headers, name: &str) -> String {
    headers
        .first_named(name)
        .map(|field| field.value().into_owned())
        .unwrap_or_default()
}
