//! Loopback addresses.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A network of 256 addresses, `127.x.y.0/24` drawn at random. On addresses of its own a deployment meets nobody: a port
/// that was free when it first started is free when it starts again.
#[derive(Clone, Copy, Debug)]
pub struct LoopbackNet {
    octets: [u8; 3],
}

impl LoopbackNet {
    /// Host of the processes under test.
    pub const SERVER: u8 = 1;
    /// Host of the core, a trusted peer.
    pub const CORE: u8 = 2;
    /// Host of somebody nobody trusts.
    pub const STRANGER: u8 = 99;

    /// A network nobody else has, as far as chance goes; never that of 127.0.0.1.
    pub fn draw() -> Self {
        Self {
            octets: [127, rand::random_range(1..=254), rand::random()],
        }
    }

    /// That of an address.
    ///
    /// # Panics
    /// When it is one of IPv6.
    pub fn around(address: IpAddr) -> Self {
        let IpAddr::V4(address) = address else {
            panic!("{address} is no IPv4 address");
        };
        let [a, b, c, _] = address.octets();
        Self { octets: [a, b, c] }
    }

    /// One address of the network.
    pub fn host(self, host: u8) -> IpAddr {
        let [a, b, c] = self.octets;
        Ipv4Addr::new(a, b, c, host).into()
    }

    /// A port of that address, to be chosen by the system.
    pub fn any_port(self, host: u8) -> SocketAddr {
        SocketAddr::new(self.host(host), 0)
    }
}
