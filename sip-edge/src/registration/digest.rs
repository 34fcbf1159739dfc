//! Clients prove who they are by digest (REG-02, RFC 8760). That makes a registration theirs, and
//! vouches for nothing else they send (requirements §3.8).

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use sip::digest::{Authenticator, Credentials, Rejection};
use sip::{Aor, Name, Request};

use super::users::Users;
use crate::config::{Config, RegistrarAuth};
use edge::refuse::Refusal;

/// How long a challenge may be answered.
const NONCE_LIFETIME: Duration = Duration::from_secs(300);

/// Answered challenges whose count is remembered; older ones are to be asked for again.
const NONCES: usize = 100_000;

/// The digest of the registrar.
#[derive(Debug)]
pub(crate) struct Digest {
    users: Users,
    realm: String,
    authenticator: Mutex<Authenticator>,
}

impl Digest {
    /// Reads the users file where the configuration wants digest.
    ///
    /// # Errors
    /// A sentence that names the file and what is wrong.
    pub(crate) fn load(config: &Config) -> Result<Option<Self>, String> {
        let wanted = config.registrar.auth == Some(RegistrarAuth::Digest);
        let is_direct = config.is_registrar() && config.sip.next_hop.is_none();
        let (Some(path), true) = (&config.registrar.users, wanted && is_direct) else {
            return Ok(None);
        };
        let realm = config.realm();
        let users = read(path, realm).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(Some(Self::new(users, realm)))
    }

    fn new(users: Users, realm: &str) -> Self {
        let authenticator = Authenticator::new(realm, rand::random(), NONCE_LIFETIME, NONCES);
        Self {
            users,
            realm: realm.to_owned(),
            authenticator: Mutex::new(authenticator),
        }
    }

    /// Whom the sender of a request has proven to be.
    ///
    /// # Errors
    /// [`Refusal::Unauthenticated`] with new challenges. It says nothing about whether there is such
    /// a user.
    pub(crate) fn prove(&self, request: &Request, now: SystemTime) -> Result<Aor, Refusal> {
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let Some(credentials) = self.credentials(request) else {
            return Err(self.challenge(now, false));
        };
        let user = self.users.find(&credentials.user);
        let verified = self
            .authenticator
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .verify(
                now,
                &credentials,
                request.method().as_str(),
                request.raw_uri(),
                user.and_then(|user| user.ha1(credentials.algorithm)),
            );
        match (verified, user) {
            (Ok(()), Some(user)) => Ok(user.address.clone()),
            (verified, _) => Err(self.challenge(now, verified == Err(Rejection::Stale))),
        }
    }

    /// Those for our realm; a client may send others along (RFC 3261 §22.3).
    fn credentials(&self, request: &Request) -> Option<Credentials> {
        let fields = request.headers().all(Name::Authorization);
        fields
            .filter_map(|field| field.value().parse().ok())
            .find(|credentials: &Credentials| credentials.realm == self.realm)
    }

    fn challenge(&self, now: Duration, is_stale: bool) -> Refusal {
        let authenticator = self
            .authenticator
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Refusal::Unauthenticated(authenticator.challenges(now, is_stale, &mut rand::rng()))
    }
}

fn read(path: &Path, realm: &str) -> Result<Users, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    Users::parse(&text, realm).map_err(|mistake| mistake.to_string())
}

#[cfg(test)]
mod tests {
    use sip::digest::{Algorithm, Challenge};

    use super::*;
    use edge::example;

    const URI: &str = "sip:example.org";

    fn digest() -> Digest {
        let ha1 = |algorithm: Algorithm| algorithm.ha1("bob", "example.org", "secret");
        let line = format!(
            "bob:example.org:{}:{}",
            ha1(Algorithm::Sha256),
            ha1(Algorithm::Md5)
        );
        let users = Users::parse(&line, "example.org").expect("well-formed");
        Digest::new(users, "example.org")
    }

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_166_046)
    }

    fn register(authorization: &str) -> Request {
        example::request(&format!(
            "REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
             From: <sip:bob@example.org>;tag=1\r\nTo: <sip:bob@example.org>\r\nCall-ID: 1\r\n\
             CSeq: 1 REGISTER\r\n{authorization}Content-Length: 0\r\n\r\n"
        ))
    }

    /// The challenges that follow a request.
    fn challenges(digest: &Digest, request: &Request, at: SystemTime) -> Vec<String> {
        match digest.prove(request, at) {
            Err(Refusal::Unauthenticated(challenges)) => challenges,
            other => panic!("no challenge: {other:?}"),
        }
    }

    fn answer(challenge: &str, login: (&str, &str), count: u32) -> Request {
        let challenge: Challenge = challenge.parse().expect("a challenge");
        let answer = challenge.answer(login, "REGISTER", URI, count, "c");
        register(&format!("Authorization: {answer}\r\n"))
    }

    #[test]
    fn the_password_proves_the_user_by_either_algorithm_and_once_per_count() {
        let digest = digest();
        let challenges = challenges(&digest, &register(""), now());
        assert_eq!(challenges.len(), 2);
        let bob = ("bob", "secret");
        for (count, challenge) in (1..).zip(&challenges) {
            let request = answer(challenge, bob, count);
            let proven = digest
                .prove(&request, now())
                .map(|address| address.to_string());
            assert_eq!(proven, Ok("sip:bob@example.org".to_owned()));
            assert!(digest.prove(&request, now()).is_err(), "a replay");
        }
    }

    #[test]
    fn wrong_passwords_and_unknown_users_look_alike() {
        let digest = digest();
        let first = challenges(&digest, &register(""), now());
        for login in [("bob", "wrong"), ("carol", "secret")] {
            let again = challenges(&digest, &answer(&first[0], login, 1), now());
            assert!(!again[0].contains("stale"), "{again:?}");
        }
        challenges(&digest, &register("Authorization: Basic Ym9i\r\n"), now());
    }

    #[test]
    fn a_challenge_that_is_too_old_is_stale() {
        let digest = digest();
        let first = challenges(&digest, &register(""), now());
        let late = now() + NONCE_LIFETIME + Duration::from_secs(1);
        let again = challenges(&digest, &answer(&first[0], ("bob", "secret"), 1), late);
        assert!(again[0].contains("stale=true"), "{again:?}");
    }

    #[test]
    fn credentials_for_other_realms_are_passed_over() {
        let digest = digest();
        let first = challenges(&digest, &register(""), now());
        let ours = answer(&first[0], ("bob", "secret"), 1);
        let other = first[0].replace("example.org", "elsewhere.org");
        let other = answer(&other, ("bob", "secret"), 1);
        let value = |request: &Request| {
            let field = request.headers().first(Name::Authorization);
            field.expect("credentials").value().into_owned()
        };
        let both = format!(
            "Authorization: {}\r\nAuthorization: {}\r\n",
            value(&other),
            value(&ours)
        );
        assert!(digest.prove(&register(&both), now()).is_ok());
    }
}
