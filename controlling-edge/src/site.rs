//! What this edge is and serves, as the pure decisions need it.

use std::ops::Deref;

use crate::config::Config;
use crate::ingress::profile::PROFILE;

/// The facts of one controlling edge: those of every edge, and its own. Nothing here changes while it runs.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    facts: edge::site::Site,
    /// User part of the factory URI, to which a message with a list of its recipients goes.
    pub(crate) factory: String,
    /// Whether such messages are taken (CFP-01).
    pub(crate) takes_lists: bool,
    /// Whether their sender may be anonymous (CFP-04).
    pub(crate) allows_anonymity: bool,
    /// Whether they may go to domains we do not serve (CFP-21).
    pub(crate) foreign_recipients: bool,
    /// What the user parts of groups begin with that users make.
    pub(crate) group_prefix: String,
    /// Most recipients of such a message.
    pub(crate) recipients_max: usize,
    /// Largest body of a MESSAGE, in octets, without its list of recipients.
    pub(crate) message_body_octets: usize,
}

impl Site {
    /// Derives the facts; `None` if the configuration has contradictions, which are reported by
    /// [`Config::contradictions`].
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let settings = (&config.common, &config.sip, &config.trust);
        let next_hop = config.sip.next_hop().ok()?;
        Some(Self {
            facts: edge::site::Site::new(&config.listening(), settings, next_hop, &PROFILE)?,
            factory: config.cf.factory.clone(),
            takes_lists: config.cf.lists,
            allows_anonymity: config.cf.allow_anonymity,
            foreign_recipients: config.cf.foreign_recipients,
            group_prefix: config.cf.group_prefix.clone(),
            recipients_max: usize::try_from(config.cf.max_adhoc_group_size).unwrap_or(usize::MAX),
            message_body_octets: config.limits.message_body.as_usize(),
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

    /// `cf1.im.example.org`, serving `example.org` and `example.net` behind `scscf1.example.org`.
    pub(crate) fn cf1() -> Site {
        let mut config = Config::default();
        config.process.advertised_host = Some("cf1.im.example.org".to_owned());
        config.sip.next_hop = Some("sip:scscf1.example.org;transport=tcp".to_owned());
        config.sip.store_identity = Some("sip:im-store@df1.im.example.org".to_owned());
        Site::new(&config).expect("no contradictions")
    }

    /// An edge that sends copies straight to where the recipients' domains are.
    pub(crate) fn laptop() -> Site {
        Site::new(&Config::default()).expect("no contradictions")
    }
}
