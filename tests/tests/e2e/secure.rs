//! Deployments whose gRPC is spoken over TLS, and those who connect to them.

use std::path::Path;

use tempfile::TempDir;
use tls::CertificateFiles;
use tls::authority::Authority;

use restante_tests::Deployment;
use restante_tests::LoopbackNet;
use restante_tests::deployment::Plan;
use restante_tests::run::{Ended, command, run};

/// The name in the certificate of the edges.
pub(crate) const EDGE: &str = "edge.example.org";
/// The name in the certificate of an operator.
pub(crate) const OPERATOR: &str = "ops.example.org";

/// The name in the certificate of a reader.
pub(crate) const READER: &str = "urn:restante:reader";
/// The name in the certificate of a reader of contents.
pub(crate) const BODY_READER: &str = "auditor.example.org";

/// An authority, and the certificates of the storage service and the edges.
pub(crate) struct Certificates {
    /// Certifies everybody.
    pub(crate) authority: Authority,
    /// What the storage service shows.
    pub(crate) storage: CertificateFiles,
    /// What the edges show.
    pub(crate) edge: CertificateFiles,
    _folder: TempDir,
}

impl Certificates {
    /// For a deployment at these addresses.
    ///
    /// # Panics
    /// When no folder can be made.
    pub(crate) fn new(net: LoopbackNet) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = Authority::new(folder.path());
        let host = net.host(LoopbackNet::SERVER).to_string();
        Self {
            storage: authority.certify(&[&host]),
            edge: authority.certify(&[EDGE]),
            authority,
            _folder: folder,
        }
    }

    /// The plan over TLS.
    #[must_use]
    pub(crate) fn secure(&self, plan: Plan) -> Plan {
        let ca = self.authority.file();
        let texts = [
            ("grpc-tls.certificate", &self.storage.certificate),
            ("grpc-tls.key", &self.storage.key),
            ("grpc-tls.peer_ca", &ca),
            ("storage-client.certificate", &self.edge.certificate),
            ("storage-client.key", &self.edge.key),
            ("storage-client.peer_ca", &ca),
        ];
        let roles = [
            ("roles.edge", EDGE),
            ("roles.operator", OPERATOR),
            ("roles.reader", READER),
            ("roles.body_reader", BODY_READER),
        ];
        let plan = roles
            .into_iter()
            .fold(plan, |plan, (key, name)| plan.set(key, name));
        let set = |plan: Plan, (key, file): (&str, &std::path::PathBuf)| {
            plan.set(key, &file.display().to_string())
        };
        texts.into_iter().fold(plan, set)
    }
}

/// Runs `restantectl -o jsonl` over TLS: `server` is a base URL, `ca` whom it believes, `own` what it shows.
pub(crate) async fn restantectl(
    server: &str,
    ca: &Path,
    own: Option<&CertificateFiles>,
    arguments: &[&str],
) -> Ended {
    let mut command = command("restantectl");
    command
        .args(["--server", server, "-o", "jsonl", "--ca"])
        .arg(ca);
    if let Some(own) = own {
        command.arg("--cert").arg(&own.certificate);
        command.arg("--key").arg(&own.key);
    }
    command.args(arguments);
    run(command).await
}

/// The same at the operators' listener of a deployment.
pub(crate) async fn operate(
    deployment: &Deployment,
    certificates: &Certificates,
    own: Option<&CertificateFiles>,
    arguments: &[&str],
) -> Ended {
    let server = deployment.url("storage.operator_listen");
    restantectl(&server, &certificates.authority.file(), own, arguments).await
}
