//! Which transports and services of a domain may be asked for (RFC 3263 §4.1).

use sip::{Host, SipUri, Transport};

use super::{Naptr, ResolveError, Sending};

/// A name that may have SRV records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) transport: Transport,
    pub(super) name: String,
}

/// A server before its addresses are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) transport: Transport,
    pub(super) host: Host,
    pub(super) port: u16,
}

/// What a URI leaves to the records of its domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing but the addresses of its host: the host is an address, or a port is written.
    Host,
    /// The servers: the URI names the transport.
    Service(Service),
    /// Transport and servers of this domain.
    Domain(String),
}

impl Plan {
    /// RFC 3263 §4.1 and §4.2 as far as they depend on the URI alone.
    pub(super) fn of(uri: &SipUri) -> Result<Self, ResolveError> {
        let asked = asked_transport(uri)?;
        Ok(match (&uri.host, asked) {
            (Host::Name(_), _) if uri.port.is_some() => Self::Host,
            (Host::Name(name), Some(transport)) => Self::Service(Service::of(transport, name)),
            (Host::Name(name), None) => Self::Domain(name.clone()),
            (Host::V4(_) | Host::V6(_), _) => Self::Host,
        })
    }
}

impl Service {
    /// The service a domain has without NAPTR records.
    fn of(transport: Transport, domain: &str) -> Self {
        let label = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
        };
        Self {
            transport,
            name: format!("{label}.{domain}"),
        }
    }
}

/// The host of the URI itself, for each transport that may be used without asking the domain.
pub(super) fn servers(uri: &SipUri, sending: &Sending<'_>) -> Result<Vec<Server>, ResolveError> {
    let transports = match asked_transport(uri)? {
        Some(transport) => vec![transport],
        None if uri.secure => vec![Transport::Tls],
        // UDP stays as the way out where nobody listens on TCP (RFC 3261 §18.1.1).
        None if sending.is_large => vec![Transport::Tcp, Transport::Udp],
        None => vec![Transport::Udp],
    };
    let server = |transport: Transport| Server {
        transport,
        host: uri.host.clone(),
        port: uri.port.unwrap_or(transport.default_port()),
    };
    Ok(transports.into_iter().map(server).collect())
}

/// The transport a `transport` parameter means. A sips URI never leaves TLS (RFC 3261 §26.2.2), and a transport we do
/// not speak is not replaced by one the URI did not ask for.
fn asked_transport(uri: &SipUri) -> Result<Option<Transport>, ResolveError> {
    let Some(token) = uri.params.value("transport") else {
        return Ok(None);
    };
    match token.parse() {
        Ok(Transport::Udp) if uri.secure => Err(ResolveError::Transport),
        Ok(Transport::Tcp) if uri.secure => Ok(Some(Transport::Tls)),
        Ok(transport) => Ok(Some(transport)),
        Err(_) => Err(ResolveError::Transport),
    }
}

/// The services that the NAPTR records of a domain offer us, in their order; without any, those a domain may have
/// without such records.
pub(super) fn services(
    domain: &str,
    records: &[Naptr],
    is_secure: bool,
    sending: &Sending<'_>,
) -> Vec<Service> {
    let usable = |transport| {
        sending.transports.contains(&transport) && (!is_secure || transport == Transport::Tls)
    };
    let mut offers: Vec<_> = records.iter().filter_map(offer).collect();
    offers.retain(|(_, service)| usable(service.transport));
    offers.sort_by_key(|(record, _)| (record.order, record.preference));
    if offers.is_empty() {
        return usual_services(domain, is_secure, sending);
    }
    if !sending.is_large {
        return lowest_order(offers);
    }
    let (streams, datagrams) = offers
        .into_iter()
        .partition(|(_, service)| service.transport.is_reliable());
    let mut services = lowest_order(streams);
    services.extend(lowest_order(datagrams));
    services
}

/// What a record offers, if it is one of SIP's (RFC 3263 §4.1) and of a transport we know.
fn offer(record: &Naptr) -> Option<(&Naptr, Service)> {
    let transport = match record.services.to_ascii_uppercase().as_str() {
        "SIP+D2U" => Transport::Udp,
        "SIP+D2T" => Transport::Tcp,
        "SIPS+D2T" => Transport::Tls,
        _ => return None,
    };
    let is_terminal = record.flags.eq_ignore_ascii_case("s") && record.regexp.is_empty();
    let has_name = !matches!(record.replacement.as_str(), "" | ".");
    let name = record.replacement.clone();
    (is_terminal && has_name).then_some((record, Service { transport, name }))
}

/// Once a record matches, those of a higher order do not count (RFC 3403 §4.1): a failure over TLS does not lead to a
/// transport in clear that the domain puts behind it.
fn lowest_order(offers: Vec<(&Naptr, Service)>) -> Vec<Service> {
    let order = offers.first().map(|(record, _)| record.order);
    offers
        .into_iter()
        .take_while(|(record, _)| Some(record.order) == order)
        .map(|(_, service)| service)
        .collect()
}

/// `_sip` with each of our transports for a sip URI, `_sips` for a sips URI (RFC 3263 §4.1).
fn usual_services(domain: &str, is_secure: bool, sending: &Sending<'_>) -> Vec<Service> {
    let candidates: &[Transport] = match (is_secure, sending.is_large) {
        (true, _) => &[Transport::Tls],
        (false, true) => &[Transport::Tcp, Transport::Udp],
        (false, false) => &[Transport::Udp, Transport::Tcp],
    };
    candidates
        .iter()
        .filter(|transport| sending.transports.contains(transport))
        .map(|transport| Service::of(*transport, domain))
        .collect()
}
