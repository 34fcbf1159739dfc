//! The hash of a certificate in a session description (RFC 8122 §5).

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// The value of `a=fingerprint`: prints and reads as `sha-256 4A:AD:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    octets: Vec<u8>,
}

/// The hash functions that are believed; RFC 8122 §5 forbids MD2 and MD5, and SHA-1 proves too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HashFunction {
    Sha256,
    Sha384,
    Sha512,
}

/// A value of `a=fingerprint` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// The hash function is unknown or too weak.
    #[error("hash function of the fingerprint is not accepted")]
    Function,
    /// It is no row of hexadecimal pairs, or too short or too long for its function.
    #[error("fingerprint is malformed")]
    Malformed,
}

impl Fingerprint {
    /// The SHA-256 fingerprint of a certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        let function = HashFunction::Sha256;
        let octets = function.hash(certificate);
        Self { function, octets }
    }

    /// Whether this is the fingerprint of `certificate`.
    pub(crate) fn matches(&self, certificate: &CertificateDer<'_>) -> bool {
        self.function.hash(certificate) == self.octets
    }
}

impl HashFunction {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn octets(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn hash(self, octets: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(octets).to_vec(),
            Self::Sha384 => Sha384::digest(octets).to_vec(),
            Self::Sha512 => Sha512::digest(octets).to_vec(),
        }
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Hexadecimal digits may be small, although RFC 8122 §5 writes them big.
    fn from_str(value: &str) -> Result<Self, FingerprintError> {
        let (token, pairs) = value
            .trim()
            .split_once(' ')
            .ok_or(FingerprintError::Malformed)?;
        let function = HashFunction::ALL
            .into_iter()
            .find(|function| function.as_str().eq_ignore_ascii_case(token))
            .ok_or(FingerprintError::Function)?;
        let octets: Option<Vec<u8>> = pairs.trim_start().split(':').map(octet).collect();
        match octets {
            Some(octets) if octets.len() == function.octets() => Ok(Self { function, octets }),
            _ => Err(FingerprintError::Malformed),
        }
    }
}

/// Two hexadecimal digits, nothing else: `from_str_radix` would take a sign too.
fn octet(pair: &str) -> Option<u8> {
    let digits = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    digits.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.as_str())?;
        for (at, octet) in self.octets.iter().enumerate() {
            let before = if at == 0 { ' ' } else { ':' };
            write!(f, "{before}{octet:02X}")?;
        }
        Ok(())
    }
}
