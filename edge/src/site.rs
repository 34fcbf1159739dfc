//! What an edge is and serves, as the pure decisions need it: domains, own hosts, own names.

use sip::{Aor, Host, SipUri, Uri};

use crate::config::{Common, Listening, Sip, Trust};
use crate::profile::Profile;
use crate::signature::Signature;

/// The facts of one edge. Nothing here changes while it runs.
#[derive(Debug, Clone)]
pub struct Site {
    /// How it signs.
    pub signature: Signature,
    /// The core, if requests go there.
    pub next_hop: Option<SipUri>,
    /// Whether a message without an asserted sender is refused (3.8).
    pub requires_identity: bool,
    store_addresses: [Option<Aor>; 2],
    domains: Vec<String>,
    hosts: Vec<Host>,
}

impl Site {
    /// Derives the facts; `None` if the configuration has contradictions, which the edge reports when
    /// it reads it.
    #[must_use]
    pub fn new(
        listening: &Listening<'_>,
        (common, sip, trust): (&Common, &Sip, &Trust),
        next_hop: Option<SipUri>,
        profile: &'static Profile,
    ) -> Option<Self> {
        let host = listening.advertised_host()?;
        let store_identity = sip.store_identity(&host)?;
        let mut hosts: Vec<_> = listening
            .sip()
            .map(|(_, address)| address.ip().into())
            .collect();
        hosts.push(host.clone());
        let signature = Signature::new(&sip.release, store_identity, host, profile);
        let store = [
            signature.store_identity().clone(),
            signature.standfw_identity(),
        ];
        Some(Self {
            store_addresses: store.map(|identity| Aor::from_uri(&identity.uri)),
            signature,
            next_hop,
            requires_identity: trust.require_asserted_identity,
            domains: common
                .domains
                .iter()
                .map(|domain| domain.to_ascii_lowercase())
                .collect(),
            hosts,
        })
    }

    /// Whether the address is one of a user we serve: of a served domain, or a telephone number,
    /// which only the store can place.
    #[must_use]
    pub fn serves(&self, address: &Aor) -> bool {
        address
            .domain()
            .is_none_or(|domain| self.domains.iter().any(|served| served == domain))
    }

    /// Whether a request to this URI is for us and not to be passed on (ERR-05).
    #[must_use]
    pub fn is_target(&self, uri: &Uri) -> bool {
        match uri {
            Uri::Sip(uri) if self.hosts.contains(&uri.host) => true,
            uri => Aor::from_uri(uri).is_some_and(|address| self.serves(&address)),
        }
    }

    /// Whether a Route entry names this edge.
    #[must_use]
    pub fn is_own(&self, uri: &Uri) -> bool {
        uri.as_sip()
            .is_some_and(|uri| self.hosts.contains(&uri.host))
    }

    /// Whether credentials of this realm are for us: it is a domain that we serve, or a host of ours.
    #[must_use]
    pub fn is_own_realm(&self, realm: &str) -> bool {
        let is_domain = self
            .domains
            .iter()
            .any(|domain| domain.eq_ignore_ascii_case(realm));
        is_domain || realm.parse().is_ok_and(|host| self.hosts.contains(&host))
    }

    /// Whether the address is one by which the store asserts itself.
    #[must_use]
    pub fn is_store(&self, address: &Aor) -> bool {
        let mut own = self.store_addresses.iter().flatten();
        own.any(|own| own == address)
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! The edge of the examples in the requirements.

    use sip::Method;

    use super::*;
    use crate::mark::Mark;
    use crate::profile::Treatment;

    static PROFILE: Profile = Profile {
        allow: "MESSAGE, OPTIONS",
        accept: "*/*",
        extensions: &["path", "timer"],
        contact_params: ";automata;+g.oma.sip-im",
        event_packages: &[],
        treatment: |method| match method {
            Method::Bye | Method::Cancel | Method::Update | Method::Notify | Method::Ack => {
                Treatment::DialogOnly
            }
            Method::Info | Method::Refer => Treatment::NotAllowed,
            Method::Other(_) => Treatment::Unknown,
            _ => Treatment::Served,
        },
        refuses: Mark::Delivery,
    };

    fn site(host: Option<&str>, next_hop: Option<&str>) -> Site {
        let loopback = ["127.0.0.1:5060".parse().expect("an address")];
        let listening = Listening {
            udp: &loopback,
            tcp: &[],
            tls: &[],
            advertised_host: host,
        };
        let settings = (&Common::default(), &Sip::default(), &Trust::default());
        let next_hop = next_hop.map(|uri| uri.parse::<Uri>().expect("a URI"));
        let next_hop = next_hop.and_then(|uri| uri.as_sip().cloned());
        Site::new(&listening, settings, next_hop, &PROFILE).expect("no contradictions")
    }

    /// `df1.im.example.org`, serving `example.org` behind `scscf1.example.org`.
    pub(crate) fn df1() -> Site {
        site(
            Some("df1.im.example.org"),
            Some("sip:scscf1.example.org;transport=tcp"),
        )
    }

    /// An edge to which clients speak directly.
    pub(crate) fn laptop() -> Site {
        site(None, None)
    }
}
