//! Which Contact belongs to an IM client (DLV-02, requirements §2.13 and §4.1).

use sip::NameAddr;

/// Where the name of the service begins in an IMS communication service identifier
/// (3GPP TS 24.229 §7.2A.8.2).
const ICSI_MARK: &str = "ims.icsi.";

/// A feature tag, or a family of services within a feature tag that lists services.
#[derive(Debug, Clone, PartialEq, Eq)]
struct ImTag {
    name: String,
    service: Option<String>,
}

impl ImTag {
    /// Reads `+g.oma.sip-im` or `+g.3gpp.icsi-ref=oma.cpm`.
    fn new(text: &str) -> Self {
        let (name, service) = match text.split_once('=') {
            Some((name, service)) => (name, Some(service.trim().to_ascii_lowercase())),
            None => (text, None),
        };
        Self {
            name: name.trim().to_owned(),
            service,
        }
    }

    fn is_on(&self, contact: &NameAddr) -> bool {
        if !contact.has_feature_tag(&self.name) {
            return false;
        }
        let Some(family) = &self.service else {
            return true;
        };
        let listed = contact
            .params
            .value(&self.name)
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut services = listed
            .split(',')
            .filter_map(|icsi| icsi.split_once(ICSI_MARK));
        services.any(|(_, service)| is_of_family(service.trim(), family))
    }
}

/// `oma.cpm.msg` and `oma.cpm` itself are of the family `oma.cpm`, `oma.cpmx` is not.
fn is_of_family(service: &str, family: &str) -> bool {
    let below = service.strip_prefix(family);
    below.is_some_and(|below| below.is_empty() || below.starts_with('.'))
}

/// The feature tags of which any one makes a registration that of an IM client.
#[derive(Debug, Clone)]
pub(crate) struct ImTags(Vec<ImTag>);

impl ImTags {
    /// From the configured texts.
    pub(crate) fn new(texts: &[String]) -> Self {
        Self(texts.iter().map(|text| ImTag::new(text)).collect())
    }

    /// Whether the Contact carries one.
    pub(crate) fn are_on(&self, contact: &NameAddr) -> bool {
        self.0.iter().any(|tag| tag.is_on(contact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Registrar;

    #[test]
    fn tags_are_recognised_in_every_spelling_and_nothing_else_is() {
        let tags = ImTags::new(&Registrar::default().im_tags);
        let cpm = "urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.msg";
        let mmtel = "urn%3Aurn-7%3A3gpp-service.ims.icsi.mmtel";
        let table = [
            ("<sip:b@h>;+g.oma.sip-im".to_owned(), true),
            ("<sip:b@h>;+G.OMA.SIP-IM;expires=3600".to_owned(), true),
            ("<sip:b@h>;+g.oma.sip-im=\"FALSE\"".to_owned(), false),
            ("<sip:b@h>;+g.oma.sip-im.large-message".to_owned(), true),
            (
                format!("<sip:b@h>;+g.3gpp.icsi-ref=\"{mmtel},{cpm}\""),
                true,
            ),
            (format!("<sip:b@h>;+g.3gpp.icsi-ref=\"{mmtel}\""), false),
            (
                format!(
                    "<sip:b@h>;+g.3gpp.icsi-ref=\"{}\"",
                    cpm.replace("cpm.msg", "cpmx")
                ),
                false,
            ),
            ("<sip:b@h>;audio".to_owned(), false),
            ("<sip:b@h;+g.oma.sip-im>".to_owned(), false),
        ];
        for (contact, expected) in table {
            let parsed: NameAddr = contact.parse().expect("a contact");
            assert_eq!(tags.are_on(&parsed), expected, "{contact}");
        }
    }
}
