//! What becomes of messages that we receive.

use bytes::Bytes;
use restante_net::msrp::{Inbound, SendFailure, SessionRules};

use crate::{bound, in_time, message, name_of, pair};

#[tokio::test]
async fn passive_and_active_sides_bind_and_exchange_messages() {
    let (mut server, client) = pair(SessionRules::default(), SessionRules::default()).await;
    let body = Bytes::from(vec![7_u8; 100_000]);
    let ticket = client.send(message("msg1", body.len()), body.clone()).await;
    let Some(Inbound::Message {
        head,
        body: received,
        answer,
        ..
    }) = in_time(server.next()).await
    else {
        panic!("no message");
    };
    assert_eq!((name_of(&head).as_str(), received), ("msg1", body));
    answer.accept();
    in_time(ticket).await.unwrap();

    let mut client = client;
    let ticket = server
        .send(message("msg2", 5), Bytes::from_static(b"Hello"))
        .await;
    let Some(Inbound::Message { body, answer, .. }) = in_time(client.next()).await else {
        panic!("no message");
    };
    assert_eq!(body, "Hello");
    answer.accept();
    in_time(ticket).await.unwrap();
    in_time(client.close()).await;
    assert!(in_time(server.next()).await.is_none());
    in_time(server.ended()).await;
}

#[tokio::test]
async fn unanswered_handle_refuses_the_message() {
    let (mut server, client) = pair(SessionRules::default(), SessionRules::default()).await;
    let ticket = client
        .send(message("msg1", 5), Bytes::from_static(b"Hello"))
        .await;
    let inbound = in_time(server.next()).await;
    assert!(inbound.is_some());
    drop(inbound);
    assert_eq!(in_time(ticket).await, Err(SendFailure::Refused(413)));
}

#[tokio::test]
async fn success_report_reaches_the_sender() {
    let (mut server, client) = pair(SessionRules::default(), SessionRules::default()).await;
    let mut asked = message("msg1", 5);
    asked.success_report = true;
    let ticket = client.send(asked, Bytes::from_static(b"Hello")).await;
    let Some(Inbound::Message { answer, .. }) = in_time(server.next()).await else {
        panic!("no message");
    };
    answer.accept();
    in_time(ticket).await.unwrap();
}

#[tokio::test]
async fn half_a_message_is_never_handed_over() {
    let (_endpoint, mut session, mut peer) = bound(SessionRules::default()).await;
    let headers = "Message-ID: msg1\r\nByte-Range: 1-5/10\r\n";
    let to = session.local_path().clone();
    peer.send(&to, "tid1", headers, Some("Hello"), '+').await;
    assert_eq!(peer.response().await, ("tid1".to_owned(), 200));
    drop(peer);
    assert!(in_time(session.next()).await.is_none());
}

#[tokio::test]
async fn messages_above_the_limit_are_refused_and_others_go_on() {
    let rules = SessionRules::receive_up_to(10);
    let (mut server, client) = pair(rules, SessionRules::default()).await;
    let large = client
        .send(message("large", 11), Bytes::from_static(b"Hello World"))
        .await;
    let small = client
        .send(message("small", 5), Bytes::from_static(b"Hello"))
        .await;
    let Some(Inbound::Message { head, answer, .. }) = in_time(server.next()).await else {
        panic!("no message");
    };
    assert_eq!(name_of(&head), "small");
    answer.accept();
    assert_eq!(in_time(large).await, Err(SendFailure::Refused(413)));
    in_time(small).await.unwrap();
}

#[tokio::test]
async fn content_into_a_session_that_only_sends_gets_403() {
    let (_endpoint, session, mut peer) = bound(SessionRules::send_only()).await;
    let to = session.local_path().clone();
    peer.send(&to, "tid1", "Message-ID: msg1\r\n", Some("Hello"), '$')
        .await;
    assert_eq!(peer.response().await, ("tid1".to_owned(), 403));
    let ticket = session
        .send(message("msg2", 1), Bytes::from_static(b"x"))
        .await;
    let (head, ..) = peer.request().await;
    peer.answer(&head, 200).await;
    in_time(ticket).await.unwrap();
}

#[tokio::test]
async fn garbage_is_answered_400_and_closes_the_connection() {
    let (_endpoint, session, mut peer) = bound(SessionRules::default()).await;
    let (to, from) = (session.local_path().clone(), peer.path.clone());
    peer.write(&format!(
        "MSRP tid1 SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nByte-Range: x\r\n\r\n"
    ))
    .await;
    assert_eq!(peer.response().await, ("tid1".to_owned(), 400));
    assert!(peer.frame().await.is_none());
    in_time(session.ended()).await;
}

#[tokio::test]
async fn answers_given_before_the_end_of_a_session_are_still_written() {
    let (mut server, client) = pair(SessionRules::default(), SessionRules::default()).await;
    let ticket = client
        .send(message("msg1", 5), Bytes::from_static(b"Hello"))
        .await;
    let Some(Inbound::Message { answer, .. }) = in_time(server.next()).await else {
        panic!("no message");
    };
    answer.accept();
    in_time(server.close()).await;
    in_time(ticket).await.unwrap();
}
