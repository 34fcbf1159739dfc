//! Broken and stalled connections between edge and storage (PFM-05).

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::fan_out;
use crate::support::{
    BOB, Service, client_of, config, connected, deposited, memory, message_to, soon,
};

/// What the wire does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Flows,
    /// Nothing passes, nothing is lost.
    Stalls,
}

/// A TCP proxy that cuts and stalls.
struct Proxy {
    address: std::net::SocketAddr,
    wire: watch::Sender<Wire>,
    cuts: watch::Sender<u64>,
    connections: Arc<AtomicU64>,
}

impl Proxy {
    async fn to(target: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let proxy = Self {
            address: listener.local_addr().expect("bound"),
            wire: watch::Sender::new(Wire::Flows),
            cuts: watch::Sender::new(0),
            connections: Arc::default(),
        };
        let (wire, cuts) = (proxy.wire.clone(), proxy.cuts.clone());
        let connections = Arc::clone(&proxy.connections);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (wire, mut cuts) = (wire.subscribe(), cuts.subscribe());
                cuts.mark_unchanged();
                tokio::spawn(async move {
                    let far = TcpStream::connect(target)
                        .await
                        .expect("the service listens");
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    tokio::select! {
                        _ = async { tokio::join!(
                            pump(near_in, far_out, wire.clone()),
                            pump(far_in, near_out, wire),
                        ) } => {}
                        _ = cuts.changed() => {}
                    }
                });
            }
        });
        proxy
    }

    /// Breaks all connections.
    fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

/// Copies while the wire flows; what was read during a stall is delivered after it.
async fn pump(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut wire: watch::Receiver<Wire>,
) {
    let mut octets = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut octets).await.unwrap_or(0);
        if wire.wait_for(|wire| *wire == Wire::Flows).await.is_err() {
            return;
        }
        let piece = octets.get(..read).unwrap_or_default();
        if read == 0 || to.write_all(piece).await.is_err() {
            let _ = to.shutdown().await;
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unanswered_deposits_are_sent_again_after_a_cut_and_stored_once() {
    let store = memory(&config());
    let service = Service::over(config(), Arc::clone(&store));
    let proxy = Proxy::to(service.data).await;
    let client = client_of(proxy.address, "edge-1", |config| {
        config.deposit_deadline = Duration::from_secs(15);
    });
    connected(&client).await;
    // None is answered before the first cut.
    store.hold_syncs();
    let deposits = (1..=300).map(|number| {
        let client = client.clone();
        tokio::spawn(async move { deposited(&client, message_to(BOB, number)).await })
    });
    let deposits: Vec<_> = deposits.collect();
    for _ in 0..3 {
        connected(&client).await;
        let mut state = client.connected();
        proxy.cut();
        let lost = soon(state.wait_for(|connected| !connected)).await.is_ok();
        assert!(lost);
    }
    store.release_syncs();
    let mut ids = HashSet::new();
    for deposit in join_all(deposits).await {
        ids.insert(deposit.expect("no panic").message_id().to_owned());
    }
    assert_eq!(ids.len(), 300);
    assert!(proxy.connections.load(Ordering::SeqCst) >= 4);
    assert_eq!(service.messages().await.len(), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_of_a_stalled_connection_is_unavailable_in_time_and_not_stored_later() {
    let service = Service::in_memory(config());
    let proxy = Proxy::to(service.data).await;
    let client = client_of(proxy.address, "edge-1", |config| {
        config.deposit_deadline = Duration::from_secs(1);
        config.connect_timeout = Duration::from_secs(3);
    });
    connected(&client).await;
    proxy.wire.send_replace(Wire::Stalls);
    let begun = Instant::now();
    let deposits = (1..=100).map(|number| client.deposit(message_to(BOB, number)));
    let answers = join_all(deposits).await;
    assert!(
        begun.elapsed() < Duration::from_secs(2),
        "{:?}",
        begun.elapsed()
    );
    assert!(answers.iter().all(Result::is_err));
    // The very same connection delivers everything now, too late.
    proxy.wire.send_replace(Wire::Flows);
    deposited(&client, message_to(BOB, 999)).await;
    let messages = service.messages().await;
    assert_eq!(messages.len(), 1, "stored after it was answered 503");
    assert_eq!(
        proxy.connections.load(Ordering::SeqCst),
        1,
        "the stall broke the connection"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_given_up_and_replaced() {
    let service = Service::in_memory(config());
    let proxy = Proxy::to(service.data).await;
    let client = client_of(proxy.address, "edge-1", |config| {
        config.keep_alive = Duration::from_millis(200);
        config.connect_timeout = Duration::from_millis(300);
        config.request_deadline = Duration::from_millis(500);
    });
    connected(&client).await;
    proxy.wire.send_replace(Wire::Stalls);
    let mut state = client.connected();
    let lost = soon(state.wait_for(|connected| !connected)).await.is_ok();
    assert!(lost);
    proxy.wire.send_replace(Wire::Flows);
    connected(&client).await;
    deposited(&client, message_to(BOB, 1)).await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable_within_the_deadline() {
    // A port that nobody listens on: bound, then given back.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let client = client_of(address, "edge-1", |config| {
        config.deposit_deadline = Duration::from_millis(300);
    });
    let begun = Instant::now();
    let answer = client.deposit(message_to(BOB, 1)).await;
    assert!(answer.is_err());
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_commit_after_the_deadline_is_counted() {
    let metrics = daemon::metrics::Metrics::install([]).expect("the only test that counts");
    let store = memory(&config());
    let service = Service::over(config(), Arc::clone(&store));
    let client = client_of(service.data, "edge-1", |config| {
        config.deposit_deadline = Duration::from_millis(300);
    });
    connected(&client).await;
    store.hold_syncs();
    let answer = client.deposit(message_to(BOB, 1)).await;
    assert!(answer.is_err(), "{answer:?}");
    store.release_syncs();
    soon(async {
        while !metrics.render().contains("restante_late_commits_total 1") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // The sender's retry meets the first copy.
    assert!(deposited(&client, message_to(BOB, 1)).await.duplicate());
    assert_eq!(service.messages().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn legs_held_over_a_cut_are_settled_once() {
    let service = Service::in_memory(config());
    let proxy = Proxy::to(service.data).await;
    let client = client_of(proxy.address, "cf-1", |_| {});
    connected(&client).await;
    let job = fan_out::accepted(&client, fan_out::message(1, 20))
        .await
        .job();
    let mut legs = client.fan_out(20, 0);
    let mut held = Vec::new();
    for _ in 0..20 {
        held.push(fan_out::next(&mut legs).await);
    }
    proxy.cut();
    for leg in held {
        assert_eq!(leg.claim.generation, 1);
        leg.settle(fan_out::answered(200));
    }
    let done = fan_out::reaches(&service, job, proto::v1::JobState::Completed).await;
    assert_eq!(done.delivered, 20);
    // The stream that is open again hands out more, with templates.
    let next = fan_out::accepted(&client, fan_out::message(2, 1)).await;
    let leg = fan_out::next(&mut legs).await;
    assert_eq!((leg.job.job, leg.attempts), (next.job(), 0));
    leg.settle(fan_out::answered(200));
    fan_out::reaches(&service, next.job(), proto::v1::JobState::Completed).await;
}
