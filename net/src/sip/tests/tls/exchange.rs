//! Requests in both directions, and whose they are.

use tokio::net::TcpListener;

use super::*;
use crate::sip::tests::client::final_response;
use crate::sip::{BindError, SendError};
use crate::tls::SipTls;

/// The edge and a core that believe each other.
async fn pair(authority: &Authority) -> [(SipEndpoint, Incoming); 2] {
    let mut ends = Vec::new();
    for name in ["edge.example", "core.example"] {
        let tls = authority.config(&[name]);
        ends.push(
            secure(TlsConfig {
                verify_peers: VerifyPeers::Required,
                ..tls
            })
            .await,
        );
    }
    ends.try_into().unwrap_or_else(|_| unreachable!())
}

#[tokio::test]
async fn request_and_the_one_back_on_its_flow_carry_the_names_of_both_sides() {
    let [(edge, mut to_edge), (core, mut to_core)] = pair(&Authority::new()).await;
    let mut sent = core
        .request(message(), &at("edge.example", &edge), "z9hG4bK1".to_owned())
        .await
        .unwrap();
    let request = next_request(&mut to_edge).await;
    let source = request.source().clone();
    assert_eq!(source.transport, Transport::Tls);
    assert_eq!(Vec::from_iter(source.peer_names.iter()), ["core.example"]);
    let via = request.request().headers().top_via().unwrap().unwrap();
    assert_eq!(via.sent_by.to_string(), core.sent_by(Transport::Tls));
    assert_eq!(via.transport, "TLS");
    request.respond(reply(&request, StatusCode::ACCEPTED));
    assert_eq!(
        final_response(&mut sent).await.status(),
        StatusCode::ACCEPTED
    );

    let back = Target::Flow(source.flow);
    let mut sent = edge
        .request(message(), &back, "z9hG4bK2".to_owned())
        .await
        .unwrap();
    let request = next_request(&mut to_core).await;
    assert!(request.source().peer_names.contains("edge.example"));
    request.respond(reply(&request, StatusCode::OK));
    assert_eq!(final_response(&mut sent).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn server_of_another_name_gets_no_request() {
    let [(edge, mut to_edge), (core, _)] = pair(&Authority::new()).await;
    let send = |name: &str, branch: &str| {
        let (target, branch) = (at(name, &edge), branch.to_owned());
        let core = core.clone();
        async move { core.request(message(), &target, branch).await }
    };
    for name in ["other.example", "sub.edge.example", "127.0.0.1"] {
        let failed = send(name, "z9hG4bK1").await;
        assert!(matches!(failed, Err(SendError::Connect { .. })), "{name}");
    }
    send("edge.example", "z9hG4bK2").await.unwrap();
    // At the same address, but not on the connection of the name that was proved.
    let failed = send("other.example", "z9hG4bK3").await;
    assert!(matches!(failed, Err(SendError::Connect { .. })));
    let first = next_request(&mut to_edge).await;
    let via = first.request().headers().top_via().unwrap().unwrap();
    assert_eq!(via.branch(), Some("z9hG4bK2"));
}

#[tokio::test]
async fn server_is_known_by_its_address_if_that_is_certified() {
    let authority = Authority::new();
    let (edge, mut to_edge) = secure(authority.config(&["127.0.0.1"])).await;
    let (core, _) = secure(authority.config(&["core.example"])).await;
    core.request(message(), &at("127.0.0.1", &edge), "z9hG4bK1".to_owned())
        .await
        .unwrap();
    next_request(&mut to_edge).await;
}

#[tokio::test]
async fn server_of_an_unknown_authority_gets_no_request() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let name = ["edge.example"];
    let (edge, _incoming) = secure(theirs.config(&name)).await;
    let (core, _) = secure(ours.config(&name)).await;
    let failed = core
        .request(message(), &at(name[0], &edge), "z9hG4bK1".to_owned())
        .await;
    assert!(matches!(failed, Err(SendError::Connect { .. })));
}

/// A listener whose certificate has this name, and the response that comes there, if any.
async fn next_response(listener: TcpListener, tls: &SipTls) -> std::io::Result<String> {
    let (stream, _) = soon(listener.accept()).await?;
    let (mut stream, _) = soon(tls.accept(stream)).await?;
    let mut octets = vec![0; 4096];
    let length = soon(stream.read(&mut octets)).await?;
    Ok(String::from_utf8_lossy(&octets[..length]).into_owned())
}

#[tokio::test]
async fn response_whose_connection_has_gone_takes_a_new_one_to_whom_its_via_names() {
    let authority = Authority::new();
    let (edge, mut to_edge) = secure(authority.config(&["edge.example"])).await;
    let core = SipTls::new(authority.config(&["core.example"])).unwrap();
    for (name, arrives) in [("core.example", true), ("other.example", false)] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut peer = TlsPeer::new(&edge, &authority).await;
        let via = format!("SIP/2.0/TLS {name}:{port}");
        peer.send(&via, &format!("z9hG4bK{port}")).await;
        let transaction = next_request(&mut to_edge).await;
        drop(peer);
        is_closed(&transaction.source().flow).await;
        transaction.respond(reply(&transaction, StatusCode::ACCEPTED));
        let response = next_response(listener, &core).await;
        let arrived = response.is_ok_and(|text| text.starts_with("SIP/2.0 202"));
        assert_eq!(arrived, arrives, "{name}");
    }
}

#[tokio::test]
async fn endpoint_without_certificates_neither_listens_nor_connects() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let transport = Transport::Tls;
    let listeners = vec![SipListener { transport, address }];
    let refused = SipEndpoint::bind(SipConfig {
        listeners,
        ..config(T1)
    });
    assert!(matches!(
        refused.await,
        Err(BindError::Unsupported(Transport::Tls))
    ));
    let (endpoint, _) = endpoint(T1).await;
    let target = Target::Uri("sips:127.0.0.1:5061".parse().unwrap());
    let failed = endpoint
        .request(message(), &target, "z9hG4bK1".to_owned())
        .await;
    assert!(matches!(
        failed,
        Err(SendError::NoTransport(Transport::Tls))
    ));
}
