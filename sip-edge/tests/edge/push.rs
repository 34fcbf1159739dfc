//! The story: a message waits, its user comes back, it is pushed (DLV, PSH rows, requirements §2.4).

use proto::v1;
use sip::Request;
use tokio::net::TcpListener;

use crate::client::{TcpPeer, value};
use crate::deposit::message;
use crate::msrp_client::{MsrpClient, own_path, path_in};
use crate::registration::register;
use crate::running::{Running, laptop};
use crate::store::{Behaviour, Store};
use restante_sip_edge::Config;

/// Everybody in the story.
pub(crate) struct Story {
    pub(crate) store: Store,
    pub(crate) edge: Running,
    pub(crate) bob: TcpPeer,
}

impl Story {
    /// Alice's messages are stored, Bob's client has registered and was answered.
    pub(crate) async fn with_messages(count: usize) -> Self {
        let mut story = Self::begun(count, |_| {}).await;
        story.register(IM_TAG, "").await;
        story
    }

    /// Alice's messages are stored, Bob's client has connected.
    pub(crate) async fn begun(count: usize, configure: impl FnOnce(&mut Config)) -> Self {
        let mut store = Store::start(Behaviour::Stores).await;
        let mut config = laptop(store.address);
        configure(&mut config);
        let edge = Running::ready(config).await;
        let mut core = TcpPeer::connect(edge.tcp).await;
        for number in 1..=count {
            deposit(&mut store, &mut core, number, "Lunch at noon, same place?").await;
        }
        let bob = TcpPeer::connect(edge.tcp).await;
        Self { store, edge, bob }
    }

    /// Bob's client registers; its Contact has these parameters, its REGISTER these lines.
    pub(crate) async fn register(&mut self, params: &str, lines: &str) {
        let contact = format!("<sip:bob@{};transport=tcp>{params}", self.bob.address());
        let text = register(&contact, &format!("Expires: 600\r\n{lines}"));
        self.bob.send(&text).await;
        assert_eq!(self.bob.response_amid_requests().await.status().code(), 200);
        self.store.registration().await;
    }

    /// Bob's client answers the INVITE, connects, and has the ACK.
    pub(crate) async fn answered(&mut self) -> (Request, MsrpClient) {
        let invite = self.bob.request_of("INVITE").await;
        let path = own_path(9);
        self.bob
            .answer(
                &invite,
                "200 OK",
                &contact(&self.bob),
                &description(&path, "active"),
            )
            .await;
        self.bob.request_of("ACK").await;
        let client = MsrpClient::connect(path, path_in(invite.body())).await;
        (invite, client)
    }
}

/// Feature tag of an IM client.
pub(crate) const IM_TAG: &str = ";+g.oma.sip-im";

/// Alice sends Bob one more message.
pub(crate) async fn deposit(store: &mut Store, core: &mut TcpPeer, number: usize, body: &str) {
    let text = message(&format!("z9hG4bK-{number}"), "")
        .replace("CSeq: 101", &format!("CSeq: {number}"))
        .replace(
            "Content-Length: 26",
            &format!("Content-Length: {}", body.len()),
        )
        .replace("Lunch at noon, same place?", body);
    core.send(&text).await;
    assert_eq!(core.response().await.status().code(), 202);
    store.deposit().await;
}

/// The lines of a 2xx that carry a session description.
pub(crate) fn contact(bob: &TcpPeer) -> String {
    format!(
        "Contact: <sip:bob@{};transport=tcp>;+g.oma.sip-im\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n\
         Content-Type: application/sdp\r\n",
        bob.address()
    )
}

/// Bob's answer to the offer.
pub(crate) fn description(path: &str, setup: &str) -> String {
    let port = path.split(['/', ':']).nth(4).expect("a port");
    format!(
        "v=0\r\no=bob 8801 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
         m=message {port} TCP/MSRP *\r\na=path:{path}\r\na=accept-types:multipart/mixed message/cpim text/plain\r\n\
         a=accept-wrapped-types:*\r\na=recvonly\r\na=setup:{setup}\r\n"
    )
}

