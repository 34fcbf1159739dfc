//! Page tokens: opaque to callers, valid for the query and the store they come from.

use std::hash::{DefaultHasher, Hash, Hasher};

use proto::v1;
use storage::model::PageToken;
use tonic::Status;

/// Makes and reads the tokens of one query.
pub(crate) struct PageTokens {
    fingerprint: u64,
}

impl PageTokens {
    /// For the list of all accounts.
    pub(crate) fn of_accounts(secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("accounts", secret).hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    /// For the list of all subscriptions.
    pub(crate) fn of_subscriptions(secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("subscriptions", secret).hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    /// For the list of all groups.
    pub(crate) fn of_groups(secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("groups", secret).hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    /// For this list of jobs, whatever page of it is asked for.
    pub(crate) fn of_jobs(request: &v1::ListJobsRequest, secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("jobs", secret, &request.sender, &request.states).hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    /// For this list of legs, whatever page of it is asked for.
    pub(crate) fn of_legs(request: &v1::ListLegsRequest, secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("legs", secret, request.job, &request.states).hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    /// For what waits for a user.
    pub(crate) fn of_deferred(user: &str, secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        ("deferred", user, secret).hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    /// For this query, whatever page of it is asked for.
    pub(crate) fn of(request: &v1::ListMessagesRequest, secret: &[u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        let time = |time: &Option<prost_types::Timestamp>| time.map(|t| (t.seconds, t.nanos));
        secret.hash(&mut hasher);
        request.served_user.hash(&mut hasher);
        request.sender.hash(&mut hasher);
        request.group.hash(&mut hasher);
        request.states.hash(&mut hasher);
        request.class.hash(&mut hasher);
        time(&request.received_from).hash(&mut hasher);
        time(&request.received_until).hash(&mut hasher);
        request.conversation_id.hash(&mut hasher);
        request.contribution_id.hash(&mut hasher);
        request.imdn_message_id.hash(&mut hasher);
        request.domain.hash(&mut hasher);
        (request.min_octets, request.max_octets).hash(&mut hasher);
        request.error.hash(&mut hasher);
        request.min_attempts.hash(&mut hasher);
        Self {
            fingerprint: hasher.finish(),
        }
    }

    pub(crate) fn write(&self, token: PageToken) -> String {
        format!("{:016x}{:016x}", token.0, self.check(token))
    }

    /// For a place that is no number: two tokens of its halves.
    pub(crate) fn write_place(&self, place: [u8; 16]) -> String {
        let place = u128::from_be_bytes(place);
        let half = |shift: u32| {
            let half = (place >> shift) & u128::from(u64::MAX);
            self.write(PageToken(u64::try_from(half).unwrap_or(u64::MAX)))
        };
        half(64) + &half(0)
    }

    /// The inverse of [`PageTokens::write_place`]; no token for the first page.
    pub(crate) fn read_place(&self, text: &str) -> Result<Option<[u8; 16]>, Status> {
        let (first, second) = text.split_at_checked(32).unwrap_or((text, ""));
        let halves = (self.read(first)?, self.read(second)?);
        match halves {
            (None, None) => Ok(None),
            (Some(first), Some(second)) => {
                let place = (u128::from(first.0) << 64) | u128::from(second.0);
                Ok(Some(place.to_be_bytes()))
            }
            _ => Err(Status::invalid_argument(
                "the page token is not one of this query",
            )),
        }
    }

    /// No token for the first page.
    pub(crate) fn read(&self, text: &str) -> Result<Option<PageToken>, Status> {
        if text.is_empty() {
            return Ok(None);
        }
        let token = self.decode(text);
        token
            .map(Some)
            .ok_or_else(|| Status::invalid_argument("the page token is not one of this query"))
    }

    fn decode(&self, text: &str) -> Option<PageToken> {
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let (place, check) = text.split_at(16);
        let token = PageToken(u64::from_str_radix(place, 16).ok()?);
        let check = u64::from_str_radix(check, 16).ok()?;
        (check == self.check(token)).then_some(token)
    }

    fn check(&self, token: PageToken) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.fingerprint, token.0).hash(&mut hasher);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_back_for_its_query_and_no_other() {
        let mut query = v1::ListMessagesRequest {
            served_user: "sip:bob@example.org".into(),
            ..Default::default()
        };
        let tokens = PageTokens::of(&query, b"secret");
        let text = tokens.write(PageToken(7));
        assert_eq!(tokens.read(&text).expect("ours"), Some(PageToken(7)));
        query.page_size = 3;
        let other_page = PageTokens::of(&query, b"secret");
        assert!(other_page.read(&text).is_ok());
        query.sender = "sip:alice@example.org".into();
        assert!(PageTokens::of(&query, b"secret").read(&text).is_err());
        assert!(tokens.read("7").is_err());
        assert!(tokens.read(&"é".repeat(16)).is_err());
        assert!(tokens.read("").expect("the first page").is_none());
        let groups = PageTokens::of_groups(b"secret");
        let place = groups.write_place([7; 16]);
        assert_eq!(groups.read_place(&place).expect("ours"), Some([7; 16]));
        assert!(groups.read_place(&place[..32]).is_err());
        assert!(groups.read_place("").expect("the first page").is_none());
        let accounts = PageTokens::of_accounts(b"secret");
        assert!(accounts.read(&text).is_err());
        let text = accounts.write(PageToken(7));
        assert_eq!(accounts.read(&text).expect("ours"), Some(PageToken(7)));
    }
}
