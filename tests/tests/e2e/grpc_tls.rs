//! gRPC over TLS: what goes through it, who is let in, and certificates that are renewed.

use crate::secure::{self, Certificates, EDGE, OPERATOR, operate};
use restante_tests::exposition::Exposition;
use restante_tests::load::Load;
use restante_tests::patience::{START, within};
use restante_tests::sip::{Transport, example, fresh};
use restante_tests::{Deployment, LoopbackNet, Part, Scene, run, uri};
use tls::CertificateFiles;
use tls::authority::Authority;

/// When 2099 begins, in seconds since 1970.
const END_OF_NEW: f64 = 4_070_908_800.0;

/// What operators are told of a handshake that failed.
#[track_caller]
fn unreachable(ended: &run::Ended, words: &str) {
    assert_eq!(ended.code, Some(69), "{}", ended.errors);
    assert!(ended.errors.contains(words), "{words} in: {}", ended.errors);
}

#[tokio::test]
async fn ct_tls_04_messages_go_through_tls_to_whoever_shows_a_good_certificate() {
    let plan = Deployment::three_processes();
    let certificates = Certificates::new(plan.net());
    let mut scene = Scene::start(certificates.secure(plan)).await;
    let bob = fresh();
    scene.deposit(&example::message(&bob)).await;
    scene.register(&bob).await;
    scene.receive(&bob, 1).await;

    let deployment = &scene.deployment;
    let ops = certificates.authority.certify(&[OPERATOR]);
    let list = ["list", "--to", &uri(&bob)];
    let listed = operate(deployment, &certificates, Some(&ops), &list).await;
    assert_eq!(listed.done().records().len(), 1);

    let (_, conditions) = deployment.fetch(Part::Storage, "/readyz").await;
    assert!(!conditions.contains("warning"), "{conditions}");
    unreachable(
        &operate(deployment, &certificates, None, &["status"]).await,
        "the server lets nobody in without a certificate",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    let elsewhere = Authority::new(folder.path());
    let foreign = elsewhere.certify(&[OPERATOR]);
    unreachable(
        &operate(deployment, &certificates, Some(&foreign), &["status"]).await,
        "our certificate leads to no authority that the server believes",
    );
    let old = certificates.authority.certify_long_ago(&[OPERATOR]);
    unreachable(
        &operate(deployment, &certificates, Some(&old), &["status"]).await,
        "our certificate has expired",
    );
    let server = deployment.url("storage.operator_listen");
    let ended = secure::restantectl(&server, &elsewhere.file(), Some(&ops), &["status"]).await;
    unreachable(&ended, "leads to no authority that is believed here");
    let clear = server.replace("https://", "http://");
    let ended = secure::restantectl(&clear, &elsewhere.file(), None, &["status"]).await;
    assert_eq!(ended.code, Some(69), "{}", ended.errors);
    let (_, metrics) = deployment.fetch(Part::Storage, "/metrics").await;
    assert!(
        metrics.contains("restante_grpc_handshakes_failed_total"),
        "{metrics}"
    );
}

#[tokio::test]
async fn renewing_every_certificate_under_load_fails_no_deposit() {
    let plan = Deployment::two_processes();
    let certificates = Certificates::new(plan.net());
    let mut scene = Scene::start(certificates.secure(plan)).await;
    let deployment = &scene.deployment;
    let edge = deployment.edge(Transport::Tcp);
    let host = deployment.net().host(LoopbackNet::CORE);
    let mut load = Load::start(host, edge, 4);
    load.more(50).await;

    // A new certificate on each side, told apart by the name that only the new one of the store has.
    let server = deployment.net().host(LoopbackNet::SERVER).to_string();
    let authority = &certificates.authority;
    let names = [server.as_str(), "localhost"];
    let end = async || {
        let (_, text) = deployment.fetch(Part::Storage, "/metrics").await;
        let name = "restante_tls_certificate_end_timestamp_seconds";
        Exposition::parse(&text).sum(name, &[("purpose", "grpc")])
    };
    assert!(end().await > END_OF_NEW);
    authority.renew_until(&certificates.storage, &names, 2099);
    authority.renew(&certificates.edge, &[EDGE]);
    let log = deployment.process(Part::Storage).log();
    let reloaded = log.find(|event| (event["event"] == "certificate.loaded").then_some(()));
    within(
        START,
        "the storage service to read its certificate again",
        reloaded,
    )
    .await;
    assert_eq!(end().await, END_OF_NEW);
    load.more(50).await;
    assert_eq!(load.refused(), [], "every message was answered 202");

    // The edge shows its new one when it connects again, to a storage service that shows its own.
    let ops = authority.certify(&[OPERATOR]);
    scene.deployment.kill(Part::Storage).await;
    scene.deployment.launch(Part::Storage).await;
    scene.deployment.ready(Part::SipEdge).await;
    load.more(20).await;
    load.end().await;
    let promised = load.promised();
    let listed = operate(
        &scene.deployment,
        &certificates,
        Some(&ops),
        &["list", "--limit", "all"],
    )
    .await;
    let listed = listed.done().records();
    assert!(
        listed.len() >= promised.len(),
        "{} of {}",
        listed.len(),
        promised.len()
    );
}

/// The commands of the operations guide, which make certificates.
fn documented_commands() -> String {
    let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/tls.md");
    let guide = std::fs::read_to_string(guide).expect("the guide");
    let (_, section) = guide
        .split_once("### Certificates with openssl")
        .expect("the section");
    let (_, commands) = section.split_once("```sh\n").expect("commands");
    let (commands, _) = commands.split_once("```").expect("their end");
    commands.to_owned()
}

#[tokio::test]
async fn certificates_made_by_the_commands_of_the_guide_work() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = Deployment::two_processes();
    let host = plan.net().host(LoopbackNet::SERVER);
    let commands = documented_commands().replace("DNS:store.example.org", &format!("IP:{host}"));
    let mut shell = tokio::process::Command::new("sh");
    shell
        .args(["-eu", "-c", &commands])
        .current_dir(folder.path());
    run::run(shell).await.done();

    let file = |name: &str| folder.path().join(name);
    let text = |name: &str| file(name).display().to_string();
    let plan = plan
        .set("grpc-tls.certificate", &text("store.pem"))
        .set("grpc-tls.key", &text("store.key"))
        .set("grpc-tls.peer_ca", &text("authority.pem"))
        .set("roles.edge", "edge1.example.org")
        .set("roles.operator", "urn:example:operator:anna")
        .set("storage-client.certificate", &text("edge1.pem"))
        .set("storage-client.key", &text("edge1.key"))
        .set("storage-client.peer_ca", &text("authority.pem"));
    let mut scene = Scene::start(plan).await;
    let bob = fresh();
    scene.deposit(&example::message(&bob)).await;
    let own = CertificateFiles {
        certificate: file("anna.pem"),
        key: file("anna.key"),
    };
    let server = scene.deployment.url("storage.operator_listen");
    let arguments = ["list", "--to", &uri(&bob)];
    let listed = secure::restantectl(&server, &file("authority.pem"), Some(&own), &arguments).await;
    assert_eq!(listed.done().records().len(), 1);
}
