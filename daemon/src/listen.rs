//! Listening sockets, bound before anything is served so that a busy port is a sentence at start.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use crate::config::Document;
use crate::exit::{Code, Fatal};

/// Binds a TCP listener for `key`, the configuration key its address comes from.
///
/// # Errors
/// [`Code::Unavailable`] when the address is taken, not ours or not allowed.
pub fn tcp(key: &str, address: SocketAddr) -> Result<TcpListener, Fatal> {
    TcpListener::bind(address).map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => "; another process listens there",
            ErrorKind::AddrNotAvailable => "; this machine does not have that address",
            ErrorKind::PermissionDenied => "; ports below 1024 need a capability",
            _ => "",
        };
        let sentence = format!("cannot listen on {address} ({key}): {error}{advice}");
        Fatal::new(Code::Unavailable, sentence)
    })
}

/// Notes a mistake when a listener without TLS is reachable from beyond loopback and the section
/// of `key` has no `insecure = true` (design 4). Returns the warning for log and readiness
/// when it is reachable with that consent.
pub fn check_exposure(
    document: &mut Document,
    key: &str,
    address: SocketAddr,
    insecure: bool,
) -> Option<String> {
    if address.ip().to_canonical().is_loopback() {
        return None;
    }
    if insecure {
        return Some(format!("{key} listens on {address} without TLS"));
    }
    let section = key.split_once('.').map_or("", |(section, _)| section);
    let sentence = format!(
        "{address} is reachable from beyond this machine without TLS; configure TLS, or accept it \
         with `insecure = true` in [{section}]"
    );
    document.error_at(key, sentence);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn exposure(address: &str, insecure: bool) -> (Option<String>, Option<String>) {
        let mut document = Document::load(None, Environment::default());
        let address = address.parse().expect("an address");
        let warning = check_exposure(&mut document, "storage.data_listen", address, insecure);
        (
            warning,
            document.finish().err().map(|errors| errors.to_string()),
        )
    }

    #[test]
    fn loopback_needs_no_consent() {
        for address in [
            "127.0.0.1:7400",
            "[::1]:7400",
            "127.8.0.1:1",
            "[::ffff:127.0.0.1]:1",
        ] {
            assert_eq!(exposure(address, false), (None, None), "{address}");
        }
    }

    #[test]
    fn beyond_loopback_consent_turns_the_mistake_into_a_warning() {
        let warning = "storage.data_listen listens on 0.0.0.0:7400 without TLS";
        assert_eq!(
            exposure("0.0.0.0:7400", true),
            (Some(warning.to_owned()), None)
        );
        let mistake = "defaults: storage.data_listen: 0.0.0.0:7400 is reachable from beyond this \
                       machine without TLS; configure TLS, or accept it with `insecure = true` in \
                       [storage]";
        assert_eq!(
            exposure("0.0.0.0:7400", false),
            (None, Some(mistake.to_owned()))
        );
    }

    #[test]
    fn a_busy_port_is_a_sentence_with_the_key() {
        let first = tcp("sip-edge.admin_listen", ([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = first.local_addr().expect("bound");
        let fatal = tcp("sip-edge.admin_listen", address).expect_err("taken");
        assert_eq!(fatal.code, Code::Unavailable);
        let start = format!("cannot listen on {address} (sip-edge.admin_listen): ");
        assert!(fatal.sentence.starts_with(&start), "{fatal}");
        assert!(
            fatal.sentence.ends_with("; another process listens there"),
            "{fatal}"
        );
    }
}
