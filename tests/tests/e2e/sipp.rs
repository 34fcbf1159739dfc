//! SIPp as a peer that knows nothing of us: messages, retransmissions, malformed requests.

use std::path::Path;

use restante_tests::run::run;
use restante_tests::sip::Transport;
use restante_tests::{Deployment, LoopbackNet};
use tokio::process::Command;

/// Runs a scenario of `tests/sipp` against the participating edge until so many calls were made.
async fn sipp(deployment: &Deployment, scenario: &str, transport: Transport, calls: u32) {
    let found = std::process::Command::new("sipp").arg("-v").output();
    assert!(
        found.is_ok(),
        "sipp is missing: install the Debian package sip-tester"
    );
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sipp");
    let mode = match transport {
        Transport::Udp => "u1",
        Transport::Tcp => "t1",
    };
    let host = deployment.net().host(LoopbackNet::CORE).to_string();
    let mut command = Command::new("sipp");
    command.arg(deployment.edge(transport).to_string());
    command.arg("-sf").arg(folder.join(scenario));
    command.args(["-t", mode, "-i", &host, "-m", &calls.to_string()]);
    command.args("-r 200 -l 20 -timeout 50 -timeout_error -nostdin".split(' '));
    command
        .current_dir(deployment.scratch())
        .env("TERM", "dumb");
    let ended = run(command).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.errors);
}

async fn stored(deployment: &Deployment) -> usize {
    deployment.operator().list("").await.len()
}

#[tokio::test]
async fn messages_over_udp_are_accepted_and_stored() {
    let deployment = Deployment::all().start().await;
    sipp(&deployment, "message_udp.xml", Transport::Udp, 300).await;
    assert_eq!(stored(&deployment).await, 300);
}

#[tokio::test]
async fn messages_over_tcp_are_accepted_and_stored() {
    let deployment = Deployment::all().start().await;
    sipp(&deployment, "message_tcp.xml", Transport::Tcp, 300).await;
    assert_eq!(stored(&deployment).await, 300);
}

#[tokio::test]
async fn a_request_sent_twice_is_stored_once() {
    let deployment = Deployment::all().start().await;
    sipp(&deployment, "retransmission.xml", Transport::Udp, 50).await;
    assert_eq!(stored(&deployment).await, 50);
}

#[tokio::test]
async fn malformed_requests_are_refused_and_nothing_is_stored() {
    let deployment = Deployment::all().start().await;
    sipp(&deployment, "malformed.xml", Transport::Udp, 50).await;
    assert_eq!(stored(&deployment).await, 0);
    sipp(&deployment, "message_udp.xml", Transport::Udp, 1).await;
    assert_eq!(stored(&deployment).await, 1);
}
