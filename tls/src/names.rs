//! The names in a certificate.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;

/// The DNS names, in lower case, and the URIs that a certificate holds as alternative names; never its common name. Cheap
/// to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames(Arc<[String]>);

impl CertificateNames {
    /// Reads the names of a certificate, which is verified elsewhere. None if it cannot be read.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = webpki::EndEntityCert::try_from(certificate) else {
            return Self::default();
        };
        let uris = certificate.valid_uri_names().map(str::to_owned);
        let domains = certificate.valid_dns_names().map(str::to_ascii_lowercase);
        Self(domains.chain(uris).collect())
    }

    /// Whether this DNS name, without letter case, or this URI, to the letter, is among them. A wildcard stands for nobody
    /// else.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        match name.contains(':') {
            true => self.iter().any(|own| own == name),
            false => self.iter().any(|own| own.eq_ignore_ascii_case(name)),
        }
    }

    /// All of them, DNS names first.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the certificate names nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<S: AsRef<str>> FromIterator<S> for CertificateNames {
    fn from_iter<I: IntoIterator<Item = S>>(names: I) -> Self {
        let own = |name: S| match name.as_ref().contains(':') {
            true => name.as_ref().to_owned(),
            false => name.as_ref().to_ascii_lowercase(),
        };
        Self(names.into_iter().map(own).collect())
    }
}

/// Separated by commas.
impl fmt::Display for CertificateNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
