//! Which method of gRPC whose certificate may call: all methods, every role, at both listeners.

use std::time::Duration;

use crate::secure::{BODY_READER, Certificates, EDGE, OPERATOR, READER, operate};
use bytes::Buf as _;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use restante_tests::patience::{START, within};
use restante_tests::sip::{example, fresh};
use restante_tests::{Deployment, Part, Scene, uri};
use tls::CertificateFiles;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The services of the data listener; all others are those of operators.
const OF_EDGES: [&str; 10] = [
    "DepositService",
    "LargeMessageService",
    "DeliveryService",
    "RegistrationService",
    "SettingsService",
    "SubscriptionService",
    "DeferredService",
    "FanOutService",
    "ReportService",
    "ControlService",
];

/// Sends messages without any field, and reads nothing of what comes.
#[derive(Clone, Copy, Default)]
struct Empty;

impl Codec for Empty {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Empty {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Empty {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, octets: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        let length = octets.remaining();
        octets.advance(length);
        Ok(Some(()))
    }
}

/// All methods of the contract, as service and method.
fn methods() -> Vec<(String, String)> {
    let set = FileDescriptorSet::decode(proto::DESCRIPTOR_SET).expect("descriptors");
    let services = set.file.iter().flat_map(|file| &file.service);
    let methods = services.flat_map(|service| {
        let method = |method: &prost_types::MethodDescriptorProto| {
            (service.name().to_owned(), method.name().to_owned())
        };
        service.method.iter().map(method)
    });
    methods.collect()
}

/// The names that may call a method, by what it is called.
fn expected(service: &str, method: &str) -> Vec<&'static str> {
    let asks = ["Get", "List", "Watch", "Export", "Foresee"];
    match (service, method) {
        (service, _) if OF_EDGES.contains(&service) => vec![EDGE],
        (_, "ReadContent") => vec![BODY_READER],
        // With the roles that the caller has.
        (_, "CreateSignIn") => vec![OPERATOR, READER, BODY_READER],
        (_, method) if asks.iter().any(|verb| method.starts_with(verb)) => {
            vec![OPERATOR, READER, BODY_READER]
        }
        _ => vec![OPERATOR],
    }
}

async fn channel(url: &str, ca: &[u8], own: &CertificateFiles) -> Channel {
    let pem = |file| std::fs::read(file).expect("a file of the test");
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(ca))
        .identity(Identity::from_pem(pem(&own.certificate), pem(&own.key)));
    let endpoint = Endpoint::from_shared(url.to_owned()).expect("a URL");
    let endpoint = endpoint.tls_config(tls).expect("sound certificates");
    endpoint.connect().await.expect("a server")
}

/// What is answered to an empty request; none if nothing is said against it in time.
async fn refusal(channel: &Channel, service: &str, method: &str) -> Option<Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.expect("a connection");
    let path = format!("/restante.v1.{service}/{method}");
    let path = path.parse().expect("a path");
    let request = tonic::Request::new(tokio_stream::once(()));
    let answer = async {
        match client.streaming(request, path, Empty).await {
            Ok(reply) => reply.into_inner().message().await.err(),
            Err(status) => Some(status),
        }
    };
    // Streams that are open have let us in.
    tokio::time::timeout(Duration::from_secs(2), answer)
        .await
        .unwrap_or_default()
}

