//! The one place where an accepted job becomes a wire reply (P1).

use proto::v1;
use storage::Synced;
use storage::model::JobReceipt;

use crate::convert;

/// The reply that an edge may turn into a 2xx. It takes the proof that content and roster are on disk; no
/// other file of the service makes this message.
pub(crate) fn accepted(receipt: Synced<JobReceipt>, duplicate: bool) -> v1::JobAccepted {
    let receipt = receipt.into_inner();
    v1::JobAccepted {
        job: receipt.job.0,
        accepted_at: Some(convert::timestamp(receipt.accepted_at)),
        duplicate,
    }
}
