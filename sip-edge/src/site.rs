//! What this edge is and serves, as the pure decisions need it.

use std::ops::Deref;

use crate::config::Config;
use crate::im_tag::ImTags;
use crate::ingress::profile::PROFILE;

/// The facts of one participating edge: those of every edge, and its own. Nothing here changes while
/// it runs.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    facts: edge::site::Site,
    /// Whether clients may register here (REG-02).
    pub(crate) is_registrar: bool,
    /// Largest body of a MESSAGE, in octets.
    pub(crate) message_body_octets: usize,
    /// What makes a registration that of an IM client.
    pub(crate) im_tags: ImTags,
}

impl Site {
    /// Derives the facts; `None` if the configuration has contradictions (they are reported by
    /// [`Config::contradictions`]).
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let settings = (&config.common, &config.sip, &config.trust);
        let next_hop = config.sip.next_hop().ok()?;
        Some(Self {
            facts: edge::site::Site::new(&config.listening(), settings, next_hop, &PROFILE)?,
            is_registrar: config.is_registrar(),
            message_body_octets: config.limits.message_body.as_usize(),
            im_tags: ImTags::new(&config.registrar.im_tags),
        })
    }
}

impl Deref for Site {
    type Target = edge::site::Site;

    fn deref(&self) -> &Self::Target {
        &self.facts
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
