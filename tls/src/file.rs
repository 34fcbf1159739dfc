//! PEM files.

use std::path::{Path, PathBuf};

use metrics::gauge;
use rcgen::{CertificateParams, DistinguishedName, DnType};
use rustls::RootCertStore;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::error::TlsError;

/// A certificate of ours and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// Our certificate first, then those that lead to its authority.
    pub certificate: PathBuf,
    /// The private key: PKCS #8, PKCS #1 or SEC 1.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// Both files, or nothing: half of it is a contradiction.
    #[must_use]
    pub fn both(certificate: &Option<PathBuf>, key: &Option<PathBuf>) -> Option<Self> {
        Some(Self {
            certificate: certificate.clone()?,
            key: key.clone()?,
        })
    }
}

/// A certificate with those that lead to its authority, and its key.
#[derive(Debug)]
pub struct KeyPair {
    /// Ours first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
}

impl KeyPair {
    /// Reads both files, blocking.
    ///
    /// # Errors
    /// Which of them cannot be used, and why.
    pub fn read(files: &CertificateFiles) -> Result<Self, TlsError> {
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unreadable(&files.key))?;
        Ok(Self { chain, key })
    }

    /// When the first of the certificates ends, in seconds since 1970; none if one of them cannot be read.
    #[must_use]
    pub fn ends_at(&self) -> Option<i64> {
        let ends = self.chain.iter().map(|certificate| {
            let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
            Some(certificate.validity().not_after.timestamp())
        });
        ends.collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Shows when it ends, for who watches that it is renewed in time. `purpose` is what it is used for: one of few words.
    #[expect(clippy::cast_precision_loss, reason = "seconds of centuries fit")]
    pub fn show_end(&self, purpose: &'static str) {
        if let Some(end) = self.ends_at() {
            gauge!("restante_tls_certificate_end_timestamp_seconds", "purpose" => purpose)
                .set(end as f64);
        }
    }

    /// A certificate for whoever believes its fingerprint: it names nobody.
    ///
    /// # Errors
    /// No key could be drawn.
    pub fn self_signed(common_name: &str) -> Result<Self, TlsError> {
        let key = rcgen::KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        // RFC 5280 §4.1.2.4 wants an issuer that is not empty.
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            chain: vec![certificate.into()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }
}

/// The authorities in all of these files, read blocking.
///
/// # Errors
/// Which file cannot be used, and why.
pub fn authorities(files: &[PathBuf]) -> Result<RootCertStore, TlsError> {
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
