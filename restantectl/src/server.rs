//! Where the operators' listener is.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use tonic::transport::{Endpoint, Uri};

/// The address of an operators' listener: `http://HOST:PORT` or `unix:/PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server(String);

/// Why a text is no [`Server`].
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum InvalidServer {
    /// TLS is asked for.
    #[error("https is not spoken by this version; use http:// on loopback or unix:/PATH")]
    Tls,
    /// Neither of the two forms.
    #[error("write http://HOST:PORT or unix:/PATH")]
    Form,
}

impl Server {
    /// The endpoint to connect to.
    pub(crate) fn endpoint(&self) -> Result<Endpoint, tonic::transport::Error> {
        Endpoint::from_shared(self.0.clone())
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
            (Some("http"), Some(_)) => Ok(Self(text.to_owned())),
            (Some("https"), _) => Err(InvalidServer::Tls),
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
            "unix:/run/x",
            "unix:///run/x",
        ] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_addresses_are_refused_with_the_reason() {
        assert_eq!("https://h:1".parse::<Server>(), Err(InvalidServer::Tls));
        for text in [
            "",
            "localhost:7401",
            "unix:",
            "unix:///",
            "ftp://h",
            "http://",
            "/run/x",
        ] {
            assert_eq!(text.parse::<Server>(), Err(InvalidServer::Form), "{text}");
        }
    }
}