fn delivered(acknowledge: &v1::Acknowledge) -> &str {
    assert!(
        matches!(
            acknowledge.settlement,
            Some(v1::acknowledge::Settlement::Delivered(_))
        ),
        "{acknowledge:?}"
    );
    &acknowledge.message_id
}

#[tokio::test]
async fn the_invite_has_every_header_of_the_requirement() {
    let mut story = Story::with_messages(1).await;
    let invite = story.bob.request_of("INVITE").await;
    let headers = invite.headers();
    assert_eq!(invite.raw_uri(), "sip:bob@example.org");
    let expected = [
        ("Max-Forwards", "70"),
        ("To", "<sip:bob@example.org>"),
        ("CSeq", "1 INVITE"),
        ("Expires", "30"),
        ("Accept-Contact", "*;+g.oma.sip-im;require;explicit"),
        ("Supported", "timer"),
        ("Session-Expires", "1800;refresher=uac"),
        ("P-Asserted-Identity", "<sip:im-store@127.0.0.1>"),
        ("Content-Type", "application/sdp"),
    ];
    for (name, expected) in expected {
        assert_eq!(value(headers, name), expected, "{invite:?}");
    }
    let contact = value(headers, "Contact");
    assert!(contact.ends_with(">;automata;+g.oma.sip-im"), "{contact}");
    assert!(value(headers, "User-Agent").starts_with("IM-serv/OMA1.0 "));
    let via = headers.top_via().expect("well-formed").expect("a Via");
    assert!(
        via.branch().expect("a branch").starts_with("z9hG4bK-rst-"),
        "{via}"
    );
    let offer = String::from_utf8_lossy(invite.body()).into_owned();
    assert!(
        offer.contains("a=sendonly\r\na=setup:actpass\r\n"),
        "{offer}"
    );
}

#[tokio::test]
async fn what_waits_is_pushed_byte_for_byte_and_settled() {
    let mut story = Story::with_messages(1).await;
    let (invite, mut client) = story.answered().await;
    let send = client.next().await;
    assert_eq!(send.value("Message-ID"), "dlv-13684434990-1");
    assert_eq!(
        (send.value("Success-Report"), send.value("Failure-Report")),
        ("no", "yes")
    );
    assert_eq!(
        send.value("Byte-Range"),
        format!("1-{0}/{0}", send.body.len())
    );
    assert!(
        send.value("Content-Type")
            .starts_with("multipart/mixed;boundary=\"")
    );
    let text = send.text();
    let sent = message("z9hG4bK-1", "").replace("CSeq: 101", "CSeq: 1");
    let unrouted = without(&without(&sent, "Route: "), "P-Served-User: ");
    let wrapped = text
        .split("Content-Type: message/sip\r\n\r\n")
        .nth(1)
        .expect("part 2");
    let wrapped = wrapped.rsplit_once("\r\n--").expect("an end").0;
    assert_eq!(wrapped, unrouted);
    assert!(
        text.contains("Message-ID: 13684434990@mailserver32.example.org\r\n"),
        "{text}"
    );

    client.answer(&send, "200 OK").await;
    assert_eq!(
        delivered(&story.store.acknowledgement().await),
        "13684434990@mailserver32.example.org"
    );
    let release = story.store.release().await;
    assert_eq!(
        release.outcome.expect("an outcome").result(),
        v1::DeliveryResult::Completed
    );
    assert_eq!(release.last_sequence, 1);
    let bye = story.bob.request_of("BYE").await;
    assert_eq!(
        value(bye.headers(), "Call-ID"),
        value(invite.headers(), "Call-ID")
    );
    story.bob.answer(&bye, "200 OK", "", "").await;
    assert_eq!(story.store.stored(), 0);
}

