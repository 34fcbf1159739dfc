//! The top Via of what arrives: where it came from and where its response goes.

use std::net::SocketAddr;

use sip::{Host, Transport, Via};

/// Where a response goes if not back on a connection (RFC 3261 §18.2.2, RFC 3581 §4): to `maddr`; else to the source
/// address, at the source port if the sender asked with `rport`, at the sent-by port if not.
pub(crate) fn response_destination(top: &Via, source: SocketAddr) -> SocketAddr {
    let transport = top.transport.parse().unwrap_or(Transport::Udp);
    let port = top.sent_by.port.unwrap_or(transport.default_port());
    let maddr = top
        .params
        .value("maddr")
        .and_then(|maddr| maddr.parse::<Host>().ok());
    match maddr.and_then(|host| host.address()) {
        Some(address) if !address.is_multicast() => SocketAddr::new(address, port),
        _ if top.params.has("rport") => source,
        _ => SocketAddr::new(source.ip(), port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(text: &str) -> Via {
        text.parse().unwrap()
    }

    fn source() -> SocketAddr {
        "192.0.2.9:40000".parse().unwrap()
    }

    #[test]
    fn response_goes_to_the_source_port_only_on_request() {
        let asked = via("SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK1");
        assert_eq!(response_destination(&asked, source()), source());
        let silent = via("SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1");
        assert_eq!(
            response_destination(&silent, source()),
            "192.0.2.9:5062".parse().unwrap()
        );
        let bare = via("SIP/2.0/UDP host.example.org;branch=z9hG4bK1");
        assert_eq!(
            response_destination(&bare, source()),
            "192.0.2.9:5060".parse().unwrap()
        );
    }

    #[test]
    fn maddr_wins_unless_it_is_multicast() {
        let maddr = via("SIP/2.0/UDP 10.0.0.1;maddr=192.0.2.77;branch=z9hG4bK1");
        assert_eq!(
            response_destination(&maddr, source()),
            "192.0.2.77:5060".parse().unwrap()
        );
        let multicast = via("SIP/2.0/UDP 10.0.0.1;maddr=224.0.1.75;branch=z9hG4bK1");
        assert_eq!(
            response_destination(&multicast, source()),
            "192.0.2.9:5060".parse().unwrap()
        );
    }
}
