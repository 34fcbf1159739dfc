//! Why certificates cannot be used. Each error names its file, none quotes from it.

use std::path::PathBuf;

use rustls::pki_types::pem;
use rustls::server::VerifierBuilderError;

/// Certificates or keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read, is no PEM, or holds nothing of the kind.
    #[error("cannot use {file}: {source}")]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The file holds no certificate.
    #[error("no certificate in {0}")]
    NoCertificate(PathBuf),
    /// The certificate and the key are broken or do not belong together.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
    /// A certificate of an authority is broken.
    #[error("cannot use an authority in {file}: {source}")]
    Authority {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// Peers are to be verified, and there is no authority to verify them by.
    #[error("no authority to verify peers by: {0}")]
    NoAuthority(#[from] VerifierBuilderError),
    /// No certificate of our own could be made.
    #[error("cannot make a certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// The task that reads the files was cut off.
    #[error("reading the files was interrupted")]
    Interrupted,
}
