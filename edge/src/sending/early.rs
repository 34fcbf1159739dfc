//! What clients say of themselves before they answer (DLV-12, RFC 3261 §13.2.2.1).

use sip::{Method, Name, NameAddr, Response};

/// Clients remembered, of those to whom an INVITE was forked.
const REMEMBERED: usize = 16;

/// The methods allowed by each client that has rung, by its tag.
#[derive(Debug, Default)]
pub(crate) struct Early {
    allowed: Vec<(String, Vec<Method>)>,
}

impl Early {
    /// Remembers the Allow of a provisional response; a later one of the same client replaces it.
    pub(crate) fn note(&mut self, response: &Response) {
        let (Some(tag), Some(allow)) = (tag(response), allow(response)) else {
            return;
        };
        self.allowed.retain(|(known, _)| *known != tag);
        if self.allowed.len() < REMEMBERED {
            self.allowed.push((tag, allow));
        }
    }

    /// What the client allows that gave this final response: in it, else before it.
    pub(crate) fn allow(&self, response: &Response) -> Vec<Method> {
        let before = || {
            let tag = tag(response)?;
            let (_, allow) = self.allowed.iter().find(|(known, _)| *known == tag)?;
            Some(allow.clone())
        };
        allow(response).or_else(before).unwrap_or_default()
    }
}

fn tag(response: &Response) -> Option<String> {
    let to = response.headers().to().ok().flatten()?;
    NameAddr::tag(&to).map(str::to_owned)
}

/// The methods of Allow; `None` where it is absent.
fn allow(response: &Response) -> Option<Vec<Method>> {
    let headers = response.headers();
    headers.first(Name::Allow)?;
    headers.allow().ok()
}

#[cfg(test)]
mod tests {
    use sip::{ResponseBuilder, StatusCode};

    use super::*;

    fn response(status: StatusCode, tag: &str, allow: Option<&str>) -> Response {
        let invite = crate::example::message_with("");
        let builder = ResponseBuilder::reply_to(&invite, status).to_tag(tag);
        match allow {
            Some(allow) => builder.header(Name::Allow, allow).build(),
            None => builder.build(),
        }
    }

    #[test]
    fn the_word_of_the_client_that_answers_counts_and_its_last_one() {
        let mut early = Early::default();
        for (tag, allow) in [
            ("a", Some("INVITE")),
            ("b", Some("INVITE, UPDATE")),
            ("a", Some("INVITE, ACK")),
            ("a", None),
        ] {
            early.note(&response(StatusCode::RINGING, tag, allow));
        }
        let allow = |tag, allow| early.allow(&response(StatusCode::OK, tag, allow));
        assert_eq!(allow("a", None), [Method::Invite, Method::Ack]);
        assert_eq!(allow("b", None), [Method::Invite, Method::Update]);
        assert_eq!(allow("c", None), []);
        assert_eq!(allow("b", Some("INVITE")), [Method::Invite]);
        for tag in 0..100 {
            early.note(&response(
                StatusCode::RINGING,
                &tag.to_string(),
                Some("INVITE"),
            ));
        }
        assert_eq!(early.allowed.len(), REMEMBERED);
    }
}
