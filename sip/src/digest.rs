//! Digest authentication (RFC 3261 §22, RFC 7616) with the algorithms of RFC 8760.
//!
//! The server side is an [`Authenticator`]: its nonces carry their time under a MAC, so that any number of challenges
//! costs no memory; only nonces somebody has used are remembered, for their count. Time is an argument: the duration
//! since the Unix epoch. What it is not: it stores no passwords and decides for no user.

mod authenticator;
mod client;
mod credentials;
mod nonce;
#[cfg(test)]
mod tests;

pub use authenticator::{Authenticator, Rejection};
pub use client::{Answer, Challenge};
pub use credentials::{Credentials, DigestSyntax};

use std::fmt;
use std::str::FromStr;

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// A hash of RFC 8760, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// MD5, for clients that know nothing better; also what a header without `algorithm` means.
    Md5,
}

impl Algorithm {
    /// In the order in which they are offered (RFC 8760 §2.4).
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Md5];

    /// As written in headers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Md5 => "MD5",
        }
    }

    /// The hash in lower case hexadecimal.
    fn hash(self, text: &str) -> String {
        match self {
            Self::Sha256 => hex(&Sha256::digest(text)),
            Self::Md5 => hex(&Md5::digest(text)),
        }
    }

    /// `H(user:realm:password)`, the form in which a password may be kept (RFC 7616 §3.4.2).
    #[must_use]
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&format!("{user}:{realm}:{password}"))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An algorithm we do not offer, the `-sess` variants among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown digest algorithm")]
pub struct UnknownAlgorithm;

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    fn from_str(text: &str) -> Result<Self, UnknownAlgorithm> {
        let known = Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text));
        known.ok_or(UnknownAlgorithm)
    }
}

/// The hashed response to a challenge with `qop=auth` (RFC 7616 §3.4.1).
fn response(algorithm: Algorithm, ha1: &str, fields: &Hashed<'_>) -> String {
    let Hashed {
        method,
        uri,
        nonce,
        nonce_count,
        cnonce,
    } = fields;
    let ha2 = algorithm.hash(&format!("{method}:{uri}"));
    algorithm.hash(&format!(
        "{ha1}:{nonce}:{nonce_count:08x}:{cnonce}:auth:{ha2}"
    ))
}

/// What goes into a response besides the secret.
struct Hashed<'a> {
    method: &'a str,
    uri: &'a str,
    nonce: &'a str,
    nonce_count: u32,
    cnonce: &'a str,
}

fn hex(octets: &[u8]) -> String {
    octets
        .iter()
        .fold(String::with_capacity(octets.len() * 2), |text, octet| {
            text + &format!("{octet:02x}")
        })
}
