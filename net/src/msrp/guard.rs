//! Where we may connect to: a peer's path is a request to connect anywhere (MSR-04).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::IpNet;

/// Ports below this belong to services that are not MSRP.
const LOWEST_PORT: u16 = 1024;

/// Judges the addresses that peers name.
#[derive(Debug, Clone)]
pub(super) struct AddressGuard {
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
    own_listeners: Vec<SocketAddr>,
}

impl AddressGuard {
    pub(super) fn new(
        allow: Vec<IpNet>,
        deny: Vec<IpNet>,
        own_listeners: Vec<SocketAddr>,
    ) -> AddressGuard {
        AddressGuard {
            allow,
            deny,
            own_listeners,
        }
    }

    /// Whether we connect there. Networks that are allowed by name overrule everything else.
    pub(super) fn permits(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        if self.allow.iter().any(|network| network.contains(&ip)) {
            return true;
        }
        address.port() >= LOWEST_PORT
            && !is_never_a_peer(ip)
            && !self.deny.iter().any(|network| network.contains(&ip))
            && !self.is_own(SocketAddr::new(ip, address.port()))
    }

    fn is_own(&self, address: SocketAddr) -> bool {
        self.own_listeners.iter().any(|own| {
            own.port() == address.port()
                && match own.ip().is_unspecified() {
                    true => is_of_this_host(address.ip()),
                    false => own.ip().to_canonical() == address.ip(),
                }
        })
    }
}

/// Whether an address is one of this host: to reach it the system takes it as the source too. Nothing
/// is sent.
fn is_of_this_host(ip: IpAddr) -> bool {
    let any: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let source = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((ip, LOWEST_PORT))?;
        socket.local_addr()
    });
    source.is_ok_and(|source| source.ip() == ip)
}

fn is_never_a_peer(ip: IpAddr) -> bool {
    if ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() {
        return true;
    }
    match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(allow: &[&str], deny: &[&str]) -> AddressGuard {
        let networks = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let own = vec!["192.0.2.20:2855".parse().unwrap()];
        AddressGuard::new(networks(allow), networks(deny), own)
    }

    #[test]
    fn forbidden_targets_are_refused() {
        let guard = guard(&[], &["198.51.100.0/24"]);
        for target in [
            "127.0.0.1:2855",
            "[::1]:2855",
            "[::ffff:127.0.0.1]:2855",
            "0.0.0.0:2855",
            "0.1.2.3:2855",
            "169.254.169.254:8080",
            "[fe80::1]:2855",
            "224.0.0.1:2855",
            "255.255.255.255:2855",
            "[ff02::1]:2855",
            "192.0.2.20:2855",
            "[::ffff:192.0.2.20]:2855",
            "203.0.113.9:22",
            "198.51.100.7:7394",
        ] {
            assert!(!guard.permits(target.parse().unwrap()), "{target}");
        }
    }

    #[test]
    fn ordinary_targets_are_permitted() {
        let guard = guard(&[], &[]);
        for target in ["203.0.113.9:49200", "[2001:db8::9]:2855", "192.0.2.20:2856"] {
            assert!(guard.permits(target.parse().unwrap()), "{target}");
        }
    }

    #[test]
    fn a_listener_on_all_addresses_forbids_its_port_on_this_host_only() {
        let own = vec!["0.0.0.0:2855".parse().unwrap()];
        let guard = AddressGuard::new(Vec::new(), Vec::new(), own);
        assert!(guard.permits("203.0.113.9:2855".parse().unwrap()));
        assert!(is_of_this_host("127.0.0.1".parse().unwrap()));
        assert!(!is_of_this_host("203.0.113.9".parse().unwrap()));
    }

    #[test]
    fn allowed_networks_overrule_every_ban() {
        let guard = guard(&["127.0.0.0/8"], &["127.0.0.0/8"]);
        assert!(guard.permits("127.0.0.1:22".parse().unwrap()));
        assert!(!guard.permits("[::1]:2855".parse().unwrap()));
    }
}
