//! What is shown to a server that speaks TLS, and which server is believed.

use std::path::PathBuf;

use clap::Args;
use storage_client::Connector;
use tls::{CertificateFiles, ClientConfig, MutualClient};

use crate::exit::Failure;
use crate::server::Server;

/// PEM files for `https` servers.
#[derive(Args, Clone, Debug)]
pub(crate) struct Credentials {
    /// For https: authorities that the server's certificate must lead to, a PEM file
    #[arg(long, global = true, value_name = "FILE", env = "RESTANTE_CA")]
    ca: Option<PathBuf>,
    /// For https: the certificate that says who you are, a PEM file
    #[arg(long, global = true, value_name = "FILE", env = "RESTANTE_CERT")]
    cert: Option<PathBuf>,
    /// For https: the private key of the certificate, a PEM file
    #[arg(long, global = true, value_name = "FILE", env = "RESTANTE_KEY")]
    key: Option<PathBuf>,
}

impl Credentials {
    /// What connects to this server; none if it needs no credentials.
    pub(crate) fn connector(&self, server: &Server) -> Result<Option<Connector>, Failure> {
        let Some((host, port)) = server.secure_place() else {
            return Ok(None);
        };
        let Some(ca) = &self.ca else {
            return Err(Failure::Credentials(
                "https needs --ca FILE (or RESTANTE_CA), the authorities that the server's \
                 certificate must lead to"
                    .to_owned(),
            ));
        };
        if self.cert.is_some() != self.key.is_some() {
            let sentence = "--cert and --key go together (RESTANTE_CERT, RESTANTE_KEY)";
            return Err(Failure::Credentials(sentence.to_owned()));
        }
        let tls = MutualClient::new(ClientConfig {
            own: CertificateFiles::both(&self.cert, &self.key),
            peer_ca: vec![ca.clone()],
        });
        let tls = tls.map_err(|error| Failure::Credentials(error.to_string()))?;
        Ok(Some(Connector::secure(tls, host, port)))
    }
}
