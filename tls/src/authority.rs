//! An authority of tests, and the files of those it certifies.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};
use rustls::pki_types::CertificateDer;

use crate::file::CertificateFiles;

/// Whoever believes it believes what it signs.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    certified: AtomicUsize,
}

/// What it is asked for always works: names are right and the folder can be written to.
const SOUND: &str = "a sound request";

impl Authority {
    /// One whose files are in this folder.
    ///
    /// # Panics
    /// If the folder cannot be written to.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Authorities are told apart by their names first.
        let name = folder.display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect(SOUND));
        let authority = Self {
            issuer: issuer.expect(SOUND),
            folder: folder.to_owned(),
            certified: AtomicUsize::new(0),
        };
        fs::write(authority.file(), authority.issuer.pem()).expect(SOUND);
        authority
    }

    /// The file with its own certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    /// Its own certificate.
    #[must_use]
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for these names: DNS names, addresses, or URIs.
    ///
    /// # Panics
    /// If a text is no name.
    #[must_use]
    pub fn certify(&self, names: &[&str]) -> CertificateFiles {
        let files = self.files();
        self.renew(&files, names);
        files
    }

    /// One that was valid long ago.
    ///
    /// # Panics
    /// If a text is no name.
    #[must_use]
    pub fn certify_long_ago(&self, names: &[&str]) -> CertificateFiles {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        let files = self.files();
        self.sign(&files, &params);
        files
    }

    /// Puts another certificate in the place of the one there.
    ///
    /// # Panics
    /// If a text is no name.
    pub fn renew(&self, files: &CertificateFiles, names: &[&str]) {
        self.sign(files, &params(names));
    }

    /// The same with one that ends when this year begins.
    ///
    /// # Panics
    /// If a text is no name.
    pub fn renew_until(&self, files: &CertificateFiles, names: &[&str], year: i32) {
        let mut params = params(names);
        params.not_after = date_time_ymd(year, 1, 1);
        self.sign(files, &params);
    }

    fn files(&self) -> CertificateFiles {
        let at = self.certified.fetch_add(1, Ordering::Relaxed);
        CertificateFiles {
            certificate: self.folder.join(format!("certificate-{at}.pem")),
            key: self.folder.join(format!("key-{at}.pem")),
        }
    }

    fn sign(&self, files: &CertificateFiles, params: &CertificateParams) {
        let key = KeyPair::generate().expect(SOUND);
        let certificate = params.signed_by(&key, &self.issuer).expect(SOUND);
        fs::write(&files.certificate, certificate.pem()).expect(SOUND);
        fs::write(&files.key, key.serialize_pem()).expect(SOUND);
    }
}

/// What is asked of an authority for these names: DNS names, addresses, or URIs.
///
/// # Panics
/// If a text is no name.
#[must_use]
pub fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| alternative(name)).collect();
    params
}

fn alternative(name: &str) -> SanType {
    if let Ok(address) = name.parse() {
        return SanType::IpAddress(address);
    }
    let text = name.try_into().expect(SOUND);
    match name.contains(':') {
        true => SanType::URI(text),
        false => SanType::DnsName(text),
    }
}
