//! What a third-party REGISTER carries of the client's own registration (requirements §2.4.1): no
//! body, a bare `message/sip` with the REGISTER or the 200, `application/3gpp-ims+xml`, or a
//! multipart with any mixture. What cannot be read counts as not carried: an error could make the
//! core de-register its user.

use bytes::Bytes;
use sip::{Headers, MediaType, Message, Method, Request, Response, multipart};

/// The client's REGISTER and the registrar's answer, as far as they were carried.
#[derive(Debug, Clone, Default)]
pub(crate) struct Embedded {
    /// The REGISTER of the client.
    pub(crate) register: Option<Request>,
    /// The 2xx of the registrar.
    pub(crate) answer: Option<Response>,
}

impl Embedded {
    /// Reads the body of a third-party REGISTER.
    pub(crate) fn of(request: &Request) -> Self {
        let mut found = Self::default();
        if let Ok(Some(content_type)) = request.headers().content_type() {
            found.take(request.headers(), &content_type, request.body());
        }
        found
    }

    fn take(&mut self, headers: &Headers, content_type: &MediaType, body: &Bytes) {
        if content_type.is("message/sip") {
            match multipart::parse_embedded(body) {
                Ok(Message::Request(register)) if *register.method() == Method::Register => {
                    self.register.get_or_insert(register);
                }
                Ok(Message::Response(answer)) if answer.status().is_success() => {
                    self.answer.get_or_insert(answer);
                }
                _ => {}
            }
        } else if content_type.is_of_type("multipart") {
            let written = headers
                .first(sip::Name::ContentType)
                .map(|field| field.value());
            let parts = multipart::parse(&written.unwrap_or_default(), body).unwrap_or_default();
            for part in &parts {
                self.take_part(part);
            }
        }
    }

    /// Nested multiparts are not followed: nobody sends them, and depth would be the sender's choice.
    fn take_part(&mut self, part: &multipart::Part) {
        if let Ok(Some(content_type)) = part.headers.content_type()
            && content_type.is("message/sip")
        {
            self.take(&part.headers, &content_type, &part.body);
        }
    }
}
