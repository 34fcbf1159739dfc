//! A dialog that outlives its process: what is to be kept of it, as text.

use super::invites::PendingInvites;
use super::route_set::RouteSet;
use super::{Dialog, DialogError, DialogId};
use crate::{HeaderError, Name, NameAddr, Uri};

/// What the next owner of a dialog must know to send requests within it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedDialog {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The tag of the peer.
    pub remote_tag: String,
    /// From of our requests, with our tag.
    pub local: String,
    /// To of our requests, with the tag of the peer.
    pub remote: String,
    /// The remote target.
    pub target: String,
    /// The route set.
    pub routes: Vec<String>,
}

impl SavedDialog {
    /// What is to be kept of a dialog; CSeq numbers are the caller's.
    #[must_use]
    pub fn of(dialog: &Dialog) -> Self {
        Self {
            call_id: dialog.id.call_id().to_owned(),
            local_tag: dialog.id.local_tag().to_owned(),
            remote_tag: dialog.id.remote_tag().to_owned(),
            local: dialog.local.clone(),
            remote: dialog.remote.clone(),
            target: dialog.remote_target.to_string(),
            routes: dialog.route_set.values(),
        }
    }

    /// The dialog again; its next request has the CSeq number after `local_cseq`.
    ///
    /// # Errors
    ///
    /// [`DialogError`] if the target or a route is no longer what [`SavedDialog::of`] wrote.
    pub fn restore(&self, local_cseq: u32) -> Result<Dialog, DialogError> {
        let target: Result<Uri, _> = self.target.parse();
        let routes: Result<Vec<NameAddr>, _> =
            self.routes.iter().map(|route| route.parse()).collect();
        let bad = |name, reason| DialogError::Header(HeaderError { name, reason });
        Ok(Dialog {
            id: DialogId {
                call_id: self.call_id.clone(),
                local_tag: self.local_tag.clone(),
                remote_tag: self.remote_tag.clone(),
            },
            local: self.local.clone(),
            remote: self.remote.clone(),
            local_contact: None,
            remote_target: target.map_err(|error| bad(Name::Contact, error.into()))?,
            route_set: RouteSet::in_order(routes.map_err(|reason| bad(Name::RecordRoute, reason))?),
            local_cseq,
            remote_cseq: None,
            invites: PendingInvites::default(),
            terminated: false,
        })
    }
}
