//! Requirements §5.9: the messages of RFC 4475 as the edge serves them, by UDP and TCP. What the parser makes of
//! each is tested beside it, in `sip/tests/torture.rs`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use restante_tests::patience::ANSWER;
use restante_tests::sip::{RequestText, SipText, Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Scene};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Ports at which the top Vias want their responses (RFC 3261 §18.2.2).
const PORTS: [u16; 3] = [5060, 5050, 5070];

/// Longer than anything that is sent.
const BUFFER: usize = 65_536;

/// What follows them, or should, is part of them by their Content-Length: on a stream they are something else.
const UNFRAMED: [&str; 2] = ["clerr", "dblreq"];

fn octets(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sip/testdata/rfc4475");
    std::fs::read(folder.join(name).with_extension("sip")).expect("the message is in testdata")
}

/// The edge, and a trusted peer with sockets where the messages want their answers.
struct Torture {
    scene: Scene,
    host: IpAddr,
    udp: Arc<UdpSocket>,
    datagrams: mpsc::Receiver<SipText>,
}

impl Torture {
    /// An edge that serves the domains of the messages, and believes senders without an identity.
    async fn start() -> Self {
        let plan = Deployment::all()
            .set("domains", "example.org,example.com,example.net")
            .set("trust.require_asserted_identity", "false");
        let scene = Scene::start(plan).await;
        let host = scene.deployment.net().host(LoopbackNet::CORE);
        let (sender, datagrams) = mpsc::channel(1_024);
        let mut sockets = Vec::new();
        for port in PORTS {
            let socket = UdpSocket::bind((host, port)).await;
            let socket = Arc::new(socket.expect("nobody else has this address"));
            let (reader, sender) = (Arc::clone(&socket), sender.clone());
            tokio::spawn(async move {
                let mut buffer = vec![0; BUFFER];
                while let Ok((length, _)) = reader.recv_from(&mut buffer).await {
                    let text = SipText::new(buffer[..length].to_vec());
                    if sender.send(text).await.is_err() {
                        return;
                    }
                }
            });
            sockets.push(socket);
        }
        Self {
            scene,
            host,
            udp: sockets.swap_remove(0),
            datagrams,
        }
    }

    fn edge(&self, transport: Transport) -> SocketAddr {
        self.scene.deployment.edge(transport)
    }

    /// The status of the answer to these octets. Where there is to be none, that is believed when the next
    /// request has been answered.
    async fn status(&mut self, transport: Transport, octets: &[u8], wait: bool) -> Option<u16> {
        let options = self.options(transport);
        match transport {
            Transport::Udp => self.by_datagram(octets, &options, wait).await,
            Transport::Tcp => self.by_stream(octets, &options, wait).await,
        }
    }

    async fn by_datagram(&mut self, octets: &[u8], options: &SipText, wait: bool) -> Option<u16> {
        let edge = self.edge(Transport::Udp);
        let text = SipText::new(octets.to_vec());
        for datagram in [octets, options.octets()] {
            self.udp.send_to(datagram, edge).await.expect("sent");
        }
        let mut found = None;
        let mut is_up = false;
        while !is_up || (wait && found.is_none()) {
            let Ok(response) = timeout(ANSWER, self.datagrams.recv()).await else {
                assert!(is_up, "the edge is not up after\n{text}");
                return found;
            };
            let response = response.expect("we hold a sender");
            is_up |= response.answers(options);
            // Answers to the messages before it are repeated until their ACK, which never comes.
            let status = response.status().filter(|status| *status >= 200);
            if call_id(&response) == call_id(&text) {
                found = found.or(status);
            }
        }
        found
    }

    async fn by_stream(&mut self, octets: &[u8], options: &SipText, wait: bool) -> Option<u16> {
        let edge = self.edge(Transport::Tcp);
        let mut stream = self.scene.core.connect(edge).await.expect("it listens");
        stream.write_all(octets).await.expect("an open connection");
        // It may have been closed for what was sent.
        let _ = stream.write_all(options.octets()).await;
        let mut received = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&received).into_owned();
            let heads = text.split_inclusive("\r\n\r\n");
            let heads = heads.filter(|head| head.ends_with("\r\n\r\n"));
            let heads = heads.map(|head| SipText::new(head.as_bytes().to_vec()));
            let (own, others): (Vec<_>, Vec<_>) = heads.partition(|head| head.answers(options));
            let mut statuses = others.iter().filter_map(SipText::status);
            let found = statuses.find(|status| *status >= 200);
            if !own.is_empty() && (found.is_some() || !wait) {
                return found;
            }
            let reading = stream.read_buf(&mut received);
            if !matches!(timeout(ANSWER, reading).await, Ok(Ok(1..))) {
                return found;
            }
        }
    }

    /// A request that is answered at once.
    fn options(&self, transport: Transport) -> SipText {
        let options = RequestText::new(&format!(
            "OPTIONS sip:{{edge}} SIP/2.0
            Via: {{hop}}
            Max-Forwards: 70
            From: <sip:core@example.org>;tag=c1
            To: <sip:{{edge}}>
            Call-ID: {}@core.example.org
            CSeq: 1 OPTIONS
            Content-Length: 0",
            fresh()
        ));
        let hop = format!(
            "SIP/2.0/{transport} {}:5060;branch=z9hG4bK-{}",
            self.host,
            fresh()
        );
        SipText::new(options.octets(&hop, &self.edge(transport).to_string()))
    }
}

