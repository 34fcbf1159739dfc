//! SIP over TLS.

mod admission;
mod exchange;
mod reload;

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, crypto::ring, version};
use sip::{Method, StreamDecoder, StreamItem};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::client::own;
use super::*;
use crate::resolve::{Answer, Lookup, Naptr, Resolver, Srv};
use crate::sip::Target;
use crate::tls::tests::Authority;
use crate::tls::{TlsConfig, VerifyPeers};

/// Every name is this machine.
struct Loopback;

impl Lookup for Loopback {
    fn naptr<'a>(&'a self, _: &'a str) -> Answer<'a, Naptr> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn srv<'a>(&'a self, _: &'a str) -> Answer<'a, Srv> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn addresses<'a>(&'a self, _: &'a str) -> Answer<'a, std::net::IpAddr> {
        Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })
    }

    fn host_table(&self, _: &str) -> Vec<std::net::IpAddr> {
        Vec::new()
    }
}

/// An endpoint that speaks TLS alone.
async fn secure(tls: TlsConfig) -> (SipEndpoint, Incoming) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let transport = Transport::Tls;
    let config = SipConfig {
        listeners: vec![SipListener { transport, address }],
        tls: Some(tls),
        resolver: Resolver::new(Arc::new(Loopback), TOO_LONG),
        ..config(T1)
    };
    SipEndpoint::bind(config).await.unwrap()
}

/// `sips:` at the endpoint's port under this name.
fn at(name: &str, endpoint: &SipEndpoint) -> Target {
    let port = address(endpoint, Transport::Tls).port();
    Target::Uri(format!("sips:{name}:{port}").parse().unwrap())
}

fn message() -> Request {
    own(Method::Message, "sip:bob@example.org", 10)
}

/// A peer without certificate.
struct TlsPeer {
    stream: TlsStream<TcpStream>,
    decoder: StreamDecoder,
}

impl TlsPeer {
    /// With whatever versions of TLS.
    async fn of(
        endpoint: &SipEndpoint,
        authority: &Authority,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(authority.roots())
            .with_no_client_auth();
        let stream = TcpStream::connect(address(endpoint, Transport::Tls)).await?;
        let name = ServerName::try_from("edge.example").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self {
            stream: soon(connector.connect(name, stream)).await?,
            decoder: StreamDecoder::new(Limits::default()),
        })
    }

    async fn new(endpoint: &SipEndpoint, authority: &Authority) -> Self {
        Self::of(endpoint, authority, rustls::ALL_VERSIONS)
            .await
            .unwrap()
    }

    /// The certificate that the endpoint showed.
    fn certificate(&self) -> Vec<u8> {
        let shown = self.stream.get_ref().1.peer_certificates();
        shown.unwrap()[0].to_vec()
    }

    async fn send(&mut self, via: &str, branch: &str) {
        let request = request("MESSAGE", via, branch);
        self.stream.write_all(request.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
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

    /// Sends a request and waits for the endpoint's answer to it.
    async fn is_answered(&mut self, branch: &str) {
        self.send("SIP/2.0/TLS peer.example", branch).await;
        assert_eq!(self.response().await.status(), StatusCode::ACCEPTED);
    }
}

/// Answers every request.
async fn answer_all(mut incoming: Incoming) {
    while let Some(arrival) = incoming.next().await {
        if let Arrival::Request(transaction) = arrival {
            transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
        }
    }
}
