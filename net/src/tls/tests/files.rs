//! What is said of files that cannot be used.

use std::fs;

use super::Authority;
use crate::tls::{SipTls, TlsConfig, TlsError, VerifyPeers};

fn refused(config: TlsConfig) -> TlsError {
    SipTls::new(config).map(drop).unwrap_err()
}

#[test]
fn error_names_the_missing_file() {
    let authority = Authority::new();
    let mut config = authority.config(&["a.example"]);
    config.own.key.set_file_name("nowhere.pem");
    let error = refused(config);
    assert!(error.to_string().contains("nowhere.pem"), "{error}");
}

#[test]
fn file_without_a_certificate_is_refused() {
    let authority = Authority::new();
    let own = authority.certify(&["a.example"]);
    fs::write(&own.certificate, "").unwrap();
    let error = refused(authority.config_with(own));
    assert!(matches!(error, TlsError::NoCertificate(_)), "{error}");
}

#[test]
fn key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let mut own = authority.certify(&["a.example"]);
    own.key = authority.certify(&["a.example"]).key;
    let error = refused(authority.config_with(own));
    assert!(matches!(error, TlsError::Unusable(_)), "{error}");
}

#[test]
fn peers_are_not_verified_by_nobody() {
    let authority = Authority::new();
    let own = authority.certify(&["a.example"]);
    let error = refused(TlsConfig {
        verify_peers: VerifyPeers::Required,
        ..TlsConfig::new(own)
    });
    assert!(matches!(error, TlsError::NoAuthority(_)), "{error}");
}
