//! The server side: challenges and their verification.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use rand::Rng;
use subtle::ConstantTimeEq;

use super::{Algorithm, Credentials, Hashed, nonce, response};

/// Why credentials are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Another realm, another Request-URI, or a nonce that is none of ours.
    #[error("credentials for something else")]
    Foreign,
    /// The nonce is too old; the password may be right, so the new challenge says `stale=true` (RFC 7616 §3.3).
    #[error("stale nonce")]
    Stale,
    /// The nonce count has been used already: the request is a copy.
    #[error("nonce count replayed")]
    Replayed,
    /// The proof is wrong, or there is no such user: to be answered alike.
    #[error("wrong response")]
    WrongResponse,
}

/// Challenges and verifies for one realm.
#[derive(Debug)]
pub struct Authenticator {
    realm: String,
    key: [u8; 32],
    lifetime: Duration,
    counts: Counts,
}

impl Authenticator {
    /// `key` is secret and random; nonces live for `lifetime`; of `capacity` used nonces the count is remembered.
    #[must_use]
    pub fn new(realm: &str, key: [u8; 32], lifetime: Duration, capacity: usize) -> Self {
        let counts = Counts {
            capacity: capacity.max(1),
            ..Counts::default()
        };
        Self {
            realm: realm.to_owned(),
            key,
            lifetime,
            counts,
        }
    }

    /// The WWW-Authenticate values of a 401, one line each, the strongest algorithm first (RFC 8760 §2.4). `now` is the
    /// time since the Unix epoch; `stale` as [`Rejection::Stale`] demands.
    pub fn challenges(&self, now: Duration, stale: bool, rng: &mut impl Rng) -> Vec<String> {
        let nonce = nonce::issue(&self.key, &self.realm, now, rng);
        let stale = if stale { ",stale=true" } else { "" };
        let challenge = |algorithm| {
            let realm = quoted(&self.realm);
            format!(
                "Digest realm={realm},nonce=\"{nonce}\",qop=\"auth\",algorithm={algorithm}{stale}"
            )
        };
        Algorithm::ALL.map(challenge).to_vec()
    }

    /// Checks the credentials of a request. `ha1` is [`Algorithm::ha1`] of the user under the algorithm the credentials
    /// name, none if there is no such user; `uri` is the Request-URI as written.
    ///
    /// # Errors
    ///
    /// [`Rejection`]: answer with a new challenge.
    pub fn verify(
        &mut self,
        now: Duration,
        credentials: &Credentials,
        method: &str,
        uri: &str,
        ha1: Option<&str>,
    ) -> Result<(), Rejection> {
        if credentials.realm != self.realm || credentials.uri != uri {
            return Err(Rejection::Foreign);
        }
        let issued = nonce::issued_at(&self.key, &self.realm, &credentials.nonce)
            .ok_or(Rejection::Foreign)?;
        if issued + self.lifetime < now || issued > now + self.lifetime {
            return Err(Rejection::Stale);
        }
        if !proves(credentials, method, ha1) {
            return Err(Rejection::WrongResponse);
        }
        // Only now: a stranger must not use up the counts of others.
        self.counts.forget_before(now.saturating_sub(self.lifetime));
        self.counts
            .take(&credentials.nonce, issued, credentials.nonce_count)
    }
}

fn proves(credentials: &Credentials, method: &str, ha1: Option<&str>) -> bool {
    let Credentials {
        uri,
        nonce,
        nonce_count,
        cnonce,
        algorithm,
        ..
    } = credentials;
    let fields = Hashed {
        method,
        uri,
        nonce,
        nonce_count: *nonce_count,
        cnonce,
    };
    // Without a user the same work is done, so that time tells nothing.
    let expected = response(*algorithm, ha1.unwrap_or_default(), &fields);
    let given = credentials.response.to_ascii_lowercase();
    bool::from(expected.as_bytes().ct_eq(given.as_bytes())) && ha1.is_some()
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    crate::text::write_quoted(&mut quoted, text).expect("writing to a string never fails");
    quoted
}

/// The highest count of each used nonce, as many as fit.
#[derive(Debug, Default)]
struct Counts {
    capacity: usize,
    highest: HashMap<String, u32>,
    /// In the order of first use.
    order: VecDeque<(Duration, String)>,
    /// Nonces issued up to then may have been forgotten: they are stale.
    forgotten: Option<Duration>,
}

impl Counts {
    fn take(&mut self, nonce: &str, issued: Duration, count: u32) -> Result<(), Rejection> {
        match self.highest.get_mut(nonce) {
            Some(highest) if count <= *highest => return Err(Rejection::Replayed),
            Some(highest) => {
                *highest = count;
                return Ok(());
            }
            None => {}
        }
        if self.forgotten.is_some_and(|forgotten| issued <= forgotten) {
            return Err(Rejection::Stale);
        }
        if self.order.len() >= self.capacity {
            self.forget_oldest();
        }
        self.highest.insert(nonce.to_owned(), count);
        self.order.push_back((issued, nonce.to_owned()));
        Ok(())
    }

    /// Makes room; what was issued with the forgotten nonce or before counts as used from now on.
    fn forget_oldest(&mut self) {
        if let Some((issued, nonce)) = self.order.pop_front() {
            self.highest.remove(&nonce);
            self.forgotten = self.forgotten.max(Some(issued));
        }
    }

    /// Drops nonces that are too old to be accepted anyway.
    fn forget_before(&mut self, bound: Duration) {
        while let Some((_, nonce)) = self.order.pop_front_if(|(issued, _)| *issued < bound) {
            self.highest.remove(&nonce);
        }
    }
}
