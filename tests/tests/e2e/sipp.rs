//! SIPp as a peer that knows nothing of us: messages, retransmissions, sessions, registrations, malformed requests, and a
//! phone that is pushed to.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use proto::v1::MessageState;
use restante_tests::patience::{ANSWER, within};
use restante_tests::run::{Ended, run};
use restante_tests::sip::Transport;
use restante_tests::{Deployment, LoopbackNet, Part};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

/// A scenario of `tests/sipp` against this address, so many calls from this host.
fn sipp(
    deployment: &Deployment,
    scenario: &str,
    (mode, to): (&str, SocketAddr),
    calls: u32,
) -> Command {
    let found = std::process::Command::new("sipp").arg("-v").output();
    assert!(
        found.is_ok(),
        "sipp is missing: install the Debian package sip-tester"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp");
    let host = deployment.net().host(LoopbackNet::CORE).to_string();
    let mut command = Command::new("sipp");
    command.arg(to.to_string());
    command.arg("-sf").arg(folder.join(scenario));
    command.args(["-t", mode, "-i", &host, "-m", &calls.to_string()]);
    command.args("-r 200 -l 20 -timeout 50 -timeout_error -nostdin".split(' '));
    command
        .current_dir(deployment.scratch())
        .env("TERM", "dumb");
    command
}

/// Runs a scenario against the participating edge to its end.
async fn succeeds(deployment: &Deployment, scenario: &str, transport: Transport, calls: u32) {
    let mode = match transport {
        Transport::Udp => "u1",
        Transport::Tcp => "t1",
    };
    let to = (mode, deployment.edge(transport));
    run(sipp(deployment, scenario, to, calls)).await.done();
}

async fn stored(deployment: &Deployment) -> usize {
    deployment.operator().list("").await.len()
}

#[tokio::test]
async fn messages_over_udp_are_accepted_and_stored() {
    let deployment = Deployment::all().start().await;
    succeeds(&deployment, "message_udp.xml", Transport::Udp, 300).await;
    assert_eq!(stored(&deployment).await, 300);
}

#[tokio::test]
async fn messages_over_tcp_are_accepted_and_stored() {
    let deployment = Deployment::all().start().await;
    succeeds(&deployment, "message_tcp.xml", Transport::Tcp, 300).await;
    assert_eq!(stored(&deployment).await, 300);
}

#[tokio::test]
async fn a_request_sent_twice_is_stored_once() {
    let deployment = Deployment::all().start().await;
    succeeds(&deployment, "retransmission.xml", Transport::Udp, 50).await;
    assert_eq!(stored(&deployment).await, 50);
}

#[tokio::test]
async fn malformed_requests_are_refused_and_nothing_is_stored() {
    let deployment = Deployment::all().start().await;
    succeeds(&deployment, "malformed.xml", Transport::Udp, 50).await;
    assert_eq!(stored(&deployment).await, 0);
    succeeds(&deployment, "message_udp.xml", Transport::Udp, 1).await;
    assert_eq!(stored(&deployment).await, 1);
}

/// A certificate for the edge, of itself.
async fn certificate(folder: &Path) -> (String, String) {
    let place = |name: &str| folder.join(name).display().to_string();
    let (certificate, key) = (place("certificate.pem"), place("key.pem"));
    let mut command = Command::new("openssl");
    command.args(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(' '),
    );
    command.args(["-subj", "/CN=df1.example.org"]);
    command.args(["-addext", "subjectAltName=DNS:df1.example.org"]);
    command.args(["-keyout", &key, "-out", &certificate]);
    run(command).await.done();
    (certificate, key)
}

/// Leads what comes to a port in clear through OpenSSL to an address; the port.
async fn through_openssl(host: std::net::IpAddr, to: SocketAddr, authority: String) -> SocketAddr {
    let listener = TcpListener::bind((host, 0)).await.expect("a free port");
    let place = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut client = Command::new("openssl");
            client.args([
                "s_client",
                "-quiet",
                "-verify_return_error",
                "-CAfile",
                &authority,
            ]);
            client.args(["-verify_hostname", "df1.example.org"]);
            client.args(["-connect", &to.to_string(), "-bind", &host.to_string()]);
            client
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            let mut client = client.kill_on_drop(true).spawn().expect("openssl");
            let output = client.stdout.take().expect("piped");
            let input = client.stdin.take().expect("piped");
            tokio::spawn(pass(client, stream, tokio::io::join(output, input)));
        }
    });
    place
}

/// Passes octets on in both directions until either ends.
async fn pass(
    _client: tokio::process::Child,
    mut stream: TcpStream,
    mut tls: tokio::io::Join<tokio::process::ChildStdout, tokio::process::ChildStdin>,
) {
    // SIPp ends its connection when it has all it wants.
    let _ = copy_bidirectional(&mut stream, &mut tls).await;
}

#[tokio::test]
async fn messages_over_tls_are_accepted_and_stored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (authority, key) = certificate(folder.path()).await;
    let plan = Deployment::all();
    let (server, core) = (LoopbackNet::SERVER, plan.net().host(LoopbackNet::CORE));
    let listen = plan.net().any_port(server).to_string();
    let plan = plan
        .set("sip-edge.listen_tls", &listen)
        .set("tls.certificate", &authority)
        .set("tls.key", &key);
    let deployment = plan.start().await;
    let tls = deployment.process(Part::All).listener("sip-edge/sip/TLS");
    let place = through_openssl(core, tls.await, authority).await;
    run(sipp(&deployment, "message_tls.xml", ("t1", place), 100))
        .await
        .done();
    assert_eq!(stored(&deployment).await, 100);
}

#[tokio::test]
async fn sessions_are_set_up_and_ended_and_calls_refused() {
    let deployment = Deployment::all().start().await;
    for transport in [Transport::Udp, Transport::Tcp] {
        succeeds(&deployment, "invite.xml", transport, 20).await;
    }
    assert_eq!(stored(&deployment).await, 0);
}

#[tokio::test]
async fn a_core_tells_of_registrations() {
    let deployment = Deployment::all().start().await;
    succeeds(&deployment, "third_party_register.xml", Transport::Tcp, 50).await;
    let mailbox = deployment
        .operator()
        .mailbox("sip:sipp-50@example.org")
        .await;
    let bindings = mailbox.expect("he is registered").bindings;
    assert_eq!(bindings.len(), 1, "{bindings:?}");
}

/// The phone is SIPp, at the port that the core passes its requests on to.
#[tokio::test]
async fn a_phone_is_pushed_its_messages() {
    let plan = Deployment::all();
    let (phone, port) = (plan.net().host(LoopbackNet::CORE), 5070);
    let hop = format!("sip:{phone}:{port};transport=tcp");
    let deployment = plan
        .set("sip.next_hop", &hop)
        .set("delivery.mode", "message")
        .start()
        .await;
    succeeds(&deployment, "message_tcp.xml", Transport::Tcp, 1).await;
    let target = ("t1", deployment.edge(Transport::Tcp));
    let mut command = sipp(&deployment, "phone.xml", target, 1);
    command.args(["-p", &port.to_string()]);
    let taking = tokio::spawn(run(command));
    within(ANSWER, "SIPp to listen", async {
        while TcpStream::connect((phone, port)).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    succeeds(&deployment, "third_party_register.xml", Transport::Tcp, 1).await;
    let ended: Ended = taking.await.expect("our own task");
    ended.done();
    let operator = deployment.operator();
    let id = operator.only("sip:sipp-1@example.org").await.message_id;
    operator.until(&id, MessageState::Delivered).await;
}