/// Without the line that begins so.
fn without(text: &str, start: &str) -> String {
    text.split_inclusive("\r\n")
        .filter(|line| !line.starts_with(start))
        .collect()
}

#[tokio::test]
async fn all_messages_go_in_their_order_within_the_window() {
    let mut story = Story::with_messages(6).await;
    let (_, mut client) = story.answered().await;
    let mut held = Vec::new();
    for number in 0..4 {
        let send = client.next().await;
        assert_eq!(
            send.value("Message-ID"),
            format!("dlv-{}-1", crate::store::FIRST + number)
        );
        held.push(send);
    }
    for number in 4..6 {
        client.answer(&held.remove(0), "200 OK").await;
        let send = client.next().await;
        assert_eq!(
            send.value("Message-ID"),
            format!("dlv-{}-1", crate::store::FIRST + number)
        );
        held.push(send);
    }
    for send in held {
        client.answer(&send, "200 OK").await;
    }
    for _ in 0..6 {
        delivered(&story.store.acknowledgement().await);
    }
    assert_eq!(story.store.release().await.last_sequence, 6);
    story.bob.request_of("BYE").await;
}

#[tokio::test]
async fn a_message_that_comes_meanwhile_goes_in_the_same_session() {
    let mut story = Story::with_messages(1).await;
    let (_, mut client) = story.answered().await;
    let first = client.next().await;
    let mut core = TcpPeer::connect(story.edge.tcp).await;
    core.send(&message("z9hG4bK-m", "").replace("CSeq: 101", "CSeq: 2"))
        .await;
    assert_eq!(core.response().await.status().code(), 202);
    story.store.deposit().await;
    client.answer(&first, "200 OK").await;
    let second = client.next().await;
    assert_eq!(second.value("Message-ID"), "dlv-13684434991-1");
    client.answer(&second, "200 OK").await;
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

#[tokio::test]
async fn the_edge_connects_where_the_client_is_passive() {
    let mut story = Story::with_messages(1).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let path = own_path(listener.local_addr().expect("bound").port());
    let invite = story.bob.request_of("INVITE").await;
    story
        .bob
        .answer(
            &invite,
            "200 OK",
            &contact(&story.bob),
            &description(&path, "passive"),
        )
        .await;
    story.bob.request_of("ACK").await;
    let mut client = MsrpClient::accept(&listener, path, path_in(invite.body())).await;
    let send = client.next().await;
    client.answer(&send, "200 OK").await;
    story.bob.request_of("BYE").await;
    assert_eq!(story.store.stored(), 0);
}

#[tokio::test]
async fn our_own_push_that_comes_back_is_refused_with_482() {
    let mut story = Story::with_messages(1).await;
    let invite = story.bob.request_of("INVITE").await;
    let mut core = TcpPeer::connect(story.edge.tcp).await;
    let through_the_core = "SIP/2.0/TCP scscf1.example.org:5060;branch=z9hG4bK-core-1;rport";
    let back = invite
        .edit()
        .prepend(sip::Name::Via, through_the_core)
        .build();
    core.send(&String::from_utf8_lossy(back.as_bytes())).await;
    assert_eq!(core.response().await.status().code(), 482);
    assert_eq!(story.store.stored(), 1);
}

#[tokio::test]
async fn requests_of_the_client_in_the_dialog_are_answered() {
    let mut story = Story::with_messages(1).await;
    let (invite, mut client) = story.answered().await;
    let send = client.next().await;
    let table = [("OPTIONS", 200), ("UPDATE", 200), ("INFO", 405)];
    for (cseq, (method, code)) in table.into_iter().enumerate() {
        story.bob.send(&in_dialog(&invite, method, cseq + 1)).await;
        let response = story.bob.response().await;
        assert_eq!(response.status().code(), code, "{method}: {response:?}");
    }
    let unknown = in_dialog(&invite, "OPTIONS", 8)
        .replace("Content-Length", "Require: precondition\r\nContent-Length");
    story.bob.send(&unknown).await;
    let refused = story.bob.response().await;
    assert_eq!(refused.status().code(), 420, "{refused:?}");
    assert_eq!(value(refused.headers(), "Unsupported"), "precondition");
    story
        .bob
        .send(&in_dialog(&invite, "OPTIONS", 9).replace("tag=b-9d", "tag=other"))
        .await;
    assert_eq!(story.bob.response().await.status().code(), 481);
    client.answer(&send, "200 OK").await;
    story.bob.request_of("BYE").await;
}

#[tokio::test]
async fn a_refresh_of_the_client_gets_the_same_description() {
    let mut story = Story::with_messages(1).await;
    let (invite, mut client) = story.answered().await;
    let send = client.next().await;
    let refresh = in_dialog(&invite, "INVITE", 5).replace(
        "Content-Length: 0",
        "Contact: <sip:bob@203.0.113.9>\r\nSupported: timer\r\n\
         Session-Expires: 600;refresher=uac\r\nContent-Length: 0",
    );
    let elsewhere = format!("<sip:bob@{};transport=tcp>", story.bob.address());
    story
        .bob
        .send(&refresh.replace("<sip:bob@203.0.113.9>", &elsewhere))
        .await;
    let response = story.bob.response().await;
    assert_eq!(response.status().code(), 200, "{response:?}");
    assert_eq!(response.body(), invite.body());
    assert_eq!(
        value(response.headers(), "Session-Expires"),
        "600;refresher=uac"
    );
    assert_eq!(value(response.headers(), "Require"), "timer");
    assert!(value(response.headers(), "Contact").contains(";automata;+g.oma.sip-im"));
    story.bob.send(&in_dialog(&invite, "ACK", 5)).await;

    story.bob.send(&in_dialog(&invite, "UPDATE", 4)).await;
    let late = story.bob.response().await;
    assert_eq!(late.status().code(), 500, "{late:?}");
    assert!(
        late.headers()
            .retry_after()
            .expect("well-formed")
            .is_some_and(|wait| wait <= 10)
    );
    client.answer(&send, "200 OK").await;
    story.bob.request_of("BYE").await;
}

#[tokio::test]
async fn an_offer_of_the_client_is_answered_with_who_connected_and_moves_nothing() {
    let mut story = Story::with_messages(1).await;
    let (invite, mut client) = story.answered().await;
    let send = client.next().await;
    let again = description(&own_path(9), "actpass");
    let offer = |cseq, description: &str| {
        in_dialog(&invite, "INVITE", cseq).replace(
            "Content-Length: 0\r\n\r\n",
            &format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{description}",
                description.len()
            ),
        )
    };
    story.bob.send(&offer(5, &again)).await;
    let response = story.bob.response().await;
    assert_eq!(response.status().code(), 200, "{response:?}");
    let answer = String::from_utf8_lossy(response.body()).into_owned();
    assert!(answer.contains("\r\na=setup:passive\r\n"), "{answer}");
    assert!(answer.contains("\r\na=sendonly\r\n"), "{answer}");
    story.bob.send(&in_dialog(&invite, "ACK", 5)).await;

    let moved = again.replace("b0bS3ss", "m0vedS3ss");
    assert_ne!(moved, again);
    story.bob.send(&offer(6, &moved)).await;
    assert_eq!(story.bob.response().await.status().code(), 488);
    story.bob.send(&in_dialog(&invite, "ACK", 6)).await;
    client.answer(&send, "200 OK").await;
    story.bob.request_of("BYE").await;
}

/// A request of Bob's client in the dialog of this INVITE.
pub(crate) fn in_dialog(invite: &Request, method: &str, cseq: usize) -> String {
    let headers = invite.headers();
    format!(
        "{method} sip:im-store@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 203.0.113.9;branch=z9hG4bK-in-{cseq};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:bob@example.org>;tag=b-9d\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n",
        value(headers, "From"),
        value(headers, "Call-ID"),
    )
}
