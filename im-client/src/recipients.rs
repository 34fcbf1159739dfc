//! Several recipients of one message (OPG-04..06, LMO-04..06): the list of them in the body, and the
//! conference factory that spreads it.

use sip::{Method, Uri};
use xcap::resource_lists::{self, CopyControl, Entry};

use crate::multipart::Multipart;

/// A factory and those it shall reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients {
    /// The conference factory of the user's IM service.
    pub factory: Uri,
    /// Who shall get the message; each knows of the others.
    pub list: Vec<Uri>,
}

impl Recipients {
    /// The Request-URI: a factory makes a group for this one message.
    pub(crate) fn request_uri(&self) -> Uri {
        let mut uri = self.factory.clone();
        if let Uri::Sip(uri) = &mut uri {
            uri.params.set("sessiontype", Some("adhoc"));
        }
        uri
    }

    /// What a server must know to serve such a request: RFC 5365, RFC 5366.
    pub(crate) fn option_tag(method: &Method) -> &'static str {
        match method {
            Method::Invite => "recipient-list-invite",
            _ => "recipient-list-message",
        }
    }

    /// Puts the list into a body.
    pub(crate) fn add_to(&self, body: &mut Multipart) {
        let headers = [
            ("Content-Type", resource_lists::MEDIA_TYPE),
            ("Content-Disposition", "recipient-list"),
        ];
        body.part(&headers, self.document().as_bytes());
    }

    fn document(&self) -> String {
        let entry = |uri: &Uri| Entry {
            uri: uri.to_string(),
            copy_control: CopyControl::To,
            anonymize: false,
        };
        let entries: Vec<_> = self.list.iter().map(entry).collect();
        resource_lists::write(&entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_stand_in_the_list_as_values_of_attributes() {
        let uri = |text: &str| text.parse::<Uri>().expect("a URI");
        let recipients = Recipients {
            factory: uri("sip:im-factory@cf1.im.example.org"),
            list: vec![uri("sip:bob@example.org"), uri("sip:c@example.org?a=b&c=d")],
        };
        let document = recipients.document();
        assert!(document.contains("<entry uri=\"sip:bob@example.org\" cp:copyControl=\"to\"/>"));
        assert!(document.contains("<entry uri=\"sip:c@example.org?a=b&amp;c=d\""));
        assert_eq!(
            recipients.request_uri().to_string(),
            "sip:im-factory@cf1.im.example.org;sessiontype=adhoc"
        );
    }
}
