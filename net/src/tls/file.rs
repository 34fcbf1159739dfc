//! PEM files.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::config::CertificateFiles;
use super::error::TlsError;

/// A certificate with those that lead to its authority, and its key.
#[derive(Debug)]
pub(super) struct KeyPair {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: PrivateKeyDer<'static>,
}

impl KeyPair {
    pub(super) fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
        Ok(Self { chain, key })
    }
}

/// The authorities in all of these files.
pub(super) fn authorities(files: &[PathBuf]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for file in files {
        for certificate in certificates(file)? {
            roots
                .add(certificate)
                .map_err(|source| TlsError::Authority {
                    file: file.clone(),
                    source,
                })?;
        }
    }
    Ok(roots)
}

/// The certificates in a file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(unreadable(file))?;
    let found: Vec<_> = read.collect::<Result<_, _>>().map_err(unreadable(file))?;
    match found.is_empty() {
        true => Err(TlsError::NoCertificate(file.to_owned())),
        false => Ok(found),
    }
}

fn unreadable(file: &Path) -> impl Fn(pem::Error) -> TlsError {
    move |source| TlsError::File {
        file: file.to_owned(),
        source,
    }
}
