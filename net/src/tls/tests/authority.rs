//! An authority of the tests, whose files are in a directory of its own.

use std::ops::Deref;

use rustls::RootCertStore;
use tempfile::TempDir;

use crate::tls::{CertificateFiles, TlsConfig};

/// Its directory goes when it does.
pub(crate) struct Authority {
    authority: tls::authority::Authority,
    _directory: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self {
            authority: tls::authority::Authority::new(directory.path()),
            _directory: directory,
        }
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
        roots.add(self.certificate()).unwrap();
        roots
    }
}

impl Deref for Authority {
    type Target = tls::authority::Authority;

    fn deref(&self) -> &Self::Target {
        &self.authority
    }
}
