//! The top Via of what arrives: where it came from and where its response goes.

use std::net::SocketAddr;

use sip::{Host, Name, Request, Transport, Via};

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

/// The request with `received` and `rport` noted in its top Via (RFC 3261 §18.2.1, RFC 3581 §4); none if there is
/// nothing to note. All other lines keep their bytes.
pub(crate) fn note_source(request: &Request, mut top: Via, source: SocketAddr) -> Option<Request> {
    if !top.note_source(source) {
        return None;
    }
    let line = request.headers().first(Name::Via)?.value();
    let values: Vec<_> = request
        .headers()
        .values(Name::Via)
        .map(|value| value.into_owned())
        .collect();
    if values.first().is_some_and(|first| *first == line) {
        return Some(request.edit().replace_first(Name::Via, top).build());
    }
    // Several values share the first line: each gets its own.
    let editor = request.edit().remove(Name::Via);
    let older = values.iter().skip(1).rev();
    Some(
        older
            .fold(editor, |editor, via| editor.prepend(Name::Via, via))
            .prepend(Name::Via, top)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::{Message, parse_datagram};

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

    #[test]
    fn source_is_noted_in_the_first_value_of_a_shared_line() {
        let text = "OPTIONS sip:b@example.org SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK2, \
                    SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\nSubject: x\r\n\r\n";
        let Message::Request(request) =
            parse_datagram(text.into(), &sip::Limits::default()).unwrap()
        else {
            panic!("a request")
        };
        let top = request.headers().top_via().unwrap().unwrap();
        let noted = note_source(&request, top, source()).unwrap();
        let vias = noted.headers().vias().unwrap();
        assert_eq!(vias[0].rport(), Some(40000));
        assert_eq!(vias[0].received(), Some(Host::from(source().ip())));
        assert_eq!(vias[1].branch(), Some("z9hG4bK1"));
        assert_eq!(vias.len(), 2);
    }
}
