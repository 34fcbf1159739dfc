//! What both edges are told: the sections they share, and what is derived from them.

mod listening;
mod sections;
mod storage;
mod tls;

use sip::{Host, HostPort, SipUri, Uri};

pub use listening::Listening;
pub use sections::{
    Common, Large, Limits, Msrp, RequireReport, Sip, StorageClient, Tls, Trust, VerifyPeers, Xcap,
};
pub use storage::StoreAccess;

/// Whether a rule holds, the key to mend if it does not, and the sentence that says so.
pub type Rule = (bool, &'static str, &'static str);

impl Sip {
    /// The core that gets all requests of ours, if there is one.
    ///
    /// # Errors
    /// With the text that is no sip URI.
    pub fn next_hop(&self) -> Result<Option<SipUri>, String> {
        sip_uri(self.next_hop.as_deref())
    }

    /// By what the store asserts itself in requests and answers (PFM-04, DLV-10); `None` if what is
    /// written is no sip URI.
    #[must_use]
    pub fn store_identity(&self, advertised_host: &Host) -> Option<SipUri> {
        let Some(text) = &self.store_identity else {
            let mut uri = SipUri::new(advertised_host.clone());
            uri.user = Some("im-store".to_owned());
            return Some(uri);
        };
        match text.parse() {
            Ok(Uri::Sip(uri)) => Some(uri),
            _ => None,
        }
    }

    /// Whether `sip.contact` is written as it can stand in a URI: a host, or a host and a port.
    #[must_use]
    pub fn has_sound_contact(&self) -> bool {
        let is_sound = |text: &String| {
            let shared = text.parse::<HostPort>();
            shared.is_ok_and(|shared| shared.to_string() == *text)
        };
        self.contact.as_ref().is_none_or(is_sound)
    }
}

impl Xcap {
    /// What a root must be.
    #[must_use]
    pub fn rule(&self) -> Rule {
        (
            self.root.starts_with('/'),
            "xcap.root",
            "must be a path from the root: `/`, `/xcap`",
        )
    }
}

/// A sip or sips URI, if one is written.
///
/// # Errors
/// With the text that is none.
pub fn sip_uri(text: Option<&str>) -> Result<Option<SipUri>, String> {
    let Some(text) = text else {
        return Ok(None);
    };
    match text.parse() {
        Ok(Uri::Sip(uri)) => Ok(Some(uri)),
        _ => Err(text.to_owned()),
    }
}
