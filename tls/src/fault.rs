//! What is wrong with a certificate, in words that say what is to be mended.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// The same error of a connection to a server; where it is about certificates, in words.
pub(crate) fn explained(error: io::Error) -> io::Error {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<Error>());
    match cause.and_then(sentence) {
        Some(sentence) => io::Error::new(error.kind(), sentence),
        None => error,
    }
}

fn sentence(error: &Error) -> Option<String> {
    let sentence = match error {
        Error::InvalidCertificate(error) => of_the_server(error)?,
        Error::AlertReceived(alert) => of_ours(*alert)?.to_owned(),
        Error::InvalidMessage(_) => "the server does not speak TLS".to_owned(),
        _ => return None,
    };
    Some(sentence)
}

/// Why we do not believe the server.
fn of_the_server(error: &CertificateError) -> Option<String> {
    let sentence = match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the server's certificate leads to no authority that is believed here"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet"
        }
        CertificateError::NotValidForName => "the server's certificate is for another name",
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => {
            let expected = expected.to_str();
            let presented = presented.join(", ");
            return Some(format!(
                "the server's certificate is not for {expected}, but for {presented}"
            ));
        }
        _ => return None,
    };
    Some(sentence.to_owned())
}

/// Why the server does not let us in. Servers speak TLS 1.2 with less precision.
fn of_ours(alert: AlertDescription) -> Option<&'static str> {
    match alert {
        AlertDescription::CertificateRequired => {
            Some("the server lets nobody in without a certificate")
        }
        AlertDescription::UnknownCA => {
            Some("our certificate leads to no authority that the server believes")
        }
        AlertDescription::CertificateExpired => {
            Some("our certificate has expired, or is not valid yet")
        }
        AlertDescription::CertificateRevoked => Some("our certificate is revoked"),
        AlertDescription::BadCertificate
        | AlertDescription::DecryptError
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::AccessDenied => Some("the server does not take our certificate"),
        _ => None,
    }
}
