//! An endpoint that goes by the records.

use std::net::{Ipv4Addr, SocketAddr};

use sip::{Method, RequestBuilder};
use tokio::net::{TcpListener, UdpSocket};
use tokio::time::timeout;

use super::*;
use crate::sip::{SipConfig, SipEndpoint, SipListener, Target};

/// An endpoint without IPv6, whose servers are one of IPv6 and, as the second choice, `address`.
async fn endpoint(service: &str, address: SocketAddr) -> SipEndpoint {
    let zone = Zone::default()
        .srv(service, "1 0 5060 v6.example.com.")
        .srv(service, &format!("2 0 {} v4.example.com.", address.port()))
        .address("v6.example.com.", "2001:db8::1")
        .address("v4.example.com.", &address.ip().to_string());
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let transport = Transport::Udp;
    let config = SipConfig {
        listeners: vec![SipListener {
            transport,
            address: loopback,
        }],
        connect_timeout: Duration::from_millis(500),
        resolver: Resolver::new(Arc::new(zone), TOO_LONG),
        ..SipConfig::default()
    };
    SipEndpoint::bind(config).await.unwrap().0
}

async fn send(endpoint: &SipEndpoint, body: usize) -> crate::sip::ClientTransaction {
    let request = RequestBuilder::new(Method::Message, &"sip:user@example.com")
        .header(sip::Name::From, "<sip:edge.example.com>;tag=1")
        .header(sip::Name::To, "<sip:user@example.com>")
        .header(sip::Name::CallId, "a@b")
        .header(sip::Name::CSeq, "1 MESSAGE")
        .header(sip::Name::MaxForwards, "70")
        .body("text/plain", vec![b'x'; body])
        .build();
    let target = Target::Uri("sip:user@example.com".parse().unwrap());
    let sent = endpoint.request(request, &target, "z9hG4bK1".to_owned());
    sent.await.unwrap()
}

#[tokio::test]
async fn a_request_goes_to_the_first_server_that_can_be_reached() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = server.local_addr().unwrap();
    let endpoint = endpoint("_sip._udp.example.com", address).await;
    let _transaction = send(&endpoint, 10).await;
    let mut buffer = [0; 2048];
    let received = timeout(TOO_LONG, server.recv(&mut buffer)).await;
    let length = received.unwrap().unwrap();
    assert!(buffer[..length].starts_with(b"MESSAGE sip:user@example.com SIP/2.0\r\n"));
    endpoint.close().await;
}

#[tokio::test]
async fn a_large_request_goes_to_the_servers_of_tcp() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = server.local_addr().unwrap();
    let endpoint = endpoint("_sip._tcp.example.com", address).await;
    let _transaction = timeout(TOO_LONG, send(&endpoint, 1400)).await.unwrap();
    assert!(timeout(TOO_LONG, server.accept()).await.unwrap().is_ok());
    endpoint.close().await;
}
