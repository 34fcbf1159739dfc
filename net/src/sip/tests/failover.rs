//! From a hop that fails to the next one of the same URI (RFC 3263 §4.3).

use std::net::IpAddr;
use std::sync::Arc;

use sip::Method;

use super::client::{final_response, own};
use super::*;
use crate::resolve::{Answer, Lookup, Naptr, Resolver, Srv};
use crate::sip::{ClientTransaction, Target, TransactionFailure};

/// Knows one host with two addresses.
struct TwoAddresses;

impl Lookup for TwoAddresses {
    fn naptr<'a>(&'a self, _: &'a str) -> Answer<'a, Naptr> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn srv<'a>(&'a self, _: &'a str) -> Answer<'a, Srv> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn addresses<'a>(&'a self, _: &'a str) -> Answer<'a, IpAddr> {
        Box::pin(async { Ok(vec![[127, 0, 0, 1].into(), [127, 0, 0, 2].into()]) })
    }

    fn host_table(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }
}

/// Peers at both addresses, at one port.
async fn peers(endpoint: &SipEndpoint) -> [UdpPeer; 2] {
    let first = UdpPeer::of(endpoint).await;
    let socket = UdpSocket::bind((Ipv4Addr::new(127, 0, 0, 2), first.address().port()));
    let second = UdpPeer {
        socket: socket.await.unwrap(),
        endpoint: first.endpoint,
    };
    [first, second]
}

async fn bound(t1: Duration) -> SipEndpoint {
    let config = SipConfig {
        resolver: Resolver::new(Arc::new(TwoAddresses), TOO_LONG),
        ..config(t1)
    };
    SipEndpoint::bind(config).await.unwrap().0
}

async fn sent(endpoint: &SipEndpoint, port: u16, further: &[&str]) -> ClientTransaction {
    let target = format!("sip:core.example.net:{port};transport=udp");
    let target = Target::Uri(target.parse().unwrap());
    let message = own(Method::Message, "sip:bob@example.org", 10);
    let further = || further.iter().map(ToString::to_string).collect();
    let sending = endpoint.request_failing_over(message, &target, "z9hG4bK-1".to_owned(), further);
    sending.await.unwrap()
}

async fn answered(peer: &UdpPeer, status: StatusCode) -> String {
    let request = peer.request().await;
    let answer = ResponseBuilder::reply_to(&request, status).build();
    peer.send(answer.as_bytes()).await;
    let via = request.headers().top_via().unwrap().unwrap();
    via.branch().unwrap().to_owned()
}

#[tokio::test]
async fn a_503_leads_to_the_next_address_with_the_next_branch() {
    let endpoint = bound(T1).await;
    let [first, second] = peers(&endpoint).await;
    let mut transaction = sent(&endpoint, first.address().port(), &["z9hG4bK-2"]).await;
    let (outcome, branches) = tokio::join!(final_response(&mut transaction), async {
        let first = answered(&first, StatusCode::SERVICE_UNAVAILABLE).await;
        [first, answered(&second, StatusCode::ACCEPTED).await]
    });
    assert_eq!(outcome.status(), StatusCode::ACCEPTED);
    assert_eq!(branches, ["z9hG4bK-1", "z9hG4bK-2"]);
    assert_eq!(transaction.flow().remote(), second.address());
}

#[tokio::test]
async fn silence_leads_to_the_next_address() {
    let endpoint = bound(Duration::from_millis(5)).await;
    let [first, second] = peers(&endpoint).await;
    let mut transaction = sent(&endpoint, first.address().port(), &["z9hG4bK-2"]).await;
    let (outcome, _) = tokio::join!(
        final_response(&mut transaction),
        answered(&second, StatusCode::ACCEPTED)
    );
    assert_eq!(outcome.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn the_last_failure_is_told_where_no_address_or_branch_is_left() {
    let endpoint = bound(T1).await;
    let [first, _second] = peers(&endpoint).await;
    let port = first.address().port();
    let mut only = sent(&endpoint, port, &[]).await;
    let (outcome, _) = tokio::join!(
        final_response(&mut only),
        answered(&first, StatusCode::SERVICE_UNAVAILABLE)
    );
    assert_eq!(outcome.status(), StatusCode::SERVICE_UNAVAILABLE);
    let endpoint = bound(Duration::from_millis(2)).await;
    let [first, _second] = peers(&endpoint).await;
    let mut silent = sent(
        &endpoint,
        first.address().port(),
        &["z9hG4bK-2", "z9hG4bK-3"],
    )
    .await;
    let outcome = soon(silent.next()).await;
    assert!(
        matches!(outcome, Some(Err(TransactionFailure::Timeout))),
        "{outcome:?}"
    );
}
