//! Who may connect by gRPC, and what he may do.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use daemon::config::{Document, TextValue};
use daemon::exit::{Code, Fatal};
use daemon::listen::check_exposure;
use tls::{CertificateFiles, CertificateNames, MutualServer, ServerConfig};

use super::Config;
use crate::access::{Granted, Role};
use crate::secure::Security;

daemon::section! {
    /// gRPC over TLS, 1.2 and 1.3, at both listeners of the storage service: nobody connects without a
    /// certificate. The files are PEM and are read again when they change.
    pub struct GrpcTls in "grpc-tls" {
        /// The certificate of the storage service, followed by those that lead to its authority. `off`: no
        /// TLS.
        certificate: Option<PathBuf> = "off",
        /// The private key of the certificate.
        key: Option<PathBuf> = "off",
        /// Authorities that the certificates of edges and operators must lead to.
        peer_ca: Vec<PathBuf> = [],
    }
}

daemon::section! {
    /// What the holders of certificates may do by gRPC over TLS. Each role lists names that certificates
    /// hold as alternative names: DNS names, `"edge1.example.org"`, or URIs,
    /// `"spiffe://example.org/edge/1"`. Without TLS whoever can connect may do all.
    pub struct Roles in "roles" {
        /// Edges: everything at `storage.listen`.
        edge: Vec<CertificateName> = [],
        /// Operators: changes, and what readers may.
        operator: Vec<CertificateName> = [],
        /// Readers: messages and their timelines without contents, mailboxes, accounts, settings, groups,
        /// jobs, events.
        reader: Vec<CertificateName> = [],
        /// Readers of contents, who may do what readers may. Operators may not read contents unless they
        /// are listed here too.
        body_reader: Vec<CertificateName> = [],
    }
}

daemon::choice! {
    /// Whether gRPC tells what it offers.
    pub enum Reflection {
        /// While both listeners are on loopback.
        Auto = "auto",
        /// Yes.
        On = "on",
        /// No.
        Off = "off",
    }
}

/// A name that a certificate may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName(String);

/// The text is no such name.
#[derive(Clone, Copy, Debug)]
pub struct NoName;

impl std::fmt::Display for NoName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a wildcard or an address stands for nobody")
    }
}

impl FromStr for CertificateName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<Self, NoName> {
        let is_host_octet = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
        let is_domain = !text.is_empty() && text.bytes().all(is_host_octet);
        let is_address = text.parse::<std::net::IpAddr>().is_ok();
        let is_uri = text.split_once(':').is_some_and(|(scheme, rest)| {
            let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
            is_scheme && !rest.is_empty() && rest.bytes().all(|octet| octet.is_ascii_graphic())
        });
        match (is_domain || is_uri) && !is_address {
            true => Ok(Self(text.to_owned())),
            false => Err(NoName),
        }
    }
}

impl TextValue for CertificateName {
    const EXPECTED: &'static str =
        "a DNS name or a URI in a certificate: `edge1.example.org`, `spiffe://example.org/edge/1`";
}

impl Roles {
    fn lists(&self) -> [(Role, &[CertificateName]); 4] {
        [
            (Role::Edge, &self.edge),
            (Role::Operator, &self.operator),
            (Role::Reader, &self.reader),
            (Role::BodyReader, &self.body_reader),
        ]
    }

    /// The roles of whoever has proved these names.
    pub(crate) fn of(&self, names: &CertificateNames) -> Granted {
        let lists = self.lists().into_iter();
        let granted = lists.filter(|(_, list)| list.iter().any(|name| names.contains(&name.0)));
        granted.map(|(role, _)| role).collect()
    }
}

impl GrpcTls {
    /// Whether it is spoken.
    pub(crate) fn is_on(&self) -> bool {
        self.certificate.is_some()
    }

    fn checks(&self) -> [(bool, &'static str, &'static str); 3] {
        [
            (
                self.is_on() || self.key.is_none() && self.peer_ca.is_empty(),
                "grpc-tls.certificate",
                "must name our certificate where [grpc-tls] has another key",
            ),
            (
                !self.is_on() || self.key.is_some(),
                "grpc-tls.key",
                "must name the private key of grpc-tls.certificate",
            ),
            (
                !self.is_on() || !self.peer_ca.is_empty(),
                "grpc-tls.peer_ca",
                "must name the authorities of edges and operators: nobody could connect",
            ),
        ]
    }
}

impl Config {
    /// Listeners that can be reached from beyond this machine without TLS.
    pub(super) fn exposures(&self, document: &mut Document) -> Vec<String> {
        if self.grpc_tls.is_on() {
            return Vec::new();
        }
        let process = &self.process;
        let listeners = [
            ("storage.listen", process.listen),
            ("storage.operator_listen", process.operator_listen),
        ];
        let exposures = listeners
            .into_iter()
            .filter_map(|(key, address)| check_exposure(document, key, address, process.insecure));
        exposures.collect()
    }

