//! How the storage service is reached.

use std::time::Duration;

use daemon::exit::{Code, Fatal};
use daemon::http_client::Root;
use storage_client::{ClientConfig, Connector};
use tls::{CertificateFiles, ClientConfig as TlsClientConfig, MutualClient};

use super::{Rule, StorageClient};

/// An edge as the storage service knows it.
#[derive(Clone, Copy, Debug)]
pub struct StoreAccess<'a> {
    /// Base URL of the data listener.
    pub address: &'a str,
    /// Name of the edge.
    pub edge: &'a str,
    /// What it is: `sip-edge` or `controlling-edge`.
    pub role: &'static str,
    /// Time in which a deposit must be on disk.
    pub deposit_time: Duration,
}

impl StorageClient {
    /// What must hold for the storage service at `address`, which `key` names.
    #[must_use]
    pub fn rules(&self, key: &'static str, address: &str) -> [Rule; 4] {
        let root = root(address);
        let is_secure = root.as_ref().is_some_and(Root::is_secure);
        [
            (
                root.is_some(),
                key,
                "must be http://HOST:PORT or https://HOST:PORT",
            ),
            (
                self.certificate.is_some() || !is_secure && self.key.is_none(),
                "storage-client.certificate",
                "must name our certificate where the storage service is reached by https",
            ),
            (
                self.certificate.is_none() || self.key.is_some(),
                "storage-client.key",
                "must name the private key of storage-client.certificate",
            ),
            (
                !is_secure || !self.peer_ca.is_empty(),
                "storage-client.peer_ca",
                "must name the authorities of the storage service where it is reached by https",
            ),
        ]
    }

    /// What a client of the storage service is told; `connector` makes its connections, if there is one.
    ///
    /// # Errors
    /// [`Code::Config`] for certificates that cannot be used.
    pub fn client_config(
        &self,
        access: StoreAccess<'_>,
        connector: Option<Connector>,
    ) -> Result<ClientConfig, Fatal> {
        let connector = match connector {
            Some(connector) => Some(connector),
            None => self.connector(access.address)?,
        };
        Ok(ClientConfig {
            connector,
            role: access.role,
            deposit_deadline: access.deposit_time,
            ..ClientConfig::new(access.address, access.edge)
        })
    }

    /// Over TLS, where the address says so.
    fn connector(&self, address: &str) -> Result<Option<Connector>, Fatal> {
        let Some(root) = root(address).filter(Root::is_secure) else {
            return Ok(None);
        };
        let tls = MutualClient::new(TlsClientConfig {
            own: CertificateFiles::both(&self.certificate, &self.key),
            peer_ca: self.peer_ca.clone(),
        });
        let tls =
            tls.map_err(|error| Fatal::new(Code::Config, format!("storage-client: {error}")))?;
        let (host, port) = (root.host().to_owned(), root.port());
        Ok(Some(Connector::secure(tls, host, port)))
    }
}

/// Where the service is; none if the text says no such thing.
fn root(address: &str) -> Option<Root> {
    let root: Root = address.parse().ok()?;
    root.path().is_empty().then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(keys: &StorageClient, address: &str) -> Vec<&'static str> {
        let rules = keys.rules("sip-edge.storage", address);
        let broken = rules.into_iter().filter(|(holds, ..)| !holds);
        broken.map(|(_, key, _)| key).collect()
    }

    #[test]
    fn https_needs_certificate_key_and_authorities() {
        let mut keys = StorageClient::default();
        assert_eq!(broken(&keys, "http://127.0.0.1:7400"), [""; 0]);
        assert_eq!(
            broken(&keys, "https://store:7400"),
            ["storage-client.certificate", "storage-client.peer_ca"]
        );
        keys.key = Some("edge.key".into());
        assert_eq!(
            broken(&keys, "http://127.0.0.1:7400"),
            ["storage-client.certificate"]
        );
        keys.certificate = Some("edge.pem".into());
        keys.peer_ca = vec!["authority.pem".into()];
        assert_eq!(broken(&keys, "https://store:7400"), [""; 0]);
        keys.key = None;
        assert_eq!(broken(&keys, "https://store:7400"), ["storage-client.key"]);
    }

    #[test]
    fn address_is_a_base_url_without_a_path() {
        let keys = StorageClient::default();
        for address in ["", "127.0.0.1:7400", "ftp://h", "http://h:7400/path"] {
            assert_eq!(broken(&keys, address), ["sip-edge.storage"], "{address}");
        }
        assert_eq!(broken(&keys, "http://[::1]:7400/"), [""; 0]);
    }

    #[test]
    fn certificates_that_cannot_be_used_are_a_sentence() {
        let keys = StorageClient {
            certificate: Some("nowhere/edge.pem".into()),
            key: Some("nowhere/edge.key".into()),
            peer_ca: vec!["nowhere/authority.pem".into()],
        };
        let access = StoreAccess {
            address: "https://store:7400",
            edge: "edge",
            role: "sip-edge",
            deposit_time: Duration::from_secs(3),
        };
        let fatal = keys.client_config(access, None).expect_err("no such file");
        assert_eq!(fatal.code, Code::Config);
        assert!(fatal.sentence.contains("nowhere/authority.pem"), "{fatal}");
    }
}
