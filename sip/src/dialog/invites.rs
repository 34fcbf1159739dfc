//! INVITEs that cross within a dialog (RFC 3261 §14, `ERR-22`).

use crate::StatusCode;
use crate::message::Violation;

/// Which sides have an INVITE without final response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PendingInvites {
    local: bool,
    remote: bool,
}

impl PendingInvites {
    pub(super) fn begin_local(&mut self) {
        self.local = true;
    }

    pub(super) fn end_local(&mut self) {
        self.local = false;
    }

    /// RFC 3261 §14.2: one at a time from the peer, none while ours is under way.
    pub(super) fn begin_remote(&mut self) -> Result<(), Violation> {
        if self.remote {
            let status = StatusCode::SERVER_INTERNAL_ERROR;
            return Err(Violation {
                status,
                reason: "INVITE during an earlier one",
            });
        }
        if self.local {
            let status = StatusCode::REQUEST_PENDING;
            return Err(Violation {
                status,
                reason: status.reason(),
            });
        }
        self.remote = true;
        Ok(())
    }

    pub(super) fn end_remote(&mut self) {
        self.remote = false;
    }
}
