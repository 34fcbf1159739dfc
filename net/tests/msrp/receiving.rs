//! What becomes of messages that we receive.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use restante_net::msrp::{BodyRead, BodySource, Piece, SendFailure, SessionRules, WholeMessage};

use crate::{bound, in_time, message, name_of, pair, whole};

#[tokio::test]
async fn passive_and_active_sides_bind_and_exchange_messages() {
    let (mut server, client) = pair(SessionRules::default(), SessionRules::default()).await;
    let body = Bytes::from(vec![7_u8; 100_000]);
    let ticket = client.send(message("msg1", body.len()), body.clone()).await;
    let WholeMessage {
        head,
        body: received,
        answer,
        ..
    } = whole(&mut server).await;
    assert_eq!((name_of(&head).as_str(), received), ("msg1", body));
    answer.accept();
    in_time(ticket).await.unwrap();

    let mut client = client;
    let ticket = server
        .send(message("msg2", 5), Bytes::from_static(b"Hello"))
        .await;
    let WholeMessage { body, answer, .. } = whole(&mut client).await;
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
    drop(whole(&mut server).await);
    assert_eq!(in_time(ticket).await, Err(SendFailure::Refused(413)));
}

#[tokio::test]
async fn success_report_reaches_the_sender() {
    let (mut server, client) = pair(SessionRules::default(), SessionRules::default()).await;
    let mut asked = message("msg1", 5);
    asked.success_report = true;
    let ticket = client.send(asked, Bytes::from_static(b"Hello")).await;
    let WholeMessage { answer, .. } = whole(&mut server).await;
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
    let half = in_time(session.next()).await.expect("a message begins");
    assert!(in_time(half.gather()).await.is_none());
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
    let WholeMessage { head, answer, .. } = whole(&mut server).await;
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
    let WholeMessage { answer, .. } = whole(&mut server).await;
    answer.accept();
    in_time(server.close()).await;
    in_time(ticket).await.unwrap();
}

#[tokio::test]
async fn a_message_comes_in_pieces_before_it_is_whole() {
    let (_endpoint, mut session, mut peer) = bound(SessionRules::default()).await;
    let to = session.local_path().clone();
    let range = |range| format!("Message-ID: msg1\r\nByte-Range: {range}\r\n");
    peer.send(&to, "tid1", &range("6-10/10"), Some("World"), '$')
        .await;
    let mut inbound = in_time(session.next()).await.expect("a message begins");
    assert_eq!(name_of(inbound.head()), "msg1");
    assert!(matches!(
        in_time(inbound.next()).await,
        Some(Piece::Octets { offset: 5, octets }) if octets == "World"
    ));
    peer.send(&to, "tid2", &range("1-5/10"), Some("Hello"), '+')
        .await;
    assert!(matches!(
        in_time(inbound.next()).await,
        Some(Piece::Octets { offset: 0, octets }) if octets == "Hello"
    ));
    let Some(Piece::Complete { total: 10, answer }) = in_time(inbound.next()).await else {
        panic!("not complete");
    };
    answer.accept();
    assert_eq!(peer.response().await, ("tid1".to_owned(), 200));
    assert_eq!(peer.response().await, ("tid2".to_owned(), 200));
}

/// Returns when nothing of this test has anything to do: only then does a clock that stands still move
/// on to the next timer, which is ours.
async fn at_rest() {
    tokio::time::pause();
    tokio::time::sleep(Duration::from_millis(1)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_slow_taker_slows_the_sender_and_memory_does_not_grow() {
    const OCTETS: usize = 64 << 20;
    let rules = SessionRules::receive_up_to(OCTETS as u64);
    let (mut server, client) = pair(rules, SessionRules::default()).await;
    let read = Arc::new(AtomicUsize::new(0));
    let body = Counted(Bytes::from_static(&[7; 4096]), Arc::clone(&read));
    let ticket = client.send(message("msg1", OCTETS), body).await;
    let mut inbound = in_time(server.next()).await.expect("a message begins");
    // Nobody takes: the sender comes to rest far before the end.
    let mut before = usize::MAX;
    while before != read.load(Ordering::Relaxed) {
        before = read.load(Ordering::Relaxed);
        at_rest().await;
    }
    assert!(before < OCTETS / 2, "{before} octets were read ahead");
    let mut taken = 0;
    loop {
        match in_time(inbound.next()).await.expect("a piece") {
            Piece::Octets { octets, .. } => taken += octets.len(),
            Piece::Complete { answer, .. } => break answer.accept(),
            Piece::Abandoned(why) => panic!("{why:?}"),
        }
    }
    assert_eq!(taken, OCTETS);
    in_time(ticket).await.unwrap();
}

#[tokio::test]
async fn a_message_that_nobody_takes_is_refused_and_the_session_goes_on() {
    let (_endpoint, mut session, mut peer) = bound(SessionRules::default()).await;
    let to = session.local_path().clone();
    let first = "Message-ID: msg1\r\nByte-Range: 1-5/15\r\n";
    peer.send(&to, "tid1", first, Some("Hello"), '+').await;
    drop(in_time(session.next()).await.expect("a message begins"));
    assert_eq!(peer.response().await, ("tid1".to_owned(), 200));
    let second = "Message-ID: msg1\r\nByte-Range: 6-10/15\r\n";
    peer.send(&to, "tid2", second, Some("World"), '+').await;
    assert_eq!(peer.response().await, ("tid2".to_owned(), 413));
    peer.send(&to, "tid3", "Message-ID: msg2\r\n", Some("Hello"), '$')
        .await;
    whole(&mut session).await.answer.accept();
    assert_eq!(peer.response().await, ("tid3".to_owned(), 200));
}

/// A body of the same octets over and over, which counts how many were read.
struct Counted(Bytes, Arc<AtomicUsize>);

impl BodySource for Counted {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        let octets = self.0.slice(..max_octets.min(self.0.len()));
        self.1.fetch_add(octets.len(), Ordering::Relaxed);
        Box::pin(std::future::ready(Ok(octets)))
    }
}
