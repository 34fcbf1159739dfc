//! What becomes of messages that we send.

use bytes::Bytes;
use msrp::Continuation;
use restante_net::msrp::{
    AbortReason, BodyRead, BodySource, MsrpEndpoint, MsrpSession, SendFailure, SessionRules,
};
use tokio::io::AsyncReadExt;
use tokio::sync::oneshot;

use crate::peer::Peer;
use crate::{PATIENCE, bound, endpoint, in_time, message, name_of, path};

#[tokio::test]
async fn four_messages_are_in_flight_and_no_more() {
    let (_endpoint, session, mut peer) = bound(SessionRules::send_only()).await;
    let mut tickets = Vec::new();
    for at in 0..6 {
        tickets.push(
            session
                .send(message(&format!("msg{at}"), 1), Bytes::from_static(b"x"))
                .await,
        );
    }
    let mut heads = Vec::new();
    for at in 0..4 {
        let (head, body, flag) = peer.request().await;
        assert_eq!(name_of(&head), format!("msg{at}"));
        assert_eq!(
            (body.as_slice(), flag),
            (b"x".as_slice(), Continuation::Complete)
        );
        heads.push(head);
    }
    // Each 200 lets exactly one more out, so what comes next shows that nothing came before.
    peer.answer(&heads[2], 200).await;
    in_time(&mut tickets[2]).await.unwrap();
    let (head, ..) = peer.request().await;
    assert_eq!(name_of(&head), "msg4");
    peer.answer(&head, 200).await;
    let (head, ..) = peer.request().await;
    assert_eq!(name_of(&head), "msg5");
}

#[tokio::test]
async fn refusal_of_one_message_leaves_the_others_going() {
    let (_endpoint, session, mut peer) = bound(SessionRules::send_only()).await;
    let mut tickets = Vec::new();
    for at in 0..3 {
        tickets.push(
            session
                .send(message(&format!("msg{at}"), 1), Bytes::from_static(b"x"))
                .await,
        );
    }
    for code in [200, 413, 200] {
        let (head, ..) = peer.request().await;
        peer.answer(&head, code).await;
    }
    let mut outcomes = Vec::new();
    for ticket in tickets {
        outcomes.push(in_time(ticket).await.err());
    }
    assert_eq!(outcomes, [None, Some(SendFailure::Refused(413)), None]);
}

#[tokio::test]
async fn connection_cut_in_mid_message_fails_it_and_ends_the_session() {
    let (_endpoint, session, mut peer) = bound(SessionRules::send_only()).await;
    let ticket = session.send(message("msg1", 1 << 30), Endless).await;
    let mut some = vec![0; 100_000];
    in_time(peer.stream.read_exact(&mut some)).await.unwrap();
    drop(peer);
    assert_eq!(in_time(ticket).await, Err(SendFailure::ConnectionLost));
    in_time(session.ended()).await;
    let late = session
        .send(message("msg2", 1), Bytes::from_static(b"x"))
        .await;
    assert_eq!(in_time(late).await, Err(SendFailure::ConnectionLost));
}

#[tokio::test]
async fn several_sessions_share_a_connection_and_its_turns() {
    let endpoint = endpoint().await;
    let mut peer = Peer::connect(endpoint.local_address()).await;
    let long = another(&endpoint, &mut peer).await;
    let short = another(&endpoint, &mut peer).await;
    let body = Bytes::from(vec![b'x'; 8 << 20]);
    let long_ticket = long.send(message("long", body.len()), body.clone()).await;
    let (head, first, _) = peer.request().await;
    peer.answer(&head, 200).await;
    let short_ticket = short
        .send(message("short", 1), Bytes::from_static(b"y"))
        .await;
    let mut received = first.len();
    let mut long_had = None;
    while received < body.len() {
        let (head, piece, _) = peer.request().await;
        match name_of(&head).as_str() {
            "short" => long_had = Some(received),
            _ => received += piece.len(),
        }
        peer.answer(&head, 200).await;
    }
    assert!(
        long_had.is_some_and(|had| had < body.len()),
        "the short message came last"
    );
    in_time(long_ticket).await.unwrap();
    in_time(short_ticket).await.unwrap();
}

