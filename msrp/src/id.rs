//! Identifiers: of sessions, of transactions, of messages.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use memchr::memmem;
use rand::CryptoRng;
use rand::distr::{Alphanumeric, SampleString};
use subtle::ConstantTimeEq;

use crate::error::IdError;
use crate::print::END_LINE_HYPHENS;

/// Length of the session-ids we make: 22 base62 characters are 130 bits (MSR-01).
const SESSION_ID_CHARS: usize = 22;
/// Length of the transaction ids we make: 16 base62 characters are 95 bits (PSH-11).
const TRANSACTION_ID_CHARS: usize = 16;
/// Longest Message-ID taken from a peer. RFC 4975 §9 allows 32; longer ones are seen and harmless.
const MESSAGE_ID_MAX_CHARS: usize = 128;

/// The part of an MSRP URI that names a session: the only secret of a session without TLS.
///
/// Compared in constant time (MSR-01).
#[derive(Clone, Eq)]
pub struct SessionId(String);

impl SessionId {
    /// A fresh id of 22 base62 characters.
    pub fn generate(rng: &mut impl CryptoRng) -> SessionId {
        SessionId(base62(rng, SESSION_ID_CHARS))
    }

    /// The id as it stands in a URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SessionId {
    type Err = IdError;

    /// RFC 4975 §9: `session-id = 1*( unreserved / "+" / "=" / "/" )`; sub-delims are let through.
    fn from_str(text: &str) -> Result<SessionId, IdError> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~+=/%!$&'()*,:@".contains(&b);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(IdError);
        }
        Ok(SessionId(text.to_owned()))
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &SessionId) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Shows the first four characters only, since the id is a secret.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", self.0.get(..4).unwrap_or_default())
    }
}

/// Ties a request to its response and to its end-line (RFC 4975 §7.1).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(String);

impl TransactionId {
    /// A fresh id of 16 base62 characters.
    pub fn generate(rng: &mut impl CryptoRng) -> TransactionId {
        TransactionId(base62(rng, TRANSACTION_ID_CHARS))
    }

    /// A fresh id whose end-line does not occur in this data (PSH-11).
    pub fn absent_from(rng: &mut impl CryptoRng, data: &[u8]) -> TransactionId {
        loop {
            let id = TransactionId::generate(rng);
            if memmem::find(data, &id.end_line()).is_none() {
                return id;
            }
        }
    }

    /// `-------tid`, as it stands before the flag (RFC 4975 §7.1).
    pub(crate) fn end_line(&self) -> Vec<u8> {
        format!("{END_LINE_HYPHENS}{self}").into_bytes()
    }

    /// The id as it stands in the start line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TransactionId {
    type Err = IdError;

    /// RFC 4975 §9: `ident = ALPHANUM 3*31ident-char`.
    fn from_str(text: &str) -> Result<TransactionId, IdError> {
        let starts_well = text
            .bytes()
            .next()
            .is_some_and(|b| b.is_ascii_alphanumeric());
        if !starts_well || !(4..=32).contains(&text.len()) || !text.bytes().all(is_ident_char) {
            return Err(IdError);
        }
        Ok(TransactionId(text.to_owned()))
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Groups the chunks of one message (RFC 4975 §5.1). Not the id of a stored message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(String);

impl MessageId {
    /// A fresh id of 16 base62 characters.
    pub fn generate(rng: &mut impl CryptoRng) -> MessageId {
        MessageId(base62(rng, TRANSACTION_ID_CHARS))
    }

    /// The id as it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MessageId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<MessageId, IdError> {
        let length = 1..=MESSAGE_ID_MAX_CHARS;
        if !length.contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(IdError);
        }
        Ok(MessageId(text.to_owned()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_ident_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b".-+%=".contains(&b)
}

/// Characters drawn evenly from `A-Z a-z 0-9`.
pub(crate) fn base62(rng: &mut impl CryptoRng, chars: usize) -> String {
    Alphanumeric.sample_string(rng, chars)
}
