//! `a=fingerprint` values.

use proptest::prelude::*;
use rustls::pki_types::CertificateDer;

use crate::tls::{Fingerprint, FingerprintError};

/// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const ABC: &str = "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD";

fn abc() -> CertificateDer<'static> {
    b"abc".to_vec().into()
}

#[test]
fn ours_is_sha_256_in_capitals() {
    assert_eq!(Fingerprint::of(&abc()).to_string(), ABC);
}

#[test]
fn letter_case_of_the_peer_does_not_matter() {
    let read: Fingerprint = ABC.to_lowercase().parse().unwrap();
    assert!(read.matches(&abc()));
    assert!(!read.matches(&b"abd".to_vec().into()));
}

#[test]
fn longer_hashes_are_compared_with_their_own_function() {
    let of_another = format!("sha-512 {}", vec!["AB"; 64].join(":"));
    assert!(!of_another.parse::<Fingerprint>().unwrap().matches(&abc()));
}

#[test]
fn weak_functions_are_refused() {
    for function in ["md5", "sha-1", "sha-224", "crc"] {
        let value = ABC.replace("sha-256", function);
        assert_eq!(
            value.parse::<Fingerprint>(),
            Err(FingerprintError::Function)
        );
    }
}

#[test]
fn malformed_values_are_refused() {
    let short = ABC.strip_suffix(":AD").unwrap();
    let long = format!("{ABC}:00");
    let (signed, bare) = (ABC.replace("BA", "+A"), ABC.replace(':', ""));
    for value in ["", "sha-256", "sha-256 ", short, &long, &signed, &bare] {
        assert_eq!(
            value.parse::<Fingerprint>(),
            Err(FingerprintError::Malformed),
            "{value}"
        );
    }
}

proptest! {
    #[test]
    fn printed_fingerprint_reads_back(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let certificate = CertificateDer::from(octets);
        let fingerprint = Fingerprint::of(&certificate);
        let read: Fingerprint = fingerprint.to_string().parse().unwrap();
        prop_assert!(read.matches(&certificate));
        prop_assert_eq!(read, fingerprint);
    }

    #[test]
    fn no_text_breaks_the_reader(text in "(sha-256 )?[ 0-9A-Fa-f:é]{0,120}") {
        let _ = text.parse::<Fingerprint>();
    }
}
