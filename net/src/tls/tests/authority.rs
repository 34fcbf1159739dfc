//! An authority of the tests, and the files of those it names.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::RootCertStore;
use tempfile::TempDir;

use crate::tls::{CertificateFiles, TlsConfig};

/// Whoever believes it believes what it signs. Its directory holds the files of all whom it names.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
    named: AtomicUsize,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = Self {
            issuer,
            directory: tempfile::tempdir().unwrap(),
            named: AtomicUsize::new(0),
        };
        fs::write(authority.file(), authority.issuer.pem()).unwrap();
        authority
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// A certificate for these names: DNS names, addresses, or URIs.
    pub(crate) fn certify(&self, names: &[&str]) -> CertificateFiles {
        let at = self.named.fetch_add(1, Ordering::Relaxed);
        let files = CertificateFiles {
            certificate: self.directory.path().join(format!("certificate-{at}.pem")),
            key: self.directory.path().join(format!("key-{at}.pem")),
        };
        self.renew(&files, names);
        files
    }

    /// Puts another certificate in the place of the one there.
    pub(crate) fn renew(&self, files: &CertificateFiles, names: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names).signed_by(&key, &self.issuer).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
    }

    /// Shows a certificate with these names and believes this authority.
    pub(crate) fn config(&self, names: &[&str]) -> TlsConfig {
        self.config_with(self.certify(names))
    }

    /// Shows these files and believes this authority.
    pub(crate) fn config_with(&self, own: CertificateFiles) -> TlsConfig {
        TlsConfig {
            peer_ca: vec![self.file()],
            ..TlsConfig::new(own)
        }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        roots
    }
}

pub(super) fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
    params
}

fn alternative(name: &str) -> SanType {
    if let Ok(address) = name.parse() {
        return SanType::IpAddress(address);
    }
    let text = name.try_into().unwrap();
    match name.contains(':') {
        true => SanType::URI(text),
        false => SanType::DnsName(text),
    }
}
