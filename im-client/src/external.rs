//! Content that lies elsewhere (RFC 4483, requirements §2.10): the message says only where.

use bytes::Bytes;
use sip::SipDate;

/// A reference to content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalContent {
    /// Where it lies.
    pub url: String,
    /// Its MIME type.
    pub content_type: String,
    /// Its length in octets, if known.
    pub octets: Option<u64>,
    /// Until when it lies there, if known.
    pub expires: Option<SipDate>,
    /// Its `Content-Disposition`, if any.
    pub disposition: Option<String>,
}

/// The URL cannot stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a URL has a scheme, and neither blanks nor quotes")]
pub struct BadUrl;

impl ExternalContent {
    /// Content at this URL, of which nothing but its type is known.
    ///
    /// # Errors
    /// [`BadUrl`].
    pub fn new(url: &str, content_type: &str) -> Result<Self, BadUrl> {
        let scheme = url.split_once(':').map(|(scheme, _)| scheme);
        let has_scheme = scheme.is_some_and(|scheme| {
            !scheme.is_empty() && scheme.bytes().all(|octet| octet.is_ascii_alphanumeric())
        });
        let clean = url
            .bytes()
            .all(|octet| octet.is_ascii_graphic() && octet != b'"');
        if !has_scheme || !clean {
            return Err(BadUrl);
        }
        Ok(Self {
            url: url.to_owned(),
            content_type: content_type.to_owned(),
            octets: None,
            expires: None,
            disposition: None,
        })
    }

    /// The MIME type of the message.
    #[must_use]
    pub fn message_type(&self) -> String {
        let mut text = format!(
            "message/external-body; access-type=\"URL\"; URL=\"{}\"",
            self.url
        );
        if let Some(expires) = self.expires {
            text.push_str(&format!("; expiration=\"{expires}\""));
        }
        if let Some(octets) = self.octets {
            text.push_str(&format!("; size={octets}"));
        }
        text
    }

    /// The body of the message: header fields of the content and their empty line (RFC 4483 §5).
    #[must_use]
    pub fn body(&self, content_id: &str) -> Bytes {
        let mut text = format!(
            "Content-Type: {}\r\nContent-ID: <{content_id}>\r\n",
            self.content_type
        );
        if let Some(disposition) = &self.disposition {
            text.push_str(&format!("Content-Disposition: {disposition}\r\n"));
        }
        text.push_str("\r\n");
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_reads_like_the_example() {
        let content = ExternalContent {
            octets: Some(482_133),
            expires: Some(SipDate::from_unix_seconds(1_795_251_600)),
            disposition: Some("attachment".to_owned()),
            ..ExternalContent::new("https://media.example.org/o/7c1", "image/jpeg").expect("a URL")
        };
        assert_eq!(
            content.message_type(),
            "message/external-body; access-type=\"URL\"; URL=\"https://media.example.org/o/7c1\"; \
             expiration=\"Sat, 21 Nov 2026 09:00:00 GMT\"; size=482133"
        );
        assert_eq!(
            content.body("7c1@media.example.org").as_ref(),
            b"Content-Type: image/jpeg\r\nContent-ID: <7c1@media.example.org>\r\n\
              Content-Disposition: attachment\r\n\r\n"
        );
        assert_eq!(content.body("7c1@media.example.org").len(), 98);
    }

    #[test]
    fn what_would_break_out_of_the_header_is_no_url() {
        for wrong in [
            "",
            "no-scheme",
            "http://a\"b",
            "http://a\r\nX: y",
            "http://a b",
        ] {
            assert_eq!(ExternalContent::new(wrong, "text/plain"), Err(BadUrl));
        }
    }
}
