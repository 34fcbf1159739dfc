//! The client side: the answer to a challenge.

use std::fmt;
use std::str::FromStr;

use super::credentials::{DigestSyntax, Fields};
use super::{Algorithm, Hashed, response};
use crate::text::write_quoted;

/// A WWW-Authenticate or Proxy-Authenticate value we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// What the password is for.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// The hash to use.
    pub algorithm: Algorithm,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// Whether only the nonce was too old, not the password wrong.
    pub stale: bool,
}

impl FromStr for Challenge {
    type Err = DigestSyntax;

    /// Reads the value of one line; the server must offer `qop=auth`.
    fn from_str(value: &str) -> Result<Self, DigestSyntax> {
        let fields = Fields::parse(value)?;
        let offers_auth = fields
            .required("qop")?
            .split(',')
            .any(|qop| qop.trim().eq_ignore_ascii_case("auth"));
        if !offers_auth {
            return Err(DigestSyntax::Missing("qop=auth"));
        }
        Ok(Self {
            realm: fields.required("realm")?.to_owned(),
            nonce: fields.required("nonce")?.to_owned(),
            algorithm: fields.algorithm()?,
            opaque: fields.find("opaque").map(str::to_owned),
            stale: fields
                .find("stale")
                .is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

impl Challenge {
    /// The best of several challenges: the first one whose algorithm we know (RFC 8760 §2.4).
    pub fn first_known<'a>(values: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        values.into_iter().find_map(|value| value.parse().ok())
    }

    /// Answers for a request. `nonce_count` is 1 at first and grows with each use of the nonce; `cnonce` is random.
    #[must_use]
    pub fn answer(
        &self,
        login: (&str, &str),
        method: &str,
        uri: &str,
        nonce_count: u32,
        cnonce: &str,
    ) -> Answer {
        let (user, password) = login;
        let ha1 = self.algorithm.ha1(user, &self.realm, password);
        let fields = Hashed {
            method,
            uri,
            nonce: &self.nonce,
            nonce_count,
            cnonce,
        };
        let proof = response(self.algorithm, &ha1, &fields);
        let (user, uri, cnonce) = (user.to_owned(), uri.to_owned(), cnonce.to_owned());
        Answer {
            challenge: self.clone(),
            user,
            uri,
            nonce_count,
            cnonce,
            proof,
        }
    }
}

/// Prints as the value of an Authorization or Proxy-Authorization header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    challenge: Challenge,
    user: String,
    uri: String,
    nonce_count: u32,
    cnonce: String,
    proof: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Challenge {
            realm,
            nonce,
            algorithm,
            opaque,
            ..
        } = &self.challenge;
        let quoted = [
            ("Digest username=", Some(&self.user)),
            (",realm=", Some(realm)),
            (",nonce=", Some(nonce)),
            (",uri=", Some(&self.uri)),
            (",cnonce=", Some(&self.cnonce)),
            (",response=", Some(&self.proof)),
            (",opaque=", opaque.as_ref()),
        ];
        for (name, value) in quoted {
            let Some(value) = value else { continue };
            f.write_str(name)?;
            write_quoted(f, value)?;
        }
        write!(
            f,
            ",qop=auth,nc={:08x},algorithm={algorithm}",
            self.nonce_count
        )
    }
}
