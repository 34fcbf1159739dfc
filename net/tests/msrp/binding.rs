//! Which connection belongs to which session.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use msrp::Path;
use restante_net::msrp::{
    MsrpConfig, MsrpEndpoint, MsrpSession, OpenError, PendingSession, SendFailure,
};
use restante_net::resolve::{Answer, Lookup, Naptr, ResolveError, Resolver, Srv};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::peer::{PEER_PATH, Peer};
use crate::{LOOPBACK, PATIENCE, config, endpoint, in_time, path};

#[tokio::test]
async fn wrong_to_path_is_answered_481_and_closes_after_twenty() {
    let endpoint = endpoint().await;
    let mut peer = Peer::connect(endpoint.local_address()).await;
    let wrong = path("msrp://127.0.0.1:2855/nosuchsession;tcp");
    for at in 0..20 {
        let id = format!("tid{at}");
        peer.send(&wrong, &id, "Message-ID: msg1\r\n", None, '$')
            .await;
        assert_eq!(peer.response().await, (id, 481));
    }
    peer.send(&wrong, "tid20", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(peer.response().await, ("tid20".to_owned(), 481));
    assert!(peer.frame().await.is_none());
}

#[tokio::test]
async fn foreign_from_path_gets_481_and_leaves_the_session_to_its_owner() {
    let endpoint = endpoint().await;
    let pending = endpoint.open();
    let to = pending.local_path().clone();
    let mut owner = Peer::connect(endpoint.local_address()).await;
    let accepting = tokio::spawn(pending.accept(owner.path.clone(), PATIENCE));
    let mut thief = Peer::connect(endpoint.local_address()).await;
    thief.path = path("msrp://198.51.100.8:7394/other;tcp");
    thief
        .send(&to, "tid1", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(thief.response().await, ("tid1".to_owned(), 481));
    owner.bind(&to).await;
    let session = in_time(accepting).await.unwrap().unwrap();

    // Bound now: another connection gets 506 even with the right paths (ERR-33).
    thief.path = owner.path.clone();
    thief
        .send(&to, "tid2", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(thief.response().await, ("tid2".to_owned(), 506));

    // And after the end the path is unknown (MSR-01).
    in_time(session.close()).await;
    owner
        .send(&to, "tid3", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(owner.response().await, ("tid3".to_owned(), 481));
}

#[tokio::test]
async fn nobody_binds_a_session_whose_active_side_we_are() {
    let endpoint = endpoint().await;
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let pending = endpoint.open();
    let to = pending.local_path().clone();
    let peer_path = path(&format!(
        "msrp://{}/passive;tcp",
        listener.local_addr().unwrap()
    ));
    let connecting = tokio::spawn({
        let peer_path = peer_path.clone();
        async move { pending.connect(peer_path, "peer", PATIENCE).await }
    });
    let (stream, _) = in_time(listener.accept()).await.unwrap();
    let mut right = Peer::on(stream);
    let (binding, body, _) = right.request().await;
    assert_eq!(
        (binding.byte_range.unwrap().to_string().as_str(), body.len()),
        ("1-0/0", 0)
    );
    assert_eq!(binding.to_path, peer_path);

    let mut wrong = Peer::connect(endpoint.local_address()).await;
    wrong.path = peer_path.clone();
    wrong
        .send(&to, "tid1", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(wrong.response().await, ("tid1".to_owned(), 481));
    right.answer(&binding, 200).await;
    in_time(connecting).await.unwrap().unwrap();
}

#[tokio::test]
async fn request_that_overtakes_the_sip_answer_waits_for_the_peer_path() {
    let endpoint = endpoint().await;
    let pending = endpoint.open();
    let (to, from) = (pending.local_path().clone(), path(PEER_PATH));
    let mut peer = Peer::connect(endpoint.local_address()).await;
    // Both in one segment: when the first is answered, the second has been looked at.
    let wrong = "msrp://127.0.0.1:2855/nosuchsession;tcp";
    peer.write(&format!(
        "MSRP tid1 SEND\r\nTo-Path: {wrong}\r\nFrom-Path: {from}\r\nMessage-ID: m1\r\n-------tid1$\r\n\
         MSRP tid2 SEND\r\nTo-Path: {to}\r\nFrom-Path: {from}\r\nMessage-ID: m2\r\n-------tid2$\r\n"
    ))
    .await;
    assert_eq!(peer.response().await, ("tid1".to_owned(), 481));
    let session = in_time(pending.accept(from.clone(), PATIENCE))
        .await
        .unwrap();
    assert_eq!(peer.response().await, ("tid2".to_owned(), 200));
    assert_eq!(session.peer_path(), &from);
}

#[tokio::test]
async fn refused_binding_fails_the_connect() {
    let endpoint = endpoint().await;
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let peer_path = path(&format!(
        "msrp://{}/passive;tcp",
        listener.local_addr().unwrap()
    ));
    let connecting = tokio::spawn(open_to(endpoint.open(), peer_path));
    let (stream, _) = in_time(listener.accept()).await.unwrap();
    let mut peer = Peer::on(stream);
    let (binding, ..) = peer.request().await;
    peer.answer(&binding, 481).await;
    let failed = in_time(connecting).await.unwrap();
    assert!(
        matches!(failed, Err(OpenError::Binding(SendFailure::Refused(481)))),
        "{failed:?}"
    );
}

#[tokio::test]
async fn forbidden_targets_are_never_connected_to() {
    let listener = TcpListener::bind(LOOPBACK).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let closed = MsrpConfig::new(LOOPBACK.parse().unwrap());
    let endpoint = MsrpEndpoint::bind(closed).await.unwrap();
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        let target = path(&format!("msrp://{host}:{port}/x;tcp"));
        let refused = in_time(open_to(endpoint.open(), target)).await;
        assert!(
            matches!(refused, Err(OpenError::Forbidden)),
            "{host}: {refused:?}"
        );
    }
    // Whoever connects first is the test itself: nobody did before.
    let own = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let (_, first) = in_time(listener.accept()).await.unwrap();
    assert_eq!(first, own.local_addr().unwrap());
}

#[tokio::test]
async fn unspoken_transports_are_refused() {
    let endpoint = endpoint().await;
    for target in [
        "msrps://127.0.0.1:2855/x;tcp",
        "msrp://127.0.0.1:2855/x;sctp",
    ] {
        let refused = open_to(endpoint.open(), path(target)).await;
        assert!(matches!(refused, Err(OpenError::Transport)), "{refused:?}");
    }
}

#[tokio::test]
async fn connection_without_a_session_is_closed_after_its_time() {
    let mut config = config();
    config.unbound_timeout = Duration::from_millis(50);
    let endpoint = MsrpEndpoint::bind(config).await.unwrap();
    let mut peer = Peer::connect(endpoint.local_address()).await;
    peer.write("MSRP ").await;
    assert!(peer.frame().await.is_none());
}

#[tokio::test]
async fn a_connection_outlives_its_last_session_for_a_while_only() {
    let mut config = config();
    config.reuse_timeout = Duration::from_millis(300);
    let endpoint = MsrpEndpoint::bind(config).await.unwrap();
    let mut peer = Peer::connect(endpoint.local_address()).await;
    for round in 0..2 {
        let pending = endpoint.open();
        let to = pending.local_path().clone();
        let accepting = tokio::spawn(pending.accept(peer.path.clone(), PATIENCE));
        if round == 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        peer.bind(&to).await;
        let session = in_time(accepting).await.unwrap().unwrap();
        in_time(session.close()).await;
    }
    let ended = Instant::now();
    assert!(peer.frame().await.is_none());
    assert!(ended.elapsed() >= Duration::from_millis(250));
}

#[tokio::test]
async fn traffic_for_nobody_keeps_no_connection() {
    let mut config = config();
    config.unbound_timeout = Duration::from_millis(50);
    let endpoint = MsrpEndpoint::bind(config).await.unwrap();
    let mut stream = TcpStream::connect(endpoint.local_address()).await.unwrap();
    let nowhere = "msrp://127.0.0.1:2855/nosuchsession;tcp";
    let response = format!(
        "MSRP tid1 200 OK\r\nTo-Path: {nowhere}\r\nFrom-Path: {PEER_PATH}\r\n-------tid1$\r\n"
    );
    in_time(async { while stream.write_all(response.as_bytes()).await.is_ok() {} }).await;
}

#[tokio::test]
async fn accept_gives_up_after_its_time_and_forgets_the_path() {
    let endpoint = endpoint().await;
    let pending = endpoint.open();
    let to = pending.local_path().clone();
    let mut peer = Peer::connect(endpoint.local_address()).await;
    let failed = pending
        .accept(peer.path.clone(), Duration::from_millis(10))
        .await;
    assert!(matches!(failed, Err(OpenError::Timeout)), "{failed:?}");
    peer.send(&to, "tid1", "Message-ID: msg1\r\n", None, '$')
        .await;
    assert_eq!(peer.response().await, ("tid1".to_owned(), 481));
}

async fn open_to(pending: PendingSession, peer: Path) -> Result<MsrpSession, OpenError> {
    pending.connect(peer, "peer", PATIENCE).await
}

/// Knows one host.
struct OneHost;

impl Lookup for OneHost {
    fn naptr<'a>(&'a self, _: &'a str) -> Answer<'a, Naptr> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn srv<'a>(&'a self, _: &'a str) -> Answer<'a, Srv> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, IpAddr> {
        let known = host == "peer.example.net";
        Box::pin(async move { Ok(Vec::from_iter(known.then_some([127, 0, 0, 1].into()))) })
    }

    fn host_table(&self, _: &str) -> Vec<IpAddr> {
        Vec::new()
    }
}

#[tokio::test]
async fn names_in_paths_are_found_by_the_resolver() {
    let server = endpoint().await;
    let mut config = config();
    config.resolver = Resolver::new(Arc::new(OneHost), PATIENCE);
    let client = MsrpEndpoint::bind(config).await.unwrap();
    let named = |host: &str, waiting: &PendingSession| {
        path(&waiting.local_path().to_string().replace("127.0.0.1", host))
    };
    let waiting = server.open();
    let unknown = open_to(client.open(), named("other.example.net", &waiting)).await;
    assert!(
        matches!(unknown, Err(OpenError::Resolve(ResolveError::NoAddress))),
        "{unknown:?}"
    );
    let calling = client.open();
    let to = named("peer.example.net", &waiting);
    let from = calling.local_path().clone();
    // The peer knows itself by another name: it refuses the path, over the connection that was found.
    let (_, connected) = in_time(async {
        tokio::join!(
            waiting.accept(from, Duration::from_millis(500)),
            open_to(calling, to)
        )
    })
    .await;
    assert!(
        matches!(
            connected,
            Err(OpenError::Binding(SendFailure::Refused(481)))
        ),
        "{connected:?}"
    );
}
