//! A message that came by MESSAGE (requirements §1.3).

use bytes::Bytes;
use sip::{Name, Request};

/// A message as it arrived; nothing it refers to is fetched (TPG-03).
#[derive(Clone, Debug)]
pub struct PagerArrival {
    /// The request, byte for byte.
    pub original: Bytes,
    /// Its Message-ID in a store, if it comes from one (requirements §2.4.4).
    pub message_id: String,
    /// `From`.
    pub from: String,
    /// `Date`, empty if it had none.
    pub date: String,
    /// `Subject`, empty if it had none.
    pub subject: String,
    /// MIME type of the body.
    pub content_type: String,
    /// The body, byte for byte.
    pub body: Bytes,
}

impl PagerArrival {
    /// What a MESSAGE brings.
    #[must_use]
    pub fn read(request: &Request) -> Self {
        let headers = request.headers();
        let field = |name: Name| {
            let field = headers.first(name);
            field.map_or_else(String::new, |field| field.value().into_owned())
        };
        let message_id = headers.first_named("Message-ID");
        Self {
            original: request.as_bytes().clone(),
            message_id: message_id.map_or_else(String::new, |field| field.value().into_owned()),
            from: field(Name::From),
            date: field(Name::Date),
            subject: field(Name::Subject),
            content_type: field(Name::ContentType),
            body: request.body().clone(),
        }
    }
}
