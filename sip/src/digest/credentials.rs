//! The value of an Authorization header.

use std::str::FromStr;

use super::{Algorithm, UnknownAlgorithm};
use crate::text::{split_top_level, take_quoted, trim};

/// Why a header value is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DigestSyntax {
    /// Another scheme than Digest.
    #[error("not the Digest scheme")]
    Scheme,
    /// A parameter is malformed or stands twice.
    #[error("malformed parameter")]
    Parameter,
    /// A parameter that must be there is not.
    #[error("missing {0}")]
    Missing(&'static str),
    /// An algorithm that was not offered.
    #[error(transparent)]
    Algorithm(#[from] UnknownAlgorithm),
}

/// What a client proves its password with. Clients that do not use `qop=auth` (RFC 2069) are refused: their responses
/// can be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Who claims to send the request.
    pub user: String,
    /// The realm the client answers for.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// `digest-uri`: what the client took for the Request-URI.
    pub uri: String,
    /// The hash the client used.
    pub algorithm: Algorithm,
    /// How often the client has used the nonce, this time included.
    pub nonce_count: u32,
    /// The client's own nonce.
    pub cnonce: String,
    /// The proof, in hexadecimal.
    pub response: String,
}

impl FromStr for Credentials {
    type Err = DigestSyntax;

    /// Reads the value of one Authorization line.
    fn from_str(value: &str) -> Result<Self, DigestSyntax> {
        let fields = Fields::parse(value)?;
        if !fields.required("qop")?.eq_ignore_ascii_case("auth") {
            return Err(DigestSyntax::Missing("qop=auth"));
        }
        Ok(Self {
            user: fields.required("username")?.to_owned(),
            realm: fields.required("realm")?.to_owned(),
            nonce: fields.required("nonce")?.to_owned(),
            uri: fields.required("uri")?.to_owned(),
            algorithm: fields.algorithm()?,
            nonce_count: nonce_count(fields.required("nc")?)?,
            cnonce: fields.required("cnonce")?.to_owned(),
            response: fields.required("response")?.to_owned(),
        })
    }
}

/// RFC 7616 §3.4: exactly eight hexadecimal digits.
fn nonce_count(text: &str) -> Result<u32, DigestSyntax> {
    let well_formed = text.len() == 8 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let count = well_formed
        .then(|| u32::from_str_radix(text, 16).ok())
        .flatten();
    count.ok_or(DigestSyntax::Parameter)
}

/// The parameters of a challenge or of credentials.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(value: &str) -> Result<Self, DigestSyntax> {
        let (scheme, rest) = value
            .trim()
            .split_once([' ', '\t'])
            .ok_or(DigestSyntax::Scheme)?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return Err(DigestSyntax::Scheme);
        }
        let mut fields = Self(Vec::new());
        let mut rest = Some(rest);
        while let Some(text) = rest {
            let (field, others) = split_top_level(text, b',');
            fields.push(field)?;
            rest = others;
        }
        Ok(fields)
    }

    fn push(&mut self, field: &str) -> Result<(), DigestSyntax> {
        let (name, value) = field.split_once('=').ok_or(DigestSyntax::Parameter)?;
        let (name, value) = (trim(name).to_ascii_lowercase(), trim(value));
        let value = match take_quoted(value) {
            Some((value, "")) => value.into_owned(),
            None if !value.contains('"') => value.to_owned(),
            _ => return Err(DigestSyntax::Parameter),
        };
        if name.is_empty() || self.find(&name).is_some() {
            return Err(DigestSyntax::Parameter);
        }
        self.0.push((name, value));
        Ok(())
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn required(&self, name: &'static str) -> Result<&str, DigestSyntax> {
        self.find(name).ok_or(DigestSyntax::Missing(name))
    }

    pub(super) fn algorithm(&self) -> Result<Algorithm, DigestSyntax> {
        Ok(self
            .find("algorithm")
            .map_or(Ok(Algorithm::Md5), str::parse)?)
    }
}
