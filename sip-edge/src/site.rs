//! What this edge is and serves, as the pure decisions need it: domains, own hosts, own names.

use sip::{Aor, Host, SipUri, Uri};

use crate::config::Config;
use crate::im_tag::ImTags;
use crate::signature::Signature;

/// The facts of one edge. Nothing here changes while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    /// How it signs.
    pub(crate) signature: Signature,
    /// The core, if requests go there.
    pub(crate) next_hop: Option<SipUri>,
    /// Whether clients may register here (REG-02).
    pub(crate) is_registrar: bool,
    /// Whether a message without an asserted sender is refused (3.8).
    pub(crate) requires_identity: bool,
    /// Largest body of a MESSAGE, in octets.
    pub(crate) message_body_octets: usize,
    /// What makes a registration that of an IM client.
    pub(crate) im_tags: ImTags,
    store_address: Option<Aor>,
    domains: Vec<String>,
    hosts: Vec<Host>,
}

impl Site {
    /// Derives the facts; `None` if the configuration has contradictions (they are reported by
    /// [`Config::contradictions`]).
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let host = config.advertised_host()?;
        let store_identity = config.store_identity()?;
        let mut hosts: Vec<_> = config
            .listeners()
            .map(|(_, address)| address.ip().into())
            .collect();
        hosts.push(host.clone());
        Some(Self {
            store_address: Aor::from_uri(&store_identity.clone().into()),
            signature: Signature::new(&config.sip.release, store_identity, host),
            next_hop: config.next_hop().ok()?,
            is_registrar: config.is_registrar(),
            requires_identity: config.trust.require_asserted_identity,
            message_body_octets: config.limits.message_body.as_usize(),
            im_tags: ImTags::new(&config.registrar.im_tags),
            domains: config
                .common
                .domains
                .iter()
                .map(|domain| domain.to_ascii_lowercase())
                .collect(),
            hosts,
        })
    }

    /// Whether the address is one of a user we serve: of a served domain, or a telephone number,
    /// which only the store can place.
    pub(crate) fn serves(&self, address: &Aor) -> bool {
        address
            .domain()
            .is_none_or(|domain| self.domains.iter().any(|served| served == domain))
    }

    /// Whether a request to this URI is for us and not to be passed on (ERR-05).
    pub(crate) fn is_target(&self, uri: &Uri) -> bool {
        match uri {
            Uri::Sip(uri) if self.hosts.contains(&uri.host) => true,
            uri => Aor::from_uri(uri).is_some_and(|address| self.serves(&address)),
        }
    }

    /// Whether a Route entry names this edge.
    pub(crate) fn is_own(&self, uri: &Uri) -> bool {
        uri.as_sip()
            .is_some_and(|uri| self.hosts.contains(&uri.host))
    }

    /// Whether the address is that by which the store asserts itself.
    pub(crate) fn is_store(&self, address: &Aor) -> bool {
        self.store_address.as_ref() == Some(address)
    }
}

#[cfg(test)]
pub(crate) mod fixture {
    //! The edge of the examples in the requirements.

    use super::*;

    /// `df1.im.example.org`, serving `example.org` behind `scscf1.example.org`.
    pub(crate) fn df1() -> Site {
        let mut config = Config::default();
        config.process.advertised_host = Some("df1.im.example.org".to_owned());
        config.sip.next_hop = Some("sip:scscf1.example.org;transport=tcp".to_owned());
        Site::new(&config).expect("no contradictions")
    }

    /// An edge to which clients speak directly.
    pub(crate) fn laptop() -> Site {
        Site::new(&Config::default()).expect("no contradictions")
    }
}
