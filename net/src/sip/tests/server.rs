//! Requests that arrive by UDP.

use super::*;

#[tokio::test]
async fn request_is_answered_to_the_port_it_came_from() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    // The sent-by is wrong, as behind an address translator: rport brings the response back.
    peer.send(request(
        "OPTIONS",
        "SIP/2.0/UDP 10.1.2.3:5099;rport",
        "z9hG4bK1",
    ))
    .await;
    let transaction = next_request(&mut incoming).await;
    assert_eq!(transaction.source().transport, Transport::Udp);
    assert_eq!(transaction.source().remote, peer.address());
    transaction.respond(reply(&transaction, StatusCode::OK));
    let response = peer.response().await;
    assert_eq!(response.status(), StatusCode::OK);
    let via = response.headers().top_via().unwrap().unwrap();
    assert_eq!(via.rport(), Some(peer.address().port()));
    assert_eq!(via.params.value("received"), Some("127.0.0.1"));
}

#[tokio::test]
async fn ct_pfm_09_a_request_is_handed_over_as_it_was_received() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    let message = request(
        "MESSAGE",
        "SIP/2.0/UDP  10.1.2.3:5099 ;rport",
        "z9hG4bK4, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK5",
    );
    peer.send(&message).await;
    let transaction = next_request(&mut incoming).await;
    assert_eq!(transaction.request().as_bytes(), message.as_bytes());
    transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
    let vias = peer.response().await.headers().vias().unwrap();
    assert_eq!(vias[0].rport(), Some(peer.address().port()));
    assert_eq!(vias[1].branch(), Some("z9hG4bK5"));
}

#[tokio::test]
async fn retransmission_gets_the_same_response_and_is_seen_once() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    let message = request("MESSAGE", &peer.via(), "z9hG4bK2");
    peer.send(&message).await;
    let transaction = next_request(&mut incoming).await;
    transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
    let first = peer.response().await;
    peer.send(&message).await;
    let second = peer.response().await;
    assert_eq!(first.as_bytes(), second.as_bytes());
    // A request sent later is the next arrival: the retransmission was none.
    peer.send(request("OPTIONS", &peer.via(), "z9hG4bK3")).await;
    assert_eq!(
        next_request(&mut incoming)
            .await
            .request()
            .method()
            .as_str(),
        "OPTIONS"
    );
}

#[tokio::test]
async fn merged_request_is_marked() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    let first = request("MESSAGE", &peer.via(), "z9hG4bK4");
    peer.send(&first).await;
    let original = next_request(&mut incoming).await;
    peer.send(first.replace("branch=z9hG4bK4", "branch=z9hG4bK4-other-path"))
        .await;
    let copy = next_request(&mut incoming).await;
    assert!(!original.merged());
    assert!(copy.merged());
}

#[tokio::test]
async fn garbage_with_a_via_is_answered_400() {
    let (endpoint, _incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    let no_call_id = request("MESSAGE", &peer.via(), "z9hG4bK5").replace("Call-ID", "Call-IDs");
    peer.send(no_call_id).await;
    assert_eq!(peer.response().await.status(), StatusCode::BAD_REQUEST);
    let bad_line =
        request("MESSAGE", &peer.via(), "z9hG4bK6").replace("Max-Forwards: 70", "what is this");
    peer.send(bad_line).await;
    assert_eq!(peer.response().await.status(), StatusCode::BAD_REQUEST);
    let version =
        request("MESSAGE", &peer.via(), "z9hG4bK7").replace("SIP/2.0\r\nVia", "SIP/3.0\r\nVia");
    peer.send(version).await;
    assert_eq!(
        peer.response().await.status(),
        StatusCode::VERSION_NOT_SUPPORTED
    );
}

#[tokio::test]
async fn own_answers_say_when_and_by_what_they_were_given() {
    let config = SipConfig {
        server: Some("IM-serv/OMA1.0 Restante/0.1".to_owned()),
        incoming_queue: 1,
        ..config(T1)
    };
    let (endpoint, mut incoming) = SipEndpoint::bind(config).await.unwrap();
    let peer = UdpPeer::of(&endpoint).await;
    let unparsed = request("MESSAGE", &peer.via(), "z9hG4bKd1").replace("CSeq: 1", "CSeq: one");
    peer.send(unparsed).await;
    let malformed = peer.response().await;
    peer.send(request("MESSAGE", &peer.via(), "z9hG4bKd2"))
        .await;
    peer.send(request("MESSAGE", &peer.via(), "z9hG4bKd3"))
        .await;
    let overloaded = peer.response().await;
    drop(next_request(&mut incoming).await);
    let forgotten = peer.response().await;
    for (response, code) in [(malformed, 400), (overloaded, 503), (forgotten, 500)] {
        assert_eq!(response.status().code(), code, "{response:?}");
        assert!(response.headers().date().is_some(), "{response:?}");
        let server = response.headers().first(sip::Name::Server).unwrap();
        assert_eq!(server.value(), "IM-serv/OMA1.0 Restante/0.1");
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_dropped_without_harm() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    for garbage in [
        "",
        "\r\n\r\n",
        "\0\0",
        "hello",
        "SIP/2.0 200 OK\r\n\r\n",
        "MESSAGE sip:b SIP/2.0\r\n\r\n",
    ] {
        peer.send(garbage).await;
    }
    peer.send([0xff; 2000]).await;
    peer.send(request("ACK", &peer.via(), "z9hG4bK8").replace("CSeq: 1 ACK", "CSeq: 1 BYE"))
        .await;
    peer.send(request("OPTIONS", &peer.via(), "z9hG4bK9")).await;
    let transaction = next_request(&mut incoming).await;
    transaction.respond(reply(&transaction, StatusCode::OK));
    assert_eq!(peer.response().await.status(), StatusCode::OK);
}

#[tokio::test]
async fn full_queue_is_answered_503_with_retry_after() {
    let config = SipConfig {
        incoming_queue: 1,
        ..config(T1)
    };
    let (endpoint, mut incoming) = SipEndpoint::bind(config).await.unwrap();
    let peer = UdpPeer::of(&endpoint).await;
    peer.send(request("MESSAGE", &peer.via(), "z9hG4bKa")).await;
    peer.send(request("MESSAGE", &peer.via(), "z9hG4bKb")).await;
    let refused = peer.response().await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers().retry_after().unwrap(), Some(5));
    let served = next_request(&mut incoming).await;
    assert_ne!(
        served.request().headers().call_id(),
        refused.headers().call_id()
    );
}

#[tokio::test]
async fn dropped_request_is_answered_500() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    peer.send(request("MESSAGE", &peer.via(), "z9hG4bKc")).await;
    drop(next_request(&mut incoming).await);
    assert_eq!(
        peer.response().await.status(),
        StatusCode::SERVER_INTERNAL_ERROR
    );
}

