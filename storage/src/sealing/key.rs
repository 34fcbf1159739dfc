//! One key and what it seals: AES-256-GCM (NIST SP 800-38D), under a key of its own for each value, which HKDF-SHA-256
//! (RFC 5869) makes of the key and a salt. A key may so seal any number of values: what must never come twice is the salt,
//! 128 random bits, and the nonce of a key that is used once can stay zero.

use std::fmt;

use rand::TryRngCore as _;
use rand::rngs::OsRng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use zeroize::Zeroizing;

/// Octets of a key.
pub(crate) const KEY_OCTETS: usize = 32;
const SALT_OCTETS: usize = 16;
const TAG_OCTETS: usize = 16;
/// What sealing adds.
pub(crate) const ADDED_OCTETS: usize = SALT_OCTETS + TAG_OCTETS;

/// Another key has sealed it, or it is not what was sealed, or not where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotOpened;

/// A key that is wiped from memory when it is dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SealingKey(Zeroizing<[u8; KEY_OCTETS]>);

impl SealingKey {
    /// One that nobody knows, of the randomness of the system.
    pub(crate) fn random() -> Self {
        let mut octets = Zeroizing::new([0; KEY_OCTETS]);
        OsRng
            .try_fill_bytes(&mut octets[..])
            .expect("the system has randomness once it runs");
        Self(octets)
    }

    /// `None` if they are not of the length of a key.
    pub(crate) fn from_octets(octets: &[u8]) -> Option<Self> {
        let octets: [u8; KEY_OCTETS] = octets.try_into().ok()?;
        Some(Self(Zeroizing::new(octets)))
    }

    /// To be wrapped by another key, or to be hashed.
    pub(crate) fn octets(&self) -> &[u8; KEY_OCTETS] {
        &self.0
    }

    /// Appends `plain`, sealed; `context` is what it belongs to, which opening must name again.
    pub(crate) fn seal(&self, context: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        let salt: [u8; SALT_OCTETS] = rand::random();
        out.reserve(plain.len() + ADDED_OCTETS);
        out.extend_from_slice(&salt);
        let from = out.len();
        out.extend_from_slice(plain);
        let sealed = self.of_value(&salt).seal_in_place_separate_tag(
            Nonce::assume_unique_for_key([0; NONCE_LEN]),
            Aad::from(context),
            &mut out[from..],
        );
        let tag = sealed.expect("a value is far shorter than AES-GCM allows");
        out.extend_from_slice(tag.as_ref());
    }

    /// Opens in place what [`Self::seal`] has appended: where the plain octets are in `sealed`.
    pub(crate) fn open(
        &self,
        context: &[u8],
        sealed: &mut [u8],
    ) -> Result<std::ops::Range<usize>, NotOpened> {
        let (salt, rest) = sealed
            .split_first_chunk_mut::<SALT_OCTETS>()
            .ok_or(NotOpened)?;
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let opened = self
            .of_value(salt)
            .open_in_place(nonce, Aad::from(context), rest)
            .map_err(|_| NotOpened)?;
        Ok(SALT_OCTETS..SALT_OCTETS + opened.len())
    }

    fn of_value(&self, salt: &[u8; SALT_OCTETS]) -> LessSafeKey {
        let parts: [&[u8]; 2] = [b"restante value", salt];
        let okm = Prk::new_less_safe(HKDF_SHA256, &self.0[..]);
        let key = okm.expand(&parts, &AES_256_GCM).map(UnboundKey::from);
        LessSafeKey::new(key.expect("HKDF makes keys of 32 octets"))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

/// The key of the content of one message or job. Whoever has it knows which content it is: a piece is bound to the content by
/// the key, and to its place in it by the context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentKey(pub(crate) SealingKey);

impl ContentKey {
    pub(crate) fn random() -> Self {
        Self(SealingKey::random())
    }
}
