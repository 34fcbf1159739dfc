//! The one place where a stored deposit becomes a wire reply (P1).

use proto::v1;
use storage::Synced;
use storage::model::Receipt;

use crate::convert;

/// The reply that an edge may turn into a 2xx. It takes the proof that the receipt is on disk; no
/// other file of the service makes this message, which a test looks for.
pub(super) fn deposited(receipt: Synced<Receipt>, duplicate: bool) -> v1::Deposited {
    let receipt = receipt.into_inner();
    v1::Deposited {
        message_id: receipt.id.to_string(),
        received_at: Some(convert::timestamp(receipt.received_at)),
        duplicate,
    }
}
