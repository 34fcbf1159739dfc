//! Requirements §5.9: framing, limits, duplicates.

use std::time::Duration;

use restante_tests::patience::{ANSWER, within};
use restante_tests::sip::{Transport, example, fresh};
use restante_tests::{Part, Scene, uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A connection of the core to the edge, read and written by the test itself.
async fn connection(scene: &Scene) -> TcpStream {
    let edge = scene.deployment.edge(Transport::Tcp);
    let stream = scene.core.connect(edge).await.expect("the edge listens");
    stream.set_nodelay(true).expect("a TCP socket");
    stream
}

/// The octets of an example message by TCP.
fn octets(scene: &Scene, user: &str) -> Vec<u8> {
    example::message(user).octets(&scene.core.hop(&scene.way), &scene.way.to.to_string())
}

/// Reads until the text holds `count` answers, or the connection ends.
async fn answers(connection: &mut TcpStream, count: usize) -> String {
    let mut received = Vec::new();
    within(ANSWER, "answers", async {
        loop {
            let text = String::from_utf8_lossy(&received).into_owned();
            if text.matches("SIP/2.0 ").count() >= count && text.ends_with("\r\n\r\n") {
                return text;
            }
            // A reset is an end, too.
            if connection.read_buf(&mut received).await.unwrap_or(0) == 0 {
                return String::from_utf8_lossy(&received).into_owned();
            }
        }
    })
    .await
}

#[tokio::test]
async fn ct_rob_01_a_request_in_many_segments_is_one_request() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let mut connection = connection(&scene).await;
    let request = octets(&scene, &bob);
    for octet in &request {
        connection
            .write_all(&[*octet])
            .await
            .expect("an open connection");
    }
    assert!(
        answers(&mut connection, 1)
            .await
            .starts_with("SIP/2.0 202 ")
    );
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    assert_eq!(scene.operator.request_octets(&id).await, request);
    scene.fence().await;
}

#[tokio::test]
async fn ct_rob_01_two_requests_in_one_segment_are_two() {
    let scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let mut connection = connection(&scene).await;
    let both = [octets(&scene, &bob), octets(&scene, &bob)].concat();
    connection
        .write_all(&both)
        .await
        .expect("an open connection");
    assert_eq!(
        answers(&mut connection, 2)
            .await
            .matches("SIP/2.0 202 ")
            .count(),
        2
    );
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 2);
}

#[tokio::test]
async fn ct_rob_01_a_keep_alive_is_answered() {
    let scene = Scene::all().await;
    let mut connection = connection(&scene).await;
    connection
        .write_all(b"\r\n\r\n")
        .await
        .expect("an open connection");
    let mut pong = [0; 2];
    within(ANSWER, "a pong", connection.read_exact(&mut pong))
        .await
        .expect("an open connection");
    assert_eq!(&pong, b"\r\n");
}

#[tokio::test]
async fn ct_rob_02_a_stream_that_cannot_be_framed_is_refused_and_closed() {
    let scene = Scene::all().await;
    let hop = scene.core.hop(&scene.way);
    let edge = scene.way.to.to_string();
    let message = || example::message("bob");
    let long = format!("X-Long: {}", "x".repeat(7_000));
    let large = (0..10).fold(message(), |request, _| request.line(long.as_str()));
    let many = (0..1_000).fold(message(), |request, number| {
        request.line(format!("X-{number}: 1"))
    });
    for (request, statuses) in [
        (message().without("Content-Length"), ["400", "400"]),
        (large, ["513", "400"]),
        (many, ["513", "400"]),
    ] {
        let mut connection = connection(&scene).await;
        // The edge may close before it has read everything.
        let _ = connection.write_all(&request.octets(&hop, &edge)).await;
        let mut received = Vec::new();
        // A reset is an end, too.
        let _ = within(
            ANSWER,
            "the end of the connection",
            connection.read_to_end(&mut received),
        )
        .await;
        let text = String::from_utf8_lossy(&received);
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(received.is_empty() || statuses.contains(&status), "{text}");
    }
    assert_eq!(scene.operator.list("").await, []);
}

#[tokio::test]
async fn ct_dup_01_retransmissions_get_the_same_answer_and_are_stored_once() {
    let mut scene = Scene::all().await;
    let (bob, way) = (format!("bob-{}", fresh()), scene.udp().await);
    let exchange = scene.core.call(&way, &example::message(&bob)).await;
    for _ in 0..7 {
        way.send(exchange.request.octets()).await;
        assert_eq!(
            scene.core.response_to(&exchange.request).await,
            exchange.response
        );
    }
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 1);
}

#[tokio::test]
async fn ct_dup_05_07_a_retry_after_a_restart_of_everything_is_stored_once() {
    let mut scene = Scene::all().await;
    let bob = format!("bob-{}", fresh());
    let request = example::message(&bob);
    scene.deposit(&request).await;
    let id = scene.operator.only(&uri(&bob)).await.message_id;
    scene.deployment.kill(Part::All).await;
    scene.deployment.launch(Part::All).await;
    scene.reconnect().await;
    scene.deposit(&request).await;
    assert_eq!(scene.operator.only(&uri(&bob)).await.message_id, id);
    // Another body under the same key is another message.
    scene.deposit(&request.body("text/plain", "other")).await;
    assert_eq!(scene.operator.list(&uri(&bob)).await.len(), 2);
}

#[tokio::test]
async fn ct_rob_03_a_slow_connection_does_not_hold_up_others() {
    let mut scene = Scene::all().await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut connection = connection(&scene).await;
        connection
            .write_all(b"MESSAGE sip:bob@example.org SIP/2.0\r\nVia: ")
            .await
            .expect("an open connection");
        slow.push(connection);
    }
    let bob = format!("bob-{}", fresh());
    let answered =
        tokio::time::timeout(Duration::from_secs(5), scene.deposit_text(&bob, "hi")).await;
    assert!(answered.is_ok(), "others are served");
}
