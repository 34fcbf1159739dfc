//! The name of a dialog (RFC 3261 §12).

use super::{DialogError, tag};
use crate::Name;
use crate::message::{Headers, Request, Response};

/// Call-ID, local and remote tag: the same dialog has the tags swapped at the other side.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DialogId {
    pub(super) call_id: String,
    pub(super) local_tag: String,
    pub(super) remote_tag: String,
}

impl DialogId {
    pub(super) fn new(
        headers: &Headers,
        local_tag: String,
        remote_tag: String,
    ) -> Result<Self, DialogError> {
        let call_id = headers
            .call_id()
            .ok_or(DialogError::Missing(Name::CallId))?
            .into_owned();
        Ok(Self {
            call_id,
            local_tag,
            remote_tag,
        })
    }

    /// The dialog that a received request names. None if it has no To tag, thus is outside any dialog.
    #[must_use]
    pub fn of_request(request: &Request) -> Option<Self> {
        let headers = request.headers();
        let local_tag = tag(headers, Name::To).ok().filter(|tag| !tag.is_empty())?;
        Self::new(headers, local_tag, tag(headers, Name::From).ok()?).ok()
    }

    /// The dialog that a response to a request of ours names. None if it has no To tag.
    #[must_use]
    pub fn of_response(response: &Response) -> Option<Self> {
        let headers = response.headers();
        let remote_tag = tag(headers, Name::To).ok().filter(|tag| !tag.is_empty())?;
        Self::new(headers, tag(headers, Name::From).ok()?, remote_tag).ok()
    }

    /// The Call-ID, compared octet by octet (RFC 3261 §20.8).
    #[must_use]
    pub fn call_id(&self) -> &str {
        &self.call_id
    }

    /// The tag we chose.
    #[must_use]
    pub fn local_tag(&self) -> &str {
        &self.local_tag
    }

    /// The tag the peer chose; empty for a peer of RFC 2543.
    #[must_use]
    pub fn remote_tag(&self) -> &str {
        &self.remote_tag
    }
}
