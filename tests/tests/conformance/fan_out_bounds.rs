//! Requirements §5.7: lists and documents of groups beyond any bound cost the controlling edge no memory.

use restante_tests::patience::{ANSWER, within};
use restante_tests::sip::fresh;
use restante_tests::{Deployment, LoopbackNet, Part, Scene, uri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::fan_out::{Controlling, entry};

/// Octets that the peak of the process's memory may grow by, for more than twice as many received.
const GROWTH: u64 = 24 << 20;

/// Times that something of 1 MiB is sent.
const TIMES: usize = 50;

/// Octets of the largest body that SIP is read with, and of the largest document.
const MIB: usize = 1 << 20;

/// The peak of the controlling edge's resident memory, in octets.
fn peak(scene: &Scene) -> u64 {
    let id = scene.deployment.process(Part::ControllingEdge).id();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    let kib: u64 = figure.and_then(|it| it.parse().ok()).expect("a figure");
    kib << 10
}

#[track_caller]
fn has_not_grown(scene: &Scene, before: u64) {
    let growth = peak(scene).saturating_sub(before);
    assert!(growth < GROWTH, "grew by {growth} octets");
}

#[tokio::test]
async fn ct_cfp_11_lists_beyond_any_bound_are_refused_without_memory() {
    let scene = Scene::start(Deployment::three_processes()).await;
    let mut cf = Controlling::of(scene).await;
    let bob = format!("bob-{}", fresh());
    // The process has taken one before its memory is looked at.
    let plain = cf.to(&[entry(&bob, "to")]);
    cf.accepted(&plain).await;
    cf.take(&bob, "200 OK").await;
    let before = peak(&cf.scene);

    let one = entry("p", "to");
    let many = vec![one.clone(); (MIB - 4_096) / one.len()];
    for _ in 0..TIMES {
        assert_eq!(cf.status(&cf.to(&many)).await, 403);
    }
    let bomb = bomb();
    let list = format!(
        "--gm1\r\nContent-Type: text/plain\r\n\r\nhi\r\n--gm1\r\n\
         Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n\r\n{bomb}\r\n--gm1--\r\n"
    );
    let bomb = cf.to(&[]).body("multipart/mixed;boundary=\"gm1\"", list);
    let response = cf.call(&bomb).await.response;
    assert_eq!(response.status(), Some(400), "{response}");
    assert!(response.field("Warning").starts_with("399 "), "{response}");

    // A million entries are more than is read: refused by the announcement, before a body comes.
    let length = one.len() * 1_000_000;
    let announced = cf.to(&[]).set("Content-Length", &length.to_string());
    assert_eq!(cf.status(&announced).await, 513);
    has_not_grown(&cf.scene, before);
}

/// Entities that each name the one before ten times.
fn bomb() -> String {
    let entity = |level: usize| {
        let inner = format!("&e{};", level.saturating_sub(1)).repeat(10);
        format!("<!ENTITY e{level} \"{inner}\">")
    };
    let entities: String = (1..10).map(entity).collect();
    format!(
        "<?xml version=\"1.0\"?><!DOCTYPE resource-lists [<!ENTITY e0 \"sip:bob@example.org\">{entities}]>\
         <resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list><entry uri=\"&e9;\"/></list></resource-lists>"
    )
}

#[tokio::test]
async fn ct_cfp_08_a_document_without_an_end_is_refused_without_memory() {
    let plan = Deployment::three_processes();
    let core = plan.net().host(LoopbackNet::CORE);
    let scene = Scene::start(plan.set("xcap.trusted_proxies", &format!("{core}/32"))).await;
    let edge = scene.deployment.address("xcap.groups_listen");
    let alice = uri("alice");
    let head = format!(
        "PUT /org.openmobilealliance.groups/users/{alice}/friends.xml HTTP/1.1\r\nHost: {edge}\r\n\
         X-3GPP-Asserted-Identity: \"{alice}\"\r\nContent-Type: application/vnd.oma.poc.groups+xml\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    let before = peak(&scene);
    for _ in 0..TIMES {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind((core, 0).into()).expect("a free port");
        let put = async {
            let mut connection = socket.connect(edge).await?;
            connection.write_all(head.as_bytes()).await?;
            let chunk = format!("{MIB:x}\r\n{}\r\n", "x".repeat(MIB));
            connection.write_all(chunk.as_bytes()).await?;
            // One octet too many, and no last chunk: whoever waits for it waits for ever.
            connection.write_all(b"1\r\nx\r\n").await?;
            let mut answer = [0; 12];
            connection.read_exact(&mut answer).await?;
            Ok::<_, std::io::Error>(answer)
        };
        let answer = within(ANSWER, "an answer", put).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 413");
    }
    has_not_grown(&scene, before);
}
