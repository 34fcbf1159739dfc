//! Where the operators' listener is.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tonic::codegen::http::uri::Scheme;
use tonic::transport::{Endpoint, Uri};

/// Where a URL without a port leads.
const HTTPS_PORT: u16 = 443;

/// The address of an operators' listener: `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server(String);

/// Why a text is no [`Server`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum InvalidServer {
    /// None of the three forms.
    #[error("write http://HOST:PORT, https://HOST:PORT or unix:/PATH")]
    Form,
}

impl Server {
    /// The endpoint to connect to.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, tonic::transport::Error> {
        storage_client::endpoint_of(&self.0)
    }

    /// Host and port, if it is reached over TLS.
    pub(crate) fn secure_place(&self) -> Option<(String, u16)> {
        let uri: Uri = self.0.parse().ok()?;
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().filter(|_| is_secure)?;
        Some((host.to_owned(), uri.port_u16().unwrap_or(HTTPS_PORT)))
    }
}

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        if let Some(path) = text.strip_prefix("unix:") {
            return match path.trim_start_matches('/').is_empty() {
                true => Err(InvalidServer::Form),
                false => Ok(Self(text.to_owned())),
            };
        }
        let uri: Uri = text.parse().map_err(|_| InvalidServer::Form)?;
        match (uri.scheme_str(), uri.authority()) {
            (Some("http" | "https"), Some(_)) => Ok(Self(text.to_owned())),
            _ => Err(InvalidServer::Form),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_unix_addresses_are_servers() {
        for text in [
            "http://127.0.0.1:7401",
            "http://[::1]:7401",
            "https://store.example.org:7401",
            "unix:/run/x",
            "unix:///run/x",
        ] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn https_alone_is_secure() {
        let place = |text: &str| text.parse::<Server>().unwrap().secure_place();
        assert_eq!(place("http://h:7401"), None);
        assert_eq!(place("unix:/run/x"), None);
        assert_eq!(place("https://h:7401"), Some(("h".to_owned(), 7401)));
        assert_eq!(place("https://h"), Some(("h".to_owned(), 443)));
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        for text in [
            "",
            "localhost:7401",
            "unix:",
            "unix:///",
            "ftp://h",
            "http://",
            "https://",
            "/run/x",
        ] {
            assert_eq!(text.parse::<Server>(), Err(InvalidServer::Form), "{text}");
        }
    }
}