/// By its long or its short name.
fn call_id(text: &SipText) -> Option<&str> {
    text.find("Call-ID").or(text.find("i"))
}

/// What is to be answered by UDP and by TCP.
type Expected = (&'static str, [Option<u16>; 2]);

/// A status by either transport.
const fn both(name: &'static str, status: u16) -> Expected {
    (name, [Some(status); 2])
}

/// No answer by either.
const fn ignored(name: &'static str) -> Expected {
    (name, [None; 2])
}

/// Sends messages by both transports, each to an edge of its own: many have the same branch, and would be
/// taken for repetitions. In the end the edge still takes messages.
async fn served(expected: &[Expected]) -> [Scene; 2] {
    let (udp, tcp) = tokio::join!(
        served_by(Transport::Udp, expected),
        served_by(Transport::Tcp, expected)
    );
    [udp, tcp]
}

async fn served_by(transport: Transport, expected: &[Expected]) -> Scene {
    let mut torture = Torture::start().await;
    let mut wrong = Vec::new();
    for (name, statuses) in expected {
        if transport == Transport::Tcp && UNFRAMED.contains(name) {
            continue;
        }
        let [by_udp, by_tcp] = *statuses;
        let status = match transport {
            Transport::Udp => by_udp,
            Transport::Tcp => by_tcp,
        };
        let found = torture
            .status(transport, &octets(name), status.is_some())
            .await;
        if found != status {
            wrong.push(format!("{name}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "by {transport}: {wrong:?}");
    let mut scene = torture.scene;
    scene.deposit(&example::message("bob")).await;
    scene
}

#[tokio::test]
async fn ct_tor_01_what_is_odd_but_valid_is_served() {
    let expected = [
        both("wsinv", 481),
        both("intmeth", 501),
        both("esc01", 488),
        both("escnull", 200),
        both("esc02", 501),
        both("lwsdisp", 200),
        both("longreq", 488),
        both("dblreq", 200),
        both("semiuri", 200),
        both("transports", 200),
        both("mpart01", 202),
        ignored("unreason"),
        ignored("noreason"),
    ];
    for scene in served(&expected).await {
        let stored = scene.operator.only("sip:kumiko@example.org").await;
        let request = scene.operator.request_octets(&stored.message_id).await;
        assert!(request == octets("mpart01"));
    }
}

#[tokio::test]
async fn ct_tor_02_what_is_malformed_is_400() {
    // The Via of the first says nowhere to answer to.
    let expected = [
        ignored("badinv01"),
        both("clerr", 400),
        both("ncl", 400),
        both("scalar02", 400),
        both("quotbal", 400),
        both("ltgtruri", 400),
        both("lwsruri", 400),
        both("lwsstart", 400),
        both("trws", 400),
        both("escruri", 400),
        both("baddn", 400),
        both("mismatch01", 400),
    ];
    served(&expected).await;
}

#[tokio::test]
async fn ct_tor_03_responses_beyond_all_numbers_are_ignored() {
    let expected = [ignored("scalarlg"), ignored("bigcode")];
    served(&expected).await;
}

#[tokio::test]
async fn ct_tor_04_05_another_version_is_505_and_two_methods_are_400() {
    let expected = [both("badvers", 505), both("mismatch02", 400)];
    served(&expected).await;
}

#[tokio::test]
async fn ct_tor_06_07_what_is_wrong_where_nobody_looks_does_no_harm() {
    let expected = [
        both("baddate", 488),
        both("regbadct", 400),
        both("badaspec", 200),
        both("badbranch", 200),
    ];
    served(&expected).await;
}

#[tokio::test]
async fn ct_tor_08_missing_and_double_fields_are_400() {
    let expected = [both("insuf", 400), both("multi01", 400), both("mcl01", 400)];
    served(&expected).await;
}

#[tokio::test]
async fn ct_tor_09_to_11_unknown_schemes_extensions_and_types_have_their_status() {
    let expected = [
        both("unkscm", 416),
        both("novelsc", 416),
        both("unksm2", 404),
        // Its Via wants the answer by TLS.
        ("bext01", [None, Some(420)]),
        both("invut", 415),
    ];
    served(&expected).await;
}

#[tokio::test]
async fn ct_tor_12_13_the_rest_is_served_as_it_says() {
    let expected = [
        both("zeromf", 200),
        both("cparam01", 200),
        both("regescrt", 200),
        both("regaut01", 200),
        ignored("bcast"),
        both("sdp01", 488),
        // A stream is framed by Content-Length, which it has not.
        ("inv2543", [Some(488), Some(400)]),
    ];
    served(&expected).await;
    // It has the branch of the other.
    served(&[both("cparam02", 200)]).await;
}
