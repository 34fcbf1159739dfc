//! How this edge signs what it sends: product, store identity, warnings (SRV-01, PFM-04).

use crate::profile::Profile;
use sip::{Host, NameAddr, SipUri, Transport, Uri};

/// Version written behind the product's name.
const PRODUCT: &str = concat!("Restante/", env!("CARGO_PKG_VERSION"));

/// Names of this edge in the messages it makes.
#[derive(Debug, Clone)]
pub struct Signature {
    product: String,
    store_identity: NameAddr,
    host: Host,
    profile: &'static Profile,
}

impl Signature {
    /// `release` is the first token of Server and User-Agent, `host` the advertised host.
    #[must_use]
    pub fn new(
        release: &str,
        store_identity: SipUri,
        host: Host,
        profile: &'static Profile,
    ) -> Self {
        Self {
            product: format!("{release} {PRODUCT}"),
            store_identity: NameAddr::new(store_identity.into()),
            host,
            profile,
        }
    }

    /// Value of Server and User-Agent.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// The store as it asserts itself; prints in angle brackets.
    pub fn store_identity(&self) -> &NameAddr {
        &self.store_identity
    }

    /// The store as chat clients of RCS know one (requirements 4.6).
    #[must_use]
    pub fn standfw_identity(&self) -> NameAddr {
        let mut identity = self.store_identity.clone();
        if let Uri::Sip(uri) = &mut identity.uri {
            uri.user = Some("rcse-standfw".to_owned());
        }
        identity
    }

    /// The advertised host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What it says of itself.
    #[must_use]
    pub fn profile(&self) -> &'static Profile {
        self.profile
    }

    /// URI under which a peer reaches this edge over one transport, for Contact (DLV-10). `secure` where the request
    /// goes to a sips URI: then the Contact is one too (RFC 3261 §8.1.1.8), which means TLS without saying so.
    pub fn contact(&self, sent_by: &str, transport: Transport, secure: bool) -> String {
        let user = self
            .store_identity
            .uri
            .as_sip()
            .and_then(|uri| uri.user.as_deref());
        let user = user.map(|user| format!("{user}@")).unwrap_or_default();
        if secure {
            return format!("sips:{user}{sent_by}");
        }
        format!(
            "sip:{user}{sent_by};transport={}",
            transport.as_str().to_ascii_lowercase()
        )
    }

    /// Value of a Contact with this URI: what we are in a session.
    #[must_use]
    pub fn session_contact(&self, uri: &str) -> String {
        format!("<{uri}>{}", self.profile.contact_params)
    }

    /// Value of a Warning header with code 399 (RFC 3261 §20.43). `text` holds no quotes.
    pub fn warning(&self, text: &str) -> String {
        format!("399 {} \"{text}\"", self.host)
    }
}