#[tokio::test]
async fn cancel_is_answered_and_reaches_the_invite() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    let peer = UdpPeer::of(&endpoint).await;
    peer.send(request("INVITE", &peer.via(), "z9hG4bKd")).await;
    let invite = next_request(&mut incoming).await;
    peer.send(request("CANCEL", &peer.via(), "z9hG4bKd")).await;
    soon(invite.cancelled()).await;
    invite.respond(reply(&invite, StatusCode::REQUEST_TERMINATED));
    let answers = [peer.response().await, peer.response().await];
    let statuses = answers.map(|answer| {
        (
            answer.headers().cseq().unwrap().unwrap().to_string(),
            answer.status(),
        )
    });
    assert_eq!(statuses[0], ("1 CANCEL".to_owned(), StatusCode::OK));
    assert_eq!(
        statuses[1],
        ("1 INVITE".to_owned(), StatusCode::REQUEST_TERMINATED)
    );
}

#[tokio::test]
async fn cancel_without_invite_is_answered_481() {
    let config = SipConfig {
        server: Some("IM-serv/OMA1.0 Test/1".to_owned()),
        ..config(T1)
    };
    let (endpoint, _incoming) = SipEndpoint::bind(config).await.unwrap();
    let peer = UdpPeer::of(&endpoint).await;
    peer.send(request("CANCEL", &peer.via(), "z9hG4bKe")).await;
    let answer = peer.response().await;
    assert_eq!(
        answer.status(),
        StatusCode::CALL_OR_TRANSACTION_DOES_NOT_EXIST
    );
    let server = answer.headers().first(sip::Name::Server).unwrap();
    assert_eq!(server.value(), "IM-serv/OMA1.0 Test/1");
    assert!(answer.headers().date().is_some());
}

#[tokio::test]
async fn silent_invite_gets_a_100_and_its_2xx_again_until_the_ack() {
    let (endpoint, mut incoming) = endpoint(Duration::from_millis(50)).await;
    let peer = UdpPeer::of(&endpoint).await;
    let invite = request("INVITE", &peer.via(), "z9hG4bKf");
    peer.send(&invite).await;
    let transaction = next_request(&mut incoming).await;
    assert_eq!(peer.response().await.status(), StatusCode::TRYING);
    transaction.respond(reply(&transaction, StatusCode::OK));
    let first = peer.response().await;
    let second = peer.response().await;
    assert_eq!(first.as_bytes(), second.as_bytes());
    let ack = request("ACK", &peer.via(), "z9hG4bKf-ack")
        .replace("call-z9hG4bKf-ack", "call-z9hG4bKf")
        .replace(
            "To: <sip:bob@example.org>",
            "To: <sip:bob@example.org>;tag=b1",
        );
    peer.send(ack).await;
    assert!(matches!(
        soon(incoming.next()).await,
        Some(Arrival::Ack { .. })
    ));
}

#[tokio::test]
async fn unacknowledged_2xx_is_reported() {
    let (endpoint, mut incoming) = endpoint(Duration::from_millis(5)).await;
    let peer = UdpPeer::of(&endpoint).await;
    peer.send(request("INVITE", &peer.via(), "z9hG4bKg")).await;
    let transaction = next_request(&mut incoming).await;
    transaction.respond(reply(&transaction, StatusCode::OK));
    soon(transaction.unacknowledged()).await;
}

#[tokio::test]
async fn several_sockets_share_one_port() {
    let config = SipConfig {
        udp_sockets: 4,
        ..config(T1)
    };
    let (endpoint, mut incoming) = SipEndpoint::bind(config).await.unwrap();
    for number in 0..16 {
        let peer = UdpPeer::of(&endpoint).await;
        peer.send(request(
            "OPTIONS",
            &peer.via(),
            &format!("z9hG4bKs{number}"),
        ))
        .await;
        let transaction = next_request(&mut incoming).await;
        transaction.respond(reply(&transaction, StatusCode::OK));
        assert_eq!(peer.response().await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn closed_endpoint_ends_the_arrivals() {
    let (endpoint, mut incoming) = endpoint(T1).await;
    soon(endpoint.close()).await;
    assert!(soon(incoming.next()).await.is_none());
}
