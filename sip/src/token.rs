//! Random identifiers for what we originate. The caller gives the generator; outside tests it must be a
//! cryptographically secure one, since a guessed branch or tag lets a stranger answer in a peer's name.

use rand::{Rng, distr::Alphanumeric};

/// Start of every branch that identifies its transaction globally (RFC 3261 §8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// `length` characters of `[0-9A-Za-z]`, uniformly drawn: 5.95 bits of entropy each.
pub fn random_base62(rng: &mut impl Rng, length: usize) -> String {
    rng.sample_iter(Alphanumeric)
        .take(length)
        .map(char::from)
        .collect()
}

/// A branch with the magic cookie and 131 random bits (RFC 3261 §8.1.1.7).
pub fn branch(rng: &mut impl Rng) -> String {
    format!("{MAGIC_COOKIE}{}", random_base62(rng, 22))
}

/// A From or To tag; RFC 3261 §19.3 asks for at least 32 random bits, this has 95.
pub fn tag(rng: &mut impl Rng) -> String {
    random_base62(rng, 16)
}

/// A Call-ID of 131 random bits `@` the host that made it (RFC 3261 §8.1.1.4).
pub fn call_id(rng: &mut impl Rng, host: &str) -> String {
    format!("{}@{host}", random_base62(rng, 22))
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn identifiers_have_their_form_and_do_not_repeat() {
        let mut rng = StdRng::seed_from_u64(1);
        let branch = branch(&mut rng);
        assert!(branch.starts_with(MAGIC_COOKIE) && branch.len() == 29);
        let call_id = call_id(&mut rng, "edge.example.org");
        assert!(call_id.ends_with("@edge.example.org"));
        assert_ne!(tag(&mut rng), tag(&mut rng));
        assert!(
            random_base62(&mut rng, 200)
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric())
        );
    }
}
