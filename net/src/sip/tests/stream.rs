//! Requests that arrive by TCP.

use super::*;

use sip::{StreamDecoder, StreamItem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A peer that is nothing but a connection.
struct TcpPeer {
    stream: TcpStream,
    decoder: StreamDecoder,
}

impl TcpPeer {
    async fn of(endpoint: &SipEndpoint) -> Self {
        let stream = TcpStream::connect(address(endpoint, Transport::Tcp))
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            decoder: StreamDecoder::new(Limits::default()),
        }
    }

    fn via(&self) -> String {
        format!("SIP/2.0/TCP {}", self.stream.local_addr().unwrap())
    }

    async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    async fn response(&mut self) -> Response {
        loop {
            match self.decoder.next().unwrap() {
                Some(StreamItem::Message(Message::Response(response))) => return response,
                Some(other) => panic!("expected a response: {other:?}"),
                None => {}
            }
            let mut buffer = [0; 4096];
            let length = soon(self.stream.read(&mut buffer)).await.unwrap();
            assert_ne!(length, 0, "the connection was closed");
            self.decoder.push(&buffer[..length]);
        }
    }

    /// Waits for the other side to close and returns what it still sent.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        soon(self.stream.read_to_end(&mut rest)).await.unwrap();
        rest
    }
}

#[tokio::test]
async fn message_dribbled_octet_by_octet_is_served() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let mut peer = TcpPeer::of(&endpoint).await;
    for octet in request("MESSAGE", &peer.via(), "z9hG4bK1").into_bytes() {
        peer.send([octet]).await;
    }
    let transaction = next_request(&mut incoming).await;
    assert_eq!(transaction.source().transport, Transport::Tcp);
    transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
    assert_eq!(peer.response().await.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn two_requests_in_one_segment_are_both_served() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let mut peer = TcpPeer::of(&endpoint).await;
    let via = peer.via();
    peer.send(request("MESSAGE", &via, "z9hG4bK1") + &request("MESSAGE", &via, "z9hG4bK2"))
        .await;
    for _ in 0..2 {
        let transaction = next_request(&mut incoming).await;
        transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
        assert_eq!(peer.response().await.status(), StatusCode::ACCEPTED);
    }
}

#[tokio::test]
async fn keep_alive_is_answered_with_crlf() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let mut peer = TcpPeer::of(&endpoint).await;
    peer.send("\r\n\r\n").await;
    let mut pong = [0; 2];
    soon(peer.stream.read_exact(&mut pong)).await.unwrap();
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn missing_content_length_is_answered_400_and_the_connection_closed() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let mut peer = TcpPeer::of(&endpoint).await;
    let message = request("MESSAGE", &peer.via(), "z9hG4bK1").replace("Content-Length: 0\r\n", "");
    peer.send(message).await;
    let rest = peer.rest().await;
    assert!(
        rest.starts_with(b"SIP/2.0 400 "),
        "{}",
        String::from_utf8_lossy(&rest)
    );
}

#[tokio::test]
async fn ct_rob_02_a_header_block_beyond_the_limit_is_answered_513_before_the_connection_closes() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let mut peer = TcpPeer::of(&endpoint).await;
    let message = request("MESSAGE", &peer.via(), "z9hG4bK1");
    let (before, _) = message.split_once("Content-Length").unwrap();
    peer.send(before).await;
    // Far more than is looked at, all of it on its way when the answer is given.
    let line = format!("X-Long: {}\r\n", "x".repeat(1000));
    for _ in 0..1000 {
        if peer.stream.write_all(line.as_bytes()).await.is_err() {
            break;
        }
    }
    let rest = peer.rest().await;
    assert!(
        rest.starts_with(b"SIP/2.0 513 "),
        "{}",
        String::from_utf8_lossy(&rest)
    );
}

#[tokio::test]
async fn silent_connection_is_closed() {
    let config = SipConfig {
        idle_timeout: Duration::from_millis(20),
        ..config(T1)
    };
    let (endpoint, _incoming) = SipEndpoint::bind(config).await.unwrap();
    let mut peer = TcpPeer::of(&endpoint).await;
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn message_that_never_ends_closes_its_connection() {
    let config = SipConfig {
        message_timeout: Duration::from_millis(20),
        ..config(T1)
    };
    let (endpoint, _incoming) = SipEndpoint::bind(config).await.unwrap();
    let mut peer = TcpPeer::of(&endpoint).await;
    peer.send("MESSAGE sip:bob@exa").await;
    assert_eq!(peer.rest().await, b"");
}

#[tokio::test]
async fn connection_beyond_the_limit_is_closed() {
    let config = SipConfig {
        max_connections: 1,
        ..config(T1)
    };
    let (endpoint, _incoming) = SipEndpoint::bind(config).await.unwrap();
    let mut first = TcpPeer::of(&endpoint).await;
    first.send("\r\n\r\n").await;
    let mut second = TcpPeer::of(&endpoint).await;
    assert_eq!(second.rest().await, b"");
    let mut pong = [0; 2];
    soon(first.stream.read_exact(&mut pong)).await.unwrap();
}

#[tokio::test]
async fn connection_beyond_the_limit_of_its_address_is_closed() {
    let config = SipConfig {
        max_connections_per_address: 1,
        ..config(T1)
    };
    let (endpoint, _incoming) = SipEndpoint::bind(config).await.unwrap();
    let mut first = TcpPeer::of(&endpoint).await;
    first.send("\r\n\r\n").await;
    let mut second = TcpPeer::of(&endpoint).await;
    assert_eq!(second.rest().await, b"");
    let other = tokio::net::TcpSocket::new_v4().unwrap();
    other.bind(([127, 0, 0, 2], 0).into()).unwrap();
    let stream = other.connect(address(&endpoint, Transport::Tcp)).await;
    let mut other = TcpPeer {
        stream: stream.unwrap(),
        decoder: StreamDecoder::new(Limits::default()),
    };
    other.send("\r\n\r\n").await;
    let mut pong = [0; 2];
    soon(other.stream.read_exact(&mut pong)).await.unwrap();
}

#[tokio::test]
async fn response_whose_connection_has_gone_takes_a_new_one() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let mut peer = TcpPeer::of(&endpoint).await;
    let via = format!("SIP/2.0/TCP {}", listener.local_addr().unwrap());
    peer.send(request("MESSAGE", &via, "z9hG4bK1")).await;
    let transaction = next_request(&mut incoming).await;
    drop(peer);
    is_closed(&transaction.source().flow).await;
    transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
    let (stream, _) = soon(listener.accept()).await.unwrap();
    let mut peer = TcpPeer {
        stream,
        decoder: StreamDecoder::new(Limits::default()),
    };
    assert_eq!(peer.response().await.status(), StatusCode::ACCEPTED);
}