    /// Whether gRPC is spoken over TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.grpc_tls.is_on()
    }

    /// Whether gRPC tells what it offers.
    pub(crate) fn reflects(&self) -> bool {
        let listeners = [self.process.listen, self.process.operator_listen];
        match self.process.reflection {
            Reflection::Auto => listeners
                .iter()
                .all(|address| address.ip().to_canonical().is_loopback()),
            Reflection::On => true,
            Reflection::Off => false,
        }
    }

    pub(super) fn securing(&self) -> impl Iterator<Item = (bool, &'static str, &'static str)> {
        let lists = self.roles.lists();
        let is_anybody = lists.iter().any(|(_, names)| !names.is_empty());
        let of_roles = [
            (
                !self.is_secure() || !self.roles.edge.is_empty(),
                "roles.edge",
                "must name the certificates of the edges where [grpc-tls] is on: nothing could be deposited",
            ),
            (
                self.is_secure() || !is_anybody,
                "grpc-tls.certificate",
                "must be set where [roles] names certificates: without TLS everybody may do everything",
            ),
        ];
        self.grpc_tls.checks().into_iter().chain(of_roles)
    }

    /// What the listeners speak TLS by; none if they are in clear. Reads the files, blocking.
    ///
    /// # Errors
    /// [`Code::Config`] for files that cannot be used.
    pub(crate) fn security(&self) -> Result<Option<Arc<Security>>, Fatal> {
        let keys = &self.grpc_tls;
        let Some(own) = CertificateFiles::both(&keys.certificate, &keys.key) else {
            return Ok(None);
        };
        let tls = MutualServer::new(ServerConfig {
            own,
            peer_ca: keys.peer_ca.clone(),
        });
        let tls = tls.map_err(|error| Fatal::new(Code::Config, format!("grpc-tls: {error}")))?;
        Ok(Some(Arc::new(Security {
            tls,
            roles: self.roles.clone(),
        })))
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::{Document, Environment};

    use super::*;

    const SOUND: &str = "[grpc-tls]\ncertificate = \"a.pem\"\nkey = \"a.key\"\npeer_ca = [\"ca.pem\"]\n\
                         [roles]\nedge = [\"Edge1.example.org\", \"spiffe://example.org/edge/1\"]\n\
                         operator = [\"ops.example.org\"]\nbody_reader = [\"ops.example.org\"]\n";

    fn read(text: &str) -> (Config, String) {
        let mut document = Document::parse("r.toml", text, Environment::default());
        let config = Config::read(&mut document);
        let errors = document.finish().err();
        (
            config,
            errors.map(|errors| errors.to_string()).unwrap_or_default(),
        )
    }

    #[test]
    fn names_of_certificates_have_the_roles_that_list_them() {
        let (config, errors) = read(SOUND);
        assert_eq!(errors, "");
        let roles = |names: &[&str]| {
            let granted = config.roles.of(&names.iter().collect());
            let included = Role::ALL.into_iter().filter(|role| granted.include(*role));
            included.collect::<Vec<_>>()
        };
        assert_eq!(roles(&["edge1.EXAMPLE.org"]), [Role::Edge]);
        assert_eq!(roles(&["spiffe://example.org/edge/1"]), [Role::Edge]);
        assert_eq!(
            roles(&["ops.example.org"]),
            [Role::Operator, Role::Reader, Role::BodyReader]
        );
        assert_eq!(roles(&["example.org", "*.example.org"]), []);
    }

    #[test]
    fn what_contradicts_names_its_key() {
        let without = |words: &str| {
            let lines = SOUND.lines().filter(|line| !line.starts_with(words));
            lines.collect::<Vec<_>>().join("\n")
        };
        for (text, key) in [
            (without("certificate"), "grpc-tls.certificate"),
            (without("key"), "grpc-tls.key"),
            (without("peer_ca"), "grpc-tls.peer_ca"),
            (without("edge"), "roles.edge"),
            (
                "[roles]\nreader = [\"a.example.org\"]\n".to_owned(),
                "grpc-tls.certificate",
            ),
            (
                SOUND.replace("ops.example.org", "*.example.org"),
                "roles.operator",
            ),
            (
                SOUND.replace("ops.example.org", "192.0.2.1"),
                "roles.operator",
            ),
        ] {
            let (_, errors) = read(&text);
            assert!(errors.contains(key), "{key} in {errors:?} of {text}");
        }
    }

    #[test]
    fn with_tls_no_consent_is_needed_beyond_loopback() {
        let (config, errors) = read(&format!("{SOUND}[storage]\nlisten = \"0.0.0.0:7400\"\n"));
        assert_eq!(
            (errors.as_str(), config.warnings.as_slice()),
            ("", [].as_slice())
        );
    }

    #[test]
    fn reflection_is_on_by_itself_on_loopback_only() {
        let reflects = |text: &str| read(text).0.reflects();
        assert!(reflects(""));
        let beyond = "[storage]\noperator_listen = \"0.0.0.0:7401\"\ninsecure = true\n";
        assert!(!reflects(beyond));
        assert!(reflects(&format!("{beyond}reflection = \"on\"\n")));
        assert!(!reflects("[storage]\nreflection = \"off\"\n"));
    }
}
