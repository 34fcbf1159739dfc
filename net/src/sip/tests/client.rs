//! Requests of our own.

use super::*;

use sip::{Method, Name, RequestBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::sip::{ClientTransaction, SendError, Target, TransactionFailure};

/// A request without Via.
pub(super) fn own(method: Method, uri: &str, body: usize) -> Request {
    let cseq = format!("1 {method}");
    RequestBuilder::new(method, &uri)
        .header(Name::MaxForwards, 70)
        .header(Name::From, "<sip:alice@example.org>;tag=a1")
        .header(Name::To, "<sip:bob@example.org>")
        .header(Name::CallId, "call-1")
        .header(Name::CSeq, cseq)
        .body("text/plain", vec![b'x'; body])
        .build()
}

fn to(address: SocketAddr, params: &str) -> Target {
    Target::Uri(format!("sip:{address}{params}").parse().unwrap())
}

pub(super) async fn final_response(transaction: &mut ClientTransaction) -> Response {
    loop {
        let response = soon(transaction.next()).await.unwrap().unwrap();
        if response.status().is_final() {
            return response;
        }
    }
}

#[tokio::test]
async fn request_carries_our_via_and_gets_its_response() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    let message = own(Method::Message, "sip:bob@example.org", 10);
    let mut transaction = endpoint
        .request(message, &to(peer.address(), ""), "z9hG4bK-rst-1".to_owned())
        .await
        .unwrap();
    let received = peer.request().await;
    let via = received.headers().top_via().unwrap().unwrap();
    assert_eq!(via.branch(), Some("z9hG4bK-rst-1"));
    assert!(via.params.has("rport"));
    assert_eq!(via.sent_by.to_string(), endpoint.sent_by(Transport::Udp));
    peer.send(
        ResponseBuilder::reply_to(&received, StatusCode::ACCEPTED)
            .build()
            .as_bytes(),
    )
    .await;
    assert_eq!(
        final_response(&mut transaction).await.status(),
        StatusCode::ACCEPTED
    );
    assert!(soon(transaction.next()).await.is_none());
}

#[tokio::test]
async fn unanswered_request_is_sent_again_and_times_out() {
    let (endpoint, _incoming) = endpoint(Duration::from_millis(5)).await;
    let peer = UdpPeer::of(&endpoint).await;
    let message = own(Method::Message, "sip:bob@example.org", 10);
    let mut transaction = endpoint
        .request(message, &to(peer.address(), ""), "z9hG4bK1".to_owned())
        .await
        .unwrap();
    let first = peer.request().await;
    let second = peer.request().await;
    assert_eq!(first.as_bytes(), second.as_bytes());
    assert_eq!(
        soon(transaction.next()).await.unwrap().unwrap_err(),
        TransactionFailure::Timeout
    );
    assert!(soon(transaction.next()).await.is_none());
}

/// Two endpoints: the first request of one, answered by the other.
async fn exchange(message: Request, params: &str, transport: Transport) -> Transport {
    let (sender, _) = endpoint(T1).await;
    let (receiver, mut incoming) = endpoint(T1).await;
    let target = to(address(&receiver, transport), params);
    let mut transaction = sender
        .request(message, &target, "z9hG4bK1".to_owned())
        .await
        .unwrap();
    let served = next_request(&mut incoming).await;
    served.respond(reply(&served, StatusCode::OK));
    assert_eq!(
        final_response(&mut transaction).await.status(),
        StatusCode::OK
    );
    served.source().transport
}

#[tokio::test]
async fn large_request_takes_tcp_unless_the_target_forbids_it() {
    let small = own(Method::Message, "sip:bob@example.org", 10);
    let large = own(Method::Message, "sip:bob@example.org", 1300);
    assert_eq!(
        exchange(small.clone(), "", Transport::Udp).await,
        Transport::Udp
    );
    assert_eq!(
        exchange(small, ";transport=tcp", Transport::Tcp).await,
        Transport::Tcp
    );
    assert_eq!(
        exchange(large.clone(), "", Transport::Tcp).await,
        Transport::Tcp
    );
    assert_eq!(
        exchange(large.clone(), ";transport=udp", Transport::Udp).await,
        Transport::Udp
    );
    // Nobody listens on that TCP port: RFC 3261 §18.1.1 allows UDP then.
    assert_eq!(exchange(large, "", Transport::Udp).await, Transport::Udp);
}

