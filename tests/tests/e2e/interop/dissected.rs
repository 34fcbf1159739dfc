//! What we send, as Wireshark's dissectors see it: nothing of it is malformed.

use std::collections::BTreeSet;
use std::net::IpAddr;

use restante_tests::msrp::Sender;
use restante_tests::sip::{Transport, example};
use restante_tests::subscriber::Subscriber;
use restante_tests::{LoopbackNet, Scene, somebody};

use super::capture::Capture;
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

/// What is asked of each frame, in the order of `Frame`.
const FIELDS: [&str; 10] = [
    "ip.dst",
    "frame.protocols",
    "sip.Method",
    "sip.Status-Code",
    "msrp.method",
    "msrp.status.code",
    "sdp.media.proto",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
];

/// From this on experts warn.
const WARNING: u32 = 0x0060_0000;

/// A frame as tshark has read it.
#[derive(Debug)]
struct Frame(Vec<String>);

impl Frame {
    /// The values of a field, of which a frame may have several.
    fn values(&self, field: &str) -> impl Iterator<Item = &str> {
        let place = FIELDS.iter().position(|known| *known == field);
        let value = place.and_then(|place| self.0.get(place));
        let values = value.map(String::as_str).unwrap_or_default().split(',');
        values.filter(|value| !value.is_empty())
    }

    fn is_to(&self, host: IpAddr) -> bool {
        self.values("ip.dst").any(|found| found == host.to_string())
    }

    /// Whether a dissector of ours has read it.
    fn is_read(&self) -> bool {
        let mut protocols = self
            .values("frame.protocols")
            .flat_map(|all| all.split(':'));
        protocols.any(|protocol| ["sip", "msrp"].contains(&protocol))
    }

    /// Whether it is malformed, or an expert warns.
    fn is_complained_of(&self) -> bool {
        let mut severities = self.values("_ws.expert.severity");
        let is_warning = |severity: &str| severity.parse().is_ok_and(|found: u32| found >= WARNING);
        self.values("_ws.malformed").next().is_some() || severities.any(is_warning)
    }
}

/// All values of a field.
fn values<'a>(frames: &[&'a Frame], field: &str) -> BTreeSet<&'a str> {
    frames
        .iter()
        .flat_map(|frame| frame.values(field))
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
    let tcp = scene.deployment.edge(Transport::Tcp).port();
    let udp = scene.deployment.edge(Transport::Udp).port();
    let core = scene.core.tcp().port();
    let decode = [
        format!("tcp.port=={msrp},msrp"),
        format!("tcp.port=={tcp},sip"),
        format!("tcp.port=={core},sip"),
        format!("udp.port=={udp},sip"),
    ];
    let frames = capture.stop(&decode, "tcp.len > 0 || udp", &FIELDS).await;
    let frames: Vec<_> = frames.into_iter().map(Frame).collect();
    let net = scene.deployment.net();
    let to = |host: u8| {
        frames
            .iter()
            .filter(move |frame| frame.is_to(net.host(host)))
    };

    // Connections of the edge are from whatever loopback address the system takes, and all to the core.
    let ours: Vec<_> = to(LoopbackNet::CORE).collect();
    // Everything was read by a dissector…
    let unread = ours.iter().filter(|frame| !frame.is_read());
    assert_eq!(unread.count(), 0, "{ours:#?}");
    // …was what it should be…
    let methods = values(&ours, "sip.Method");
    let expected = ["ACK", "BYE", "INVITE", "MESSAGE", "NOTIFY"];
    assert_eq!(methods, expected.into());
    let codes = values(&ours, "sip.Status-Code");
    assert!(
        codes.is_superset(&["200", "202", "404"].into()),
        "{codes:?}"
    );
    assert_eq!(values(&ours, "msrp.method"), ["REPORT", "SEND"].into());
    let codes = values(&ours, "msrp.status.code");
    assert!(codes.contains("200"), "{codes:?}");
    assert_eq!(values(&ours, "sdp.media.proto"), ["TCP/MSRP"].into());
    // …and gave it no reason to complain.
    let complaints: Vec<_> = ours
        .iter()
        .filter(|frame| frame.is_complained_of())
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let theirs =
        to(LoopbackNet::SERVER).filter(|frame| frame.is_read() && frame.is_complained_of());
    assert_eq!(theirs.count(), 1);
}
