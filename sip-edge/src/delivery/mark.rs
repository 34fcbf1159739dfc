//! The branch mark by which an edge knows the requests that edges of its store originate for
//! delivery (DLV-16): `z9hG4bK-rst-<nonce>-<16 hex of HMAC(store secret, nonce ++ Call-ID)>`.
//!
//! A request that comes back still carries the mark in its Via stack, whichever edge it comes to,
//! because the secret is the store's. A stranger cannot make one, so nobody can have a message of
//! somebody else refused.

use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;

/// What a marked branch begins with; compared without letter case (requirements §2.13).
const PREFIX: &str = "z9hG4bK-rst-";

/// Characters of the nonce: 71 random bits.
const NONCE_LENGTH: usize = 12;

/// Octets of the HMAC that are written.
const MARK_OCTETS: usize = 8;

/// A new marked branch for a request with this Call-ID.
pub(crate) fn marked_branch(secret: &[u8], call_id: &str, rng: &mut impl Rng) -> String {
    let nonce = sip::token::random_base62(rng, NONCE_LENGTH);
    let mark = mac(secret, &nonce, call_id).finalize().into_bytes();
    let mark: String = mark
        .iter()
        .take(MARK_OCTETS)
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!("{PREFIX}{nonce}-{mark}")
}

/// Whether a branch was made with this secret for this Call-ID. Takes the same time whatever the
/// mark holds.
pub(crate) fn is_marked(secret: &[u8], call_id: &str, branch: &str) -> bool {
    let Some((prefix, rest)) = branch.split_at_checked(PREFIX.len()) else {
        return false;
    };
    if !prefix.eq_ignore_ascii_case(PREFIX) {
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
        let branch = marked_branch(SECRET, "push-1@df1", &mut rand::rng());
        let mark = branch.strip_prefix("z9hG4bK-rst-").expect("prefix");
        let (nonce, mark) = mark.split_once('-').expect("two parts");
        assert_eq!((nonce.len(), mark.len()), (12, 16));
        assert!(is_marked(SECRET, "push-1@df1", &branch));
    }

    #[test]
    fn a_foreign_secret_call_id_or_cut_mark_does_not_verify() {
        let branch = marked_branch(SECRET, "push-1@df1", &mut rand::rng());
        assert!(!is_marked(b"another", "push-1@df1", &branch));
        assert!(!is_marked(SECRET, "push-2@df1", &branch));
        assert!(!is_marked(
            SECRET,
            "push-1@df1",
            &branch[..branch.len() - 1]
        ));
        assert!(!is_marked(
            SECRET,
            "push-1@df1",
            "z9hG4bK-rst--+123456789abcdef"
        ));
    }

    #[test]
    fn the_prefix_is_compared_without_letter_case() {
        let branch = marked_branch(SECRET, "c", &mut rand::rng());
        let shouted = branch.replacen("z9hG4bK-rst-", "Z9HG4BK-RST-", 1);
        assert!(is_marked(SECRET, "c", &shouted));
    }

    proptest! {
        #[test]
        fn no_branch_of_a_peer_panics_or_verifies(branch in ".{0,60}", call_id in ".{0,20}") {
            prop_assert!(!is_marked(SECRET, &call_id, &branch));
            let dressed = format!("z9hG4bK-rst-{branch}");
            prop_assert!(!is_marked(SECRET, &call_id, &dressed));
        }
    }
}
