//! Challenges, credentials and nonces.

use std::time::Duration;

use super::*;

const NOW: Duration = Duration::from_secs(1_800_000_000);
const LIFETIME: Duration = Duration::from_secs(300);
const URI: &str = "sip:example.org";

fn authenticator(capacity: usize) -> Authenticator {
    Authenticator::new("example.org", [7; 32], LIFETIME, capacity)
}

fn challenge(authenticator: &Authenticator, algorithm: Algorithm) -> Challenge {
    let values = authenticator.challenges(NOW, false, &mut rand::rng());
    let parsed = values
        .iter()
        .map(|value| value.parse::<Challenge>().unwrap());
    parsed
        .into_iter()
        .find(|challenge| challenge.algorithm == algorithm)
        .unwrap()
}

fn answer(challenge: &Challenge, password: &str, count: u32) -> Credentials {
    let answer = challenge.answer(("alice", password), "REGISTER", URI, count, "c\"n");
    answer.to_string().parse().unwrap()
}

fn verify(
    authenticator: &mut Authenticator,
    now: Duration,
    credentials: &Credentials,
) -> Result<(), Rejection> {
    let ha1 = credentials.algorithm.ha1("alice", "example.org", "secret");
    authenticator.verify(now, credentials, "REGISTER", URI, Some(&ha1))
}

/// RFC 7616 §3.9.1: the same request under both algorithms.
#[test]
fn examples_of_the_standard_come_out() {
    let fields = Hashed {
        method: "GET",
        uri: "/dir/index.html",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        nonce_count: 1,
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    };
    let of = |algorithm: Algorithm| {
        let ha1 = algorithm.ha1("Mufasa", "http-auth@example.org", "Circle of Life");
        response(algorithm, &ha1, &fields)
    };
    assert_eq!(of(Algorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        of(Algorithm::Sha256),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
}

#[test]
fn strongest_algorithm_is_offered_first() {
    let values = authenticator(8).challenges(NOW, true, &mut rand::rng());
    let first = Challenge::first_known(values.iter().map(String::as_str)).unwrap();
    assert_eq!(first.algorithm, Algorithm::Sha256);
    assert!(first.stale);
    assert_eq!(values.len(), 2);
}

#[test]
fn right_password_passes_with_either_algorithm() {
    for algorithm in Algorithm::ALL {
        let mut authenticator = authenticator(8);
        let challenge = challenge(&authenticator, algorithm);
        assert_eq!(
            verify(&mut authenticator, NOW, &answer(&challenge, "secret", 1)),
            Ok(())
        );
        assert_eq!(
            verify(&mut authenticator, NOW, &answer(&challenge, "secret", 2)),
            Ok(())
        );
    }
}

#[test]
fn wrong_password_and_unknown_user_are_refused_alike() {
    let mut authenticator = authenticator(8);
    let challenge = challenge(&authenticator, Algorithm::Sha256);
    let wrong = verify(&mut authenticator, NOW, &answer(&challenge, "guess", 1));
    let unknown =
        authenticator.verify(NOW, &answer(&challenge, "secret", 1), "REGISTER", URI, None);
    assert_eq!(wrong, Err(Rejection::WrongResponse));
    assert_eq!(unknown, wrong);
}

#[test]
fn replayed_nonce_count_is_refused() {
    let mut authenticator = authenticator(8);
    let challenge = challenge(&authenticator, Algorithm::Md5);
    let first = answer(&challenge, "secret", 2);
    assert_eq!(verify(&mut authenticator, NOW, &first), Ok(()));
    assert_eq!(
        verify(&mut authenticator, NOW, &first),
        Err(Rejection::Replayed)
    );
    assert_eq!(
        verify(&mut authenticator, NOW, &answer(&challenge, "secret", 1)),
        Err(Rejection::Replayed)
    );
}

#[test]
fn forgotten_nonce_cannot_be_replayed() {
    let mut authenticator = authenticator(1);
    let [one, two] = [0, 1].map(|_| challenge(&authenticator, Algorithm::Sha256));
    let first = answer(&one, "secret", 1);
    assert_eq!(verify(&mut authenticator, NOW, &first), Ok(()));
    // Made in the same millisecond as the one it pushes out.
    assert_eq!(
        verify(&mut authenticator, NOW, &answer(&two, "secret", 1)),
        Ok(())
    );
    assert_eq!(
        verify(&mut authenticator, NOW, &first),
        Err(Rejection::Stale)
    );
}

#[test]
fn old_and_future_nonces_are_stale() {
    let mut authenticator = authenticator(8);
    let challenge = challenge(&authenticator, Algorithm::Sha256);
    let credentials = answer(&challenge, "secret", 1);
    for now in [
        NOW + LIFETIME + Duration::from_secs(1),
        NOW - LIFETIME - Duration::from_secs(1),
    ] {
        assert_eq!(
            verify(&mut authenticator, now, &credentials),
            Err(Rejection::Stale)
        );
    }
}

#[test]
fn forged_nonce_realm_and_uri_are_foreign() {
    let mut authenticator = authenticator(8);
    let good = answer(&challenge(&authenticator, Algorithm::Sha256), "secret", 1);
    let mut other_time = good.nonce.clone();
    other_time.replace_range(0..2, "ff");
    let forged = [
        Credentials {
            nonce: other_time,
            ..good.clone()
        },
        Credentials {
            nonce: good.nonce.to_uppercase() + "A",
            ..good.clone()
        },
        Credentials {
            realm: "example.com".to_owned(),
            ..good.clone()
        },
        Credentials {
            uri: "sip:other.example.org".to_owned(),
            ..good.clone()
        },
    ];
    for credentials in forged {
        assert_eq!(
            verify(&mut authenticator, NOW, &credentials),
            Err(Rejection::Foreign),
            "{credentials:?}"
        );
    }
}

#[test]
fn malformed_credentials_are_refused() {
    let good = "Digest username=\"a\",realm=\"r\",nonce=\"n\",uri=\"u\",response=\"x\",cnonce=\"c\",qop=auth,nc=00000001";
    assert!(good.parse::<Credentials>().is_ok());
    let bad = [
        good.replace("Digest", "Basic"),
        good.replace("nc=00000001", "nc=1"),
        good.replace("nc=00000001", "nc=+0000001"),
        good.replace("qop=auth", "qop=auth-int"),
        good.replace(",qop=auth", ""),
        good.replace("uri=\"u\"", "uri=\"u"),
        format!("{good},realm=\"twice\""),
        format!("{good},algorithm=MD5-sess"),
        format!("{good},"),
        String::new(),
    ];
    for text in bad {
        assert!(text.parse::<Credentials>().is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn parsing_never_panics(text in "(Digest )?[ -~]{0,80}") {
        let _ = text.parse::<Credentials>();
        let _ = text.parse::<Challenge>();
    }
}
