//! What we send, as Wireshark's dissectors see it: nothing of it is malformed.

use std::collections::BTreeSet;

use restante_tests::msrp::Sender;
use restante_tests::sip::{Transport, example};
use restante_tests::subscriber::Subscriber;
use restante_tests::{LoopbackNet, Scene, somebody};

use super::capture::{Capture, Recorded};
use super::{are_there, is_satisfied};

/// A pager message by both transports, refusals, a report, a subscription, pushes, a large message in and out.
async fn story(scene: &mut Scene) {
    let user = somebody();
    let mut phone = Subscriber::behind(&scene.core, &user);
    phone.subscribe(&mut scene.core, &scene.way, 3_600).await;
    phone.notified(&mut scene.core).await;
    scene.deposit(&example::message(&user)).await;
    let udp = scene.udp().await;
    let by_udp = scene.core.call(&udp, &example::message(&user)).await;
    assert_eq!(by_udp.response.status(), Some(202));
    // Of this one tshark complains, if it is as attentive as we think.
    let foreign = example::message(&user)
        .start_line("MESSAGE sip:bob@elsewhere.org SIP/2.0")
        .without("P-Served-User")
        .set("Retry-After", "soon");
    assert_eq!(scene.status(&foreign).await, 404);
    phone
        .notified_until(&mut scene.core, "Text-Message: 2/0 (2/0)")
        .await;

    // She asks to be told.
    let cpim = "From: <sip:alice@example.org>\r\nTo: <sip:bob@example.org>\r\nNS: imdn <urn:ietf:params:imdn>\r\n\
                imdn.Message-ID: Xk39\r\nimdn.Disposition-Notification: processing\r\n\r\n\
                Content-Type: text/plain\r\n\r\nLunch?";
    scene
        .deposit(&example::message(&user).body("message/cpim", cpim))
        .await;
    let report = scene.core.request("MESSAGE", example::ALICE).await;
    scene.core.answer(&report, "200 OK", &[], "").await;

    let sender = Sender::new(&scene.core, &user).await;
    let way = scene.way.clone();
    let mut upload = sender.open(&mut scene.core, &way, "a=sendonly\r\n").await;
    // No 200 before the REPORT: the dissector reads one message of each segment.
    let lines = "Message-ID: m1\r\nSuccess-Report: yes\r\nFailure-Report: no\r\n";
    let half = [b'x'; 2_048];
    for (range, transaction, flag) in [
        ("1-2048/4096", "part0001", '+'),
        ("2049-4096/4096", "part0002", '$'),
    ] {
        let lines = format!("{lines}Byte-Range: {range}\r\n");
        let send = upload.chunk(transaction, &lines, &half, flag);
        upload.msrp().write(&send).await;
    }
    assert_eq!(upload.msrp().frame().await.kind, "REPORT");
    assert_eq!(upload.bye(&mut scene.core).await, 200);

    scene.register(&user).await;
    scene.receive(&user, 4).await;
    phone
        .notified_until(&mut scene.core, "Messages-Waiting: no")
        .await;
    phone.subscribe(&mut scene.core, &scene.way, 0).await;
    phone.notified(&mut scene.core).await;
}

/// Values of a field in frames of ours.
async fn values(recorded: &Recorded, filter: &str, field: &str) -> BTreeSet<String> {
    let lines = recorded.fields(filter, &[field]).await;
    let values = lines.iter().flat_map(|line| line.split(','));
    values
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn tshark_finds_nothing_malformed_in_a_whole_story() {
    if !are_there(&["tshark"]) {
        return;
    }
    let mut scene = Scene::all().await;
    let started = Capture::start(&scene.deployment).await;
    let need = "the right to capture on loopback (setcap cap_net_raw+ep /usr/bin/dumpcap)";
    if !is_satisfied(need, started.is_some()) {
        return;
    }
    let capture = started.expect("it runs");
    story(&mut scene).await;
    let msrp = scene.deployment.address("sip-edge.msrp_listen").port();
    let (tcp, udp) = (
        scene.deployment.edge(Transport::Tcp).port(),
        scene.deployment.edge(Transport::Udp).port(),
    );
    let core = scene.core.tcp().port();
    let recorded = capture.stop().await;
    let recorded = recorded
        .decode(&format!("tcp.port=={msrp}"), "msrp")
        .decode(&format!("tcp.port=={tcp}"), "sip")
        .decode(&format!("tcp.port=={core}"), "sip")
        .decode(&format!("udp.port=={udp}"), "sip");

    // Connections of the edge are from whatever loopback address the system takes.
    let net = scene.deployment.net();
    let ours = format!("ip.dst == {}", net.host(LoopbackNet::CORE));
    // Everything was read by a dissector…
    let all = format!("{ours} && (tcp.len > 0 || udp)");
    let unread = recorded
        .fields(
            &format!("{all} && !sip && !msrp"),
            &["frame.number", "tcp.payload"],
        )
        .await;
    assert_eq!(unread, [""; 0]);
    // …was what it should be…
    let methods = values(&recorded, &ours, "sip.Method").await;
    let expected = ["ACK", "BYE", "INVITE", "MESSAGE", "NOTIFY"].map(str::to_owned);
    assert_eq!(methods, expected.into());
    let codes = values(&recorded, &ours, "sip.Status-Code").await;
    for code in ["200", "202", "404"] {
        assert!(codes.contains(code), "{codes:?}");
    }
    let methods = values(&recorded, &ours, "msrp.method").await;
    assert_eq!(methods, ["REPORT", "SEND"].map(str::to_owned).into());
    let codes = values(&recorded, &ours, "msrp.status.code").await;
    assert!(codes.contains("200"), "{codes:?}");
    let media = values(&recorded, &ours, "sdp.media.proto").await;
    assert_eq!(media, ["TCP/MSRP".to_owned()].into());
    // …and gave it no reason to complain. From 0x600000 on experts warn.
    let complaint = "(_ws.malformed || _ws.expert.severity >= 0x600000)";
    let fields = ["frame.number", "_ws.expert.message", "_ws.col.Info"];
    let of_ours = format!("{ours} && {complaint}");
    assert_eq!(recorded.fields(&of_ours, &fields).await, [""; 0]);
    let theirs = format!("sip && ip.dst == {}", net.host(LoopbackNet::SERVER));
    let of_theirs = format!("{theirs} && {complaint}");
    assert_eq!(recorded.fields(&of_theirs, &fields).await.len(), 1);
}
