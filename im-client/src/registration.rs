//! Composing REGISTER requests (requirements §1.12b, RFC 3261 §10.2).

use rand::rngs::StdRng;
use sip::{Method, Name, Request, RequestBuilder, token};

use crate::{ALLOW, Account, IM_FEATURE_TAG, RELEASE};

/// One registration and its refreshes: same Call-ID, growing CSeq.
#[derive(Clone, Debug)]
pub struct RegistrationState {
    call_id: String,
    from_tag: String,
    cseq: u32,
    /// `+sip.instance` of this client: a URN.
    instance: String,
}

impl RegistrationState {
    /// A registration that has not been sent yet.
    #[must_use]
    pub fn new(host: &str, rng: &mut StdRng) -> Self {
        let digits = rand::Rng::random::<u128>(rng);
        Self {
            call_id: token::call_id(rng, host),
            from_tag: token::tag(rng),
            cseq: 0,
            instance: format!("urn:uuid:{}", uuid_form(digits)),
        }
    }

    /// The next REGISTER without its Via. Zero `expires` (seconds) de-registers.
    pub fn request(&mut self, account: &Account, contact: &str, expires: u32) -> Request {
        self.cseq += 1;
        let user = &account.user;
        RequestBuilder::new(Method::Register, &account.registrar())
            .header(Name::MaxForwards, 70)
            .header(Name::From, format_args!("<{user}>;tag={}", self.from_tag))
            .header(Name::To, format_args!("<{user}>"))
            .header(Name::CallId, &self.call_id)
            .header(Name::CSeq, format_args!("{} REGISTER", self.cseq))
            .header(
                Name::Contact,
                format_args!(
                    "<{contact}>;+sip.instance=\"<{}>\";{IM_FEATURE_TAG};expires={expires}",
                    self.instance
                ),
            )
            .header(Name::Expires, expires)
            .header(Name::Allow, ALLOW)
            .header(Name::UserAgent, RELEASE)
            .build()
    }
}

/// A random UUID (RFC 9562 §5.4) from random digits.
fn uuid_form(digits: u128) -> String {
    let versioned = digits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{versioned:032x}");
    let (a, rest) = hex.split_at(8);
    let (b, rest) = rest.split_at(4);
    let (c, rest) = rest.split_at(4);
    let (d, e) = rest.split_at(4);
    format!("{a}-{b}-{c}-{d}-{e}")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn refreshes_keep_the_call_id_and_raise_the_cseq() {
        let account = Account {
            user: "sip:bob@example.org".parse().expect("a URI"),
            proxy: "sip:127.0.0.1:5060".parse().expect("a URI"),
        };
        let mut state = RegistrationState::new("127.0.0.1", &mut StdRng::seed_from_u64(1));
        let first = state.request(&account, "sip:bob@127.0.0.1:7000", 3600);
        let second = state.request(&account, "sip:bob@127.0.0.1:7000", 0);
        assert_eq!(first.raw_uri(), "sip:example.org");
        assert_eq!(first.headers().call_id(), second.headers().call_id());
        let number = |request: &Request| {
            request
                .headers()
                .cseq()
                .expect("valid")
                .expect("present")
                .number
        };
        assert_eq!((number(&first), number(&second)), (1, 2));
        let contacts = second.headers().contacts().expect("valid");
        let contact = contacts.first().expect("one");
        assert!(contact.has_feature_tag("+g.oma.sip-im"));
        assert_eq!(contact.expires(), Some(0));
    }

    #[test]
    fn a_uuid_names_its_version_and_variant() {
        assert_eq!(uuid_form(0), "00000000-0000-4000-8000-000000000000");
        assert_eq!(uuid_form(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
    }
}