#[tokio::test]
async fn request_on_a_flow_takes_the_connection_of_the_peer() {
    let (client, mut client_incoming) = endpoint(T1).await;
    let (server, mut server_incoming) = endpoint(T1).await;
    let register = own(Method::Register, "sip:example.org", 0);
    let target = to(address(&server, Transport::Tcp), ";transport=tcp");
    let _register = client
        .request(register, &target, "z9hG4bK1".to_owned())
        .await
        .unwrap();
    let registration = next_request(&mut server_incoming).await;
    registration.respond(reply(&registration, StatusCode::OK));
    let flow = Target::Flow(registration.source().flow.clone());
    let message = own(Method::Message, "sip:alice@10.9.9.9", 2000);
    let mut push = server
        .request(message, &flow, "z9hG4bK2".to_owned())
        .await
        .unwrap();
    let pushed = next_request(&mut client_incoming).await;
    assert_eq!(pushed.source().remote, address(&server, Transport::Tcp));
    pushed.respond(reply(&pushed, StatusCode::OK));
    assert_eq!(final_response(&mut push).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn invite_is_answered_and_acknowledged() {
    let (uac, _) = endpoint(T1).await;
    let (uas, mut incoming) = endpoint(T1).await;
    let target = to(address(&uas, Transport::Udp), "");
    let invite = own(Method::Invite, "sip:bob@example.org", 0);
    let mut transaction = uac
        .request(invite, &target, "z9hG4bK1".to_owned())
        .await
        .unwrap();
    let served = next_request(&mut incoming).await;
    served.respond(reply(&served, StatusCode::RINGING));
    served.respond(reply(&served, StatusCode::OK));
    let answer = final_response(&mut transaction).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let ack = RequestBuilder::new(Method::Ack, &"sip:bob@example.org")
        .header(Name::MaxForwards, 70)
        .header(Name::From, "<sip:alice@example.org>;tag=a1")
        .header(Name::To, "<sip:bob@example.org>;tag=b1")
        .header(Name::CallId, "call-1")
        .header(Name::CSeq, "1 ACK")
        .build();
    uac.send_ack(ack, &target, "z9hG4bK2".to_owned())
        .await
        .unwrap();
    assert!(matches!(
        soon(incoming.next()).await,
        Some(Arrival::Ack { .. })
    ));
}

#[tokio::test]
async fn cancelled_invite_ends_with_487() {
    let (uac, _) = endpoint(T1).await;
    let (uas, mut incoming) = endpoint(T1).await;
    let target = to(address(&uas, Transport::Tcp), ";transport=tcp");
    let invite = own(Method::Invite, "sip:bob@example.org", 0);
    let mut transaction = uac
        .request(invite, &target, "z9hG4bK1".to_owned())
        .await
        .unwrap();
    // Too early: the CANCEL waits for the 180.
    transaction.cancel();
    let served = next_request(&mut incoming).await;
    served.respond(reply(&served, StatusCode::RINGING));
    soon(served.cancelled()).await;
    drop(served);
    assert_eq!(
        final_response(&mut transaction).await.status(),
        StatusCode::REQUEST_TERMINATED
    );
}

#[tokio::test]
async fn targets_that_lead_nowhere_are_errors() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let message = || own(Method::Message, "sip:bob@example.org", 10);
    let tel = Target::Uri("tel:+15551234".parse().unwrap());
    let unresolved = endpoint
        .request(message(), &tel, "z9hG4bK1".to_owned())
        .await;
    assert!(matches!(unresolved, Err(SendError::Unresolved(_))));
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let closed = to(free.local_addr().unwrap(), ";transport=tcp");
    drop(free);
    let refused = endpoint
        .request(message(), &closed, "z9hG4bK2".to_owned())
        .await;
    assert!(matches!(refused, Err(SendError::Connect { .. })));
    let huge = own(Method::Message, "sip:bob@example.org", 70_000);
    let udp = to(address(&endpoint, Transport::Udp), ";transport=udp");
    let too_large = endpoint.request(huge, &udp, "z9hG4bK3".to_owned()).await;
    assert!(matches!(too_large, Err(SendError::TooLarge)));
}

/// A stream peer that has one of our requests in hand, and its listener.
async fn with_request_by_tcp(endpoint: &SipEndpoint) -> (ClientTransaction, TcpStream, Request) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let target = to(listener.local_addr().unwrap(), ";transport=tcp");
    let message = own(Method::Message, "sip:bob@example.org", 10);
    let transaction = endpoint
        .request(message, &target, "z9hG4bK1".to_owned())
        .await
        .unwrap();
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    let mut octets = vec![0; 4096];
    let length = soon(stream.read(&mut octets)).await.unwrap();
    let message = parse_datagram(octets[..length].to_vec().into(), &Limits::default()).unwrap();
    let Message::Request(request) = message else {
        panic!("expected a request: {message:?}");
    };
    (transaction, stream, request)
}

#[tokio::test]
async fn broken_connection_fails_its_requests_at_once() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let (mut transaction, stream, _) = with_request_by_tcp(&endpoint).await;
    stream.set_zero_linger().unwrap();
    drop(stream);
    assert_eq!(
        soon(transaction.next()).await.unwrap().unwrap_err(),
        TransactionFailure::Unreachable
    );
    assert!(soon(transaction.next()).await.is_none());
}

#[tokio::test]
async fn peer_that_closes_its_connection_may_answer_on_another() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let (mut transaction, stream, request) = with_request_by_tcp(&endpoint).await;
    drop(stream);
    is_closed(transaction.flow()).await;
    let response = ResponseBuilder::reply_to(&request, StatusCode::ACCEPTED).build();
    let mut other = TcpStream::connect(address(&endpoint, Transport::Tcp))
        .await
        .unwrap();
    other.write_all(response.as_bytes()).await.unwrap();
    assert_eq!(
        final_response(&mut transaction).await.status(),
        StatusCode::ACCEPTED
    );
}
