//! Composing PUBLISH requests of service settings (requirements §1.15, RFC 3903).

use rand::rngs::StdRng;
use sip::{Method, Name, Request, SipDate};
use xcap::poc_settings::{self, Entity, MEDIA_TYPE, Names, Setting};

use crate::Account;
use crate::envelope::{Envelope, RequestIds};

/// What a client publishes of its user's settings.
#[derive(Clone, Debug)]
pub struct Publication {
    /// `id` of the entity: of this client, the same in every publication of it.
    pub entity: String,
    /// What is said; nothing refreshes or removes what was said before.
    pub said: Vec<(Setting, bool)>,
    /// Tag of the publication that this one continues.
    pub entity_tag: Option<String>,
    /// Lifetime in seconds; zero removes.
    pub expires: u32,
    /// Whether the identity is asserted, as a core does, instead of preferred.
    pub asserted: bool,
}

/// What the server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// To continue this publication by.
    pub entity_tag: String,
    /// For how many seconds it holds.
    pub expires: u32,
}

impl Publication {
    /// The PUBLISH request without its Via, to the user's own address (SET-02).
    #[must_use]
    pub fn request(
        &self,
        account: &Account,
        host: &str,
        now: SipDate,
        rng: &mut StdRng,
    ) -> Request {
        let ids = RequestIds::new(host, rng);
        let mut envelope = Envelope::to(account.user.clone());
        envelope.asserted = self.asserted;
        let mut builder = envelope
            .request(Method::Publish, account, &ids, now)
            .header(Name::Event, "poc-settings")
            .header(Name::Expires, self.expires);
        if let Some(tag) = &self.entity_tag {
            builder = builder.header(Name::SipIfMatch, tag);
        }
        if self.said.is_empty() {
            return builder.build();
        }
        let entity = Entity {
            id: self.entity.clone(),
            said: self.said.clone(),
        };
        let document = poc_settings::write(&[entity], &Names::default());
        builder.body(MEDIA_TYPE, document).build()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    fn request(said: Vec<(Setting, bool)>, tag: Option<&str>) -> Request {
        let account = Account {
            user: "sip:bob@example.org".parse().expect("a URI"),
            proxy: "sip:127.0.0.1:5060".parse().expect("a URI"),
        };
        let publication = Publication {
            entity: "urn:uuid:1".to_owned(),
            said,
            entity_tag: tag.map(str::to_owned),
            expires: 600,
            asserted: false,
        };
        let mut rng = StdRng::seed_from_u64(1);
        publication.request(
            &account,
            "127.0.0.1",
            SipDate::from_unix_seconds(0),
            &mut rng,
        )
    }

    #[test]
    fn set_01_a_publication_is_sent_to_the_own_address_with_its_document() {
        let request = request(vec![(Setting::OfflineDelivery, false)], None);
        assert_eq!(request.raw_uri(), "sip:bob@example.org");
        let field = |name| {
            request
                .headers()
                .first_named(name)
                .map(|field| field.value().into_owned())
        };
        assert_eq!(field("Event").as_deref(), Some("poc-settings"));
        assert_eq!(field("Expires").as_deref(), Some("600"));
        assert_eq!(field("Accept-Contact").as_deref(), Some("*;+g.oma.sip-im"));
        assert_eq!(field("SIP-If-Match"), None);
        let entities = poc_settings::read(request.body(), &Names::default());
        let entities = entities.expect("a document");
        assert_eq!(entities[0].said, [(Setting::OfflineDelivery, false)]);
    }

    #[test]
    fn set_12_a_refresh_has_the_tag_and_no_body() {
        let request = request(Vec::new(), Some("dx200xyz"));
        assert!(request.body().is_empty());
        let tag = request.headers().first(Name::SipIfMatch);
        assert_eq!(tag.expect("present").value(), "dx200xyz");
    }
}
