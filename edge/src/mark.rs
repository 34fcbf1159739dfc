//! The branch marks by which edges know requests that edges of their store originate: those for
//! delivery (DLV-16), `z9hG4bK-rst-<nonce>-<16 hex of HMAC(store secret, nonce ++ Call-ID)>`, and the
//! legs of fan-outs (CFP-20), which have `rsg` for `rst`.
//!
//! A request that comes back still carries the mark in its Via stack, whichever edge it comes to,
//! because the secret is the store's. A stranger cannot make one, so nobody can have a message of
//! somebody else refused.

use std::fmt::Write as _;

use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;

/// What a mark says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// It delivers what was deferred: no participating edge takes it (DLV-16).
    Delivery,
    /// It is a leg of a fan-out: no controlling edge takes it (CFP-20).
    Leg,
}

impl Mark {
    /// What a branch with it begins with; compared without letter case (requirements §2.13).
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Delivery => "z9hG4bK-rst-",
            Self::Leg => "z9hG4bK-rsg-",
        }
    }
}

/// Characters of the nonce: 71 random bits.
const NONCE_LENGTH: usize = 12;

/// Octets of the HMAC that are written.
const MARK_OCTETS: usize = 8;

/// A new marked branch for a request with this Call-ID.
#[must_use]
pub fn marked_branch(mark: Mark, secret: &[u8], call_id: &str, rng: &mut impl Rng) -> String {
    let prefix = mark.prefix();
    let nonce = sip::token::random_base62(rng, NONCE_LENGTH);
    let mark = mac(secret, &nonce, call_id).finalize().into_bytes();
    let mut branch = format!("{prefix}{nonce}-");
    for octet in mark.iter().take(MARK_OCTETS) {
        // A String takes what it is given.
        let _ = write!(branch, "{octet:02x}");
    }
    branch
}

/// Whether a branch was made with this mark and secret for this Call-ID. Takes the same time whatever
/// it holds.
#[must_use]
pub fn is_marked(mark: Mark, secret: &[u8], call_id: &str, branch: &str) -> bool {
    let Some((prefix, rest)) = branch.split_at_checked(mark.prefix().len()) else {
        return false;
    };
    if !prefix.eq_ignore_ascii_case(mark.prefix()) {
        return false;
    }
    let Some((nonce, mark)) = rest.rsplit_once('-') else {
        return false;
    };
    octets(mark).is_some_and(|mark| {
        mac(secret, nonce, call_id)
            .verify_truncated_left(&mark)
            .is_ok()
    })
}

fn mac(secret: &[u8], nonce: &str, call_id: &str) -> Hmac<Sha256> {
    let mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.chain_update(nonce).chain_update(call_id)
}

/// Exactly [`MARK_OCTETS`] octets in hexadecimal digits.
fn octets(hex: &str) -> Option<[u8; MARK_OCTETS]> {
    let well_formed =
        hex.len() == 2 * MARK_OCTETS && hex.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u64::from_str_radix(hex, 16).ok().filter(|_| well_formed)?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"secret of the store";

    #[test]
    fn a_mark_has_the_shape_of_the_requirement() {
        let branch = marked_branch(Mark::Delivery, SECRET, "push-1@df1", &mut rand::rng());
        let mark = branch.strip_prefix("z9hG4bK-rst-").expect("prefix");
        let (nonce, mark) = mark.split_once('-').expect("two parts");
        assert_eq!((nonce.len(), mark.len()), (12, 16));
        assert!(is_marked(Mark::Delivery, SECRET, "push-1@df1", &branch));
        assert!(!is_marked(Mark::Leg, SECRET, "push-1@df1", &branch));
    }

    #[test]
    fn a_foreign_secret_call_id_or_cut_mark_does_not_verify() {
        let branch = marked_branch(Mark::Delivery, SECRET, "push-1@df1", &mut rand::rng());
        assert!(!is_marked(
            Mark::Delivery,
            b"another",
            "push-1@df1",
            &branch
        ));
        assert!(!is_marked(Mark::Delivery, SECRET, "push-2@df1", &branch));
        assert!(!is_marked(
            Mark::Delivery,
            SECRET,
            "push-1@df1",
            &branch[..branch.len() - 1]
        ));
        assert!(!is_marked(
            Mark::Delivery,
            SECRET,
            "push-1@df1",
            "z9hG4bK-rst--+123456789abcdef"
        ));
    }

    #[test]
    fn the_prefix_is_compared_without_letter_case() {
        let branch = marked_branch(Mark::Delivery, SECRET, "c", &mut rand::rng());
        let shouted = branch.replacen("z9hG4bK-rst-", "Z9HG4BK-RST-", 1);
        assert!(is_marked(Mark::Delivery, SECRET, "c", &shouted));
    }

    proptest! {
        #[test]
        fn no_branch_of_a_peer_panics_or_verifies(branch in ".{0,60}", call_id in ".{0,20}") {
            prop_assert!(!is_marked(Mark::Delivery, SECRET, &call_id, &branch));
            let dressed = format!("z9hG4bK-rst-{branch}");
            prop_assert!(!is_marked(Mark::Delivery, SECRET, &call_id, &dressed));
        }
    }
}
