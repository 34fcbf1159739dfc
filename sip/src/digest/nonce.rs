//! Nonces that prove their own age: time, salt and a MAC over both and the realm.

use std::time::Duration;

use hmac::{Hmac, Mac};
use rand::Rng;
use sha2::Sha256;

use super::hex;

const TIME_OCTETS: usize = 8;
const SALT_OCTETS: usize = 8;
const MAC_OCTETS: usize = 16;
const OCTETS: usize = TIME_OCTETS + SALT_OCTETS + MAC_OCTETS;

/// Makes a nonce at `now`, the time since the Unix epoch.
pub(super) fn issue(key: &[u8; 32], realm: &str, now: Duration, rng: &mut impl Rng) -> String {
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let salt: [u8; SALT_OCTETS] = rng.random();
    let stated = [millis.to_be_bytes(), salt].concat();
    let mac = mac(key, realm, &stated).finalize().into_bytes();
    let mac = mac.get(..MAC_OCTETS).unwrap_or_default();
    hex(&stated) + &hex(mac)
}

/// When the nonce was made, if it was made with this key for this realm.
pub(super) fn issued_at(key: &[u8; 32], realm: &str, nonce: &str) -> Option<Duration> {
    let octets = unhex(nonce)?;
    let (stated, tag) = octets.split_at_checked(TIME_OCTETS + SALT_OCTETS)?;
    mac(key, realm, stated).verify_truncated_left(tag).ok()?;
    let (millis, _) = stated.split_first_chunk::<TIME_OCTETS>()?;
    Some(Duration::from_millis(u64::from_be_bytes(*millis)))
}

fn mac(key: &[u8; 32], realm: &str, stated: &[u8]) -> Hmac<Sha256> {
    let mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.chain_update(stated).chain_update(realm.as_bytes())
}

/// Exactly as many octets as a nonce has, from lower case digits: one nonce has one spelling.
fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != OCTETS * 2
        || !text
            .bytes()
            .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
