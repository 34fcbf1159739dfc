//! The names a SIP peer has proved to own.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use sip::{Host, Uri};

/// The SIP domains in a certificate that was verified (RFC 5922 §7.1): the hosts of its `sip:` URIs, else its DNS names;
/// never its common name. None without a certificate. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerNames(Arc<[String]>);

impl PeerNames {
    /// Reads the names of a certificate, which is verified elsewhere. None if it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
            return Self::default();
        };
        let domains: Vec<_> = certificate
            .valid_uri_names()
            .filter_map(domain_of)
            .collect();
        if !domains.is_empty() {
            return Self(domains.into());
        }
        Self(
            certificate
                .valid_dns_names()
                .map(str::to_ascii_lowercase)
                .collect(),
        )
    }

    /// Whether the peer is `name`: as a whole and without letter case. A wildcard stands for nobody else (RFC 5922 §7.2).
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.');
        self.iter().any(|own| own.eq_ignore_ascii_case(name))
    }

    /// All of them, in lower case.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing was proved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for PeerNames {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let lower = |name: S| name.as_ref().to_ascii_lowercase();
        Self(names.into_iter().map(lower).collect())
    }
}

/// The domain that a URI of a certificate stands for: only `sip:` counts, and a user part makes it somebody's address.
fn domain_of(uri: &str) -> Option<String> {
    match uri.parse() {
        Ok(Uri::Sip(uri)) if !uri.secure && uri.user.is_none() => match uri.host {
            Host::Name(name) => Some(name.to_ascii_lowercase()),
            Host::V4(_) | Host::V6(_) => None,
        },
        _ => None,
    }
}