#[tokio::test]
async fn closing_a_session_aborts_its_message_and_keeps_the_connection() {
    let (_endpoint, session, mut peer) = bound(SessionRules::send_only()).await;
    let ticket = session.send(message("msg1", 1 << 30), Endless).await;
    let (_, _, flag) = peer.request().await;
    assert_eq!(flag, Continuation::More);
    // Reading goes on while the session closes.
    let reading = tokio::spawn(async move {
        loop {
            let (_, _, flag) = peer.request().await;
            if flag == Continuation::Aborted {
                return peer;
            }
        }
    });
    in_time(session.close()).await;
    assert_eq!(
        in_time(ticket).await,
        Err(SendFailure::Aborted(AbortReason::Closed))
    );
    let mut peer = in_time(reading).await.unwrap();
    let gone = path("msrp://127.0.0.1:2855/nosuchsession;tcp");
    peer.send(&gone, "tid1", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(peer.response().await, ("tid1".to_owned(), 481));
}

#[tokio::test]
async fn body_that_fails_aborts_its_message_only() {
    let (_endpoint, session, mut peer) = bound(SessionRules::send_only()).await;
    let broken = session.send(message("msg1", 100), Broken).await;
    let whole = session
        .send(message("msg2", 1), Bytes::from_static(b"x"))
        .await;
    assert_eq!(
        in_time(broken).await,
        Err(SendFailure::Aborted(AbortReason::Body))
    );
    let (head, ..) = peer.request().await;
    assert_eq!(name_of(&head), "msg2");
    peer.answer(&head, 200).await;
    in_time(whole).await.unwrap();
}

#[tokio::test]
async fn endpoint_close_ends_its_sessions() {
    let (endpoint, session, mut peer) = bound(SessionRules::default()).await;
    in_time(endpoint.close()).await;
    in_time(session.ended()).await;
    assert!(peer.frame().await.is_none());
}

/// A slow body: so many octets, then none until it is told to go on.
struct Slow {
    ready: usize,
    rest: usize,
    go_on: Option<oneshot::Receiver<()>>,
}

impl Slow {
    fn new(ready: usize, rest: usize) -> (Slow, oneshot::Sender<()>) {
        let (go, go_on) = oneshot::channel();
        let go_on = Some(go_on);
        (Slow { ready, rest, go_on }, go)
    }
}

impl BodySource for Slow {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        Box::pin(async move {
            if self.ready == 0
                && let Some(go_on) = self.go_on.take()
            {
                go_on.await.map_err(std::io::Error::other)?;
                self.ready = std::mem::take(&mut self.rest);
            }
            let octets = max_octets.min(self.ready);
            self.ready -= octets;
            Ok(Bytes::from(vec![b'x'; octets]))
        })
    }
}

#[tokio::test]
async fn answers_do_not_wait_for_a_slow_body() {
    let (_endpoint, session, mut peer) = bound(SessionRules::default()).await;
    let (body, go_on) = Slow::new(3000, 6000);
    let ticket = session.send(message("slow", 9000), body).await;
    let mut begun = [0; 3000];
    in_time(peer.stream.peek(&mut begun)).await.unwrap();
    let to = session.local_path().clone();
    let (headers, empty) = ("Message-ID: msg1\r\nByte-Range: 1-0/0\r\n", None);
    peer.send(&to, "tid1", headers, empty, '$').await;
    let (first, octets, flag) = peer.request().await;
    assert_eq!((octets.len(), flag), (3000, Continuation::More));
    assert_eq!(peer.response().await, ("tid1".to_owned(), 200));
    go_on.send(()).unwrap();
    let (second, octets, flag) = peer.request().await;
    assert_eq!((octets.len(), flag), (6000, Continuation::Complete));
    assert_eq!(second.byte_range.unwrap().to_string(), "3001-*/9000");
    peer.answer(&first, 200).await;
    peer.answer(&second, 200).await;
    in_time(ticket).await.unwrap();
    in_time(session.close()).await;
}

#[tokio::test]
async fn other_sessions_do_not_wait_for_a_slow_body() {
    let endpoint = endpoint().await;
    let mut peer = Peer::connect(endpoint.local_address()).await;
    let slow = another(&endpoint, &mut peer).await;
    let quick = another(&endpoint, &mut peer).await;
    let (body, go_on) = Slow::new(3000, 6000);
    let slow_ticket = slow.send(message("slow", 9000), body).await;
    let mut begun = [0; 3000];
    in_time(peer.stream.peek(&mut begun)).await.unwrap();
    let quick_ticket = quick
        .send(message("quick", 1), Bytes::from_static(b"y"))
        .await;
    let (cut, _, flag) = peer.request().await;
    assert_eq!((name_of(&cut).as_str(), flag), ("slow", Continuation::More));
    let (head, ..) = peer.request().await;
    assert_eq!(name_of(&head), "quick");
    peer.answer(&head, 200).await;
    in_time(quick_ticket).await.unwrap();
    go_on.send(()).unwrap();
    let (rest, ..) = peer.request().await;
    peer.answer(&cut, 200).await;
    peer.answer(&rest, 200).await;
    in_time(slow_ticket).await.unwrap();
}

/// One more session on the peer's connection.
async fn another(endpoint: &MsrpEndpoint, peer: &mut Peer) -> MsrpSession {
    let pending = endpoint.open();
    let to = pending.local_path().clone();
    let accepting = tokio::spawn(pending.accept(peer.path.clone(), PATIENCE));
    peer.bind(&to).await;
    in_time(accepting).await.unwrap().unwrap()
}

/// A body that never runs dry.
struct Endless;

impl BodySource for Endless {
    fn read(&mut self, max_octets: usize) -> BodyRead<'_> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(Bytes::from(vec![b'x'; max_octets]))
        })
    }
}

/// A body that cannot be read.
struct Broken;

impl BodySource for Broken {
    fn read(&mut self, _max_octets: usize) -> BodyRead<'_> {
        Box::pin(async { Err(std::io::Error::other("gone")) })
    }
}