#[tokio::test]
async fn ct_tls_04_every_method_is_for_its_role_alone_and_at_its_listener_alone() {
    let plan = Deployment::storage_alone();
    let certificates = Certificates::new(plan.net());
    let deployment = certificates.secure(plan).start().await;
    let authority = &certificates.authority;
    let ca = std::fs::read(authority.file()).expect("a file of the test");
    let (data, operator) = (
        deployment.url("storage.listen"),
        deployment.url("storage.operator_listen"),
    );
    let mut wrong = Vec::new();
    for name in [EDGE, OPERATOR, READER, BODY_READER, "nobody.example.org"] {
        let own = authority.certify(&[name]);
        let at_data = channel(&data, &ca, &own).await;
        let at_operator = channel(&operator, &ca, &own).await;
        for (service, method) in methods() {
            let is_of_edges = OF_EDGES.contains(&service.as_str());
            let (there, elsewhere) = match is_of_edges {
                true => (&at_data, &at_operator),
                false => (&at_operator, &at_data),
            };
            let may = expected(&service, &method).contains(&name);
            let answer = refusal(there, &service, &method).await;
            let code = answer.as_ref().map(Status::code);
            let is_denied = code == Some(Code::PermissionDenied);
            if may == is_denied || code == Some(Code::Unimplemented) {
                wrong.push(format!("{name} at {service}/{method}: {answer:?}"));
            }
            if let Some(status) = answer.filter(|_| is_denied) {
                let info = status.get_details_error_info().expect("details");
                assert_eq!(info.reason, "ROLE_MISSING");
                assert_eq!(info.metadata["certificate"], name);
            }
            let expected = match may {
                true => Code::Unimplemented,
                false => Code::PermissionDenied,
            };
            let answer = refusal(elsewhere, &service, &method).await;
            if answer.as_ref().map(Status::code) != Some(expected) {
                wrong.push(format!(
                    "{name} elsewhere at {service}/{method}: {answer:?}"
                ));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    let nameless = authority.certify(&["192.0.2.7"]);
    let nameless = channel(&operator, &ca, &nameless).await;
    let status = refusal(&nameless, "OperatorService", "GetStatus").await;
    let status = status.expect("a certificate without a name");
    assert_eq!(status.code(), Code::Unauthenticated);
}

#[tokio::test]
async fn operators_hold_what_auditors_read_and_each_is_told_what_he_lacks() {
    let plan = Deployment::two_processes();
    let certificates = Certificates::new(plan.net());
    let mut scene = Scene::start(certificates.secure(plan)).await;
    let bob = fresh();
    let body = fresh();
    scene
        .deposit(&example::message(&bob).body("text/plain", body.as_str()))
        .await;
    let deployment = &scene.deployment;
    let run = async |name: &str, arguments: &[&str]| {
        let own = certificates.authority.certify(&[name]);
        operate(deployment, &certificates, Some(&own), arguments).await
    };
    let listed = run(READER, &["list", "--to", &uri(&bob)]).await.done();
    let id = listed.records()[0]["message_id"]
        .as_str()
        .expect("a Message-ID")
        .to_owned();

    run(BODY_READER, &["show", &id, "--body"]).await.done();
    run(OPERATOR, &["hold", &id]).await.done();
    let shown = run(READER, &["show", &id, "--timeline"]).await.done();
    assert!(
        shown.output.contains(OPERATOR),
        "who held it: {}",
        shown.output
    );
    for (name, arguments, role) in [
        (OPERATOR, ["show", &id, "--body"].as_slice(), "body_reader"),
        (READER, &["show", &id, "--body"], "body_reader"),
        (READER, &["hold", &id], "operator"),
        (BODY_READER, &["delete", &id], "operator"),
        (EDGE, &["list"], "reader"),
    ] {
        let ended = run(name, arguments).await;
        assert_eq!(
            ended.code,
            Some(77),
            "{name} {arguments:?}: {}",
            ended.errors
        );
        let words = format!("needs the role {role}");
        assert!(ended.errors.contains(&words), "{}", ended.errors);
        assert!(!ended.output.contains(&body), "{}", ended.output);
    }
}

#[tokio::test]
async fn edge_without_its_role_is_not_ready_and_says_why() {
    let plan = Deployment::two_processes();
    let certificates = Certificates::new(plan.net());
    let mut deployment = certificates.secure(plan).start().await;
    deployment.kill(Part::SipEdge).await;
    certificates
        .authority
        .renew(&certificates.edge, &["stray.example.org"]);
    deployment.spawn(Part::SipEdge).await;
    let conditions = deployment.conditions_until(Part::SipEdge, |_, conditions| {
        conditions.contains("needs the role edge")
    });
    let conditions = within(START, "the edge to say why", conditions);
    assert!(conditions.await.contains("stray.example.org"));
}
