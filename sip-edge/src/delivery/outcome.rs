//! The table of push outcomes (requirements §3.5): what a final answer, a SEND or the end of a
//! session means for the mailbox and for the message.

mod by_message;

pub(crate) use by_message::{MessageEnd, of_message};

use edge::sending::{InviteFailure, SendEnd};
use sip::StatusCode;
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement};

/// The row of the table for an INVITE. `has_next_hop` says that a core stands between: a 503 is then its
/// own state, not the client's.
pub(crate) fn of_invite(failure: &InviteFailure, has_next_hop: bool) -> DeliveryOutcome {
    use DeliveryResult as R;
    let (result, reason) = match failure {
        InviteFailure::Status {
            status,
            retry_after,
        } => {
            return DeliveryOutcome {
                result: of_status(*status, retry_after.is_some(), has_next_hop),
                reason: format!("INVITE {status}"),
                retry_after: *retry_after,
            };
        }
        InviteFailure::NoAnswer => (R::Unavailable, "INVITE not answered"),
        InviteFailure::Unreachable if has_next_hop => (R::HopDown, "next hop unreachable"),
        InviteFailure::Unreachable => (R::Unavailable, "INVITE unreachable"),
        InviteFailure::NotUsable(why) => (R::Unsupported, *why),
        InviteFailure::NotConnected => (R::Broken, "MSRP not connected"),
        InviteFailure::EndedByClient => (R::EndedByClient, "BYE of the client"),
        InviteFailure::Withdrawn => (R::Interrupted, "withdrawn"),
    };
    DeliveryOutcome::new(result, reason)
}

fn of_status(status: StatusCode, asks_to_wait: bool, has_next_hop: bool) -> DeliveryResult {
    match status.code() {
        503 if asks_to_wait && has_next_hop => DeliveryResult::HopDown,
        486 | 600 | 603 => DeliveryResult::Busy,
        415 | 488 | 606 => DeliveryResult::Unsupported,
        403 | 404 | 410 | 482 | 604 => DeliveryResult::Rejected,
        _ => DeliveryResult::Unavailable,
    }
}

/// What the end of a SEND or MESSAGE means: for its message, if anything, and for the delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// What the store is told of the message; `None` leaves it stored.
    pub(crate) settlement: Option<Settlement>,
    /// Why the delivery is over, if it is.
    pub(crate) ending: Option<DeliveryOutcome>,
}

/// The rows about SENDs: 413, 415 and 403 are the client's word on this message, everything else on
/// the session (RFC 4975 §7.3.2).
pub(crate) fn of_send(end: SendEnd) -> Meaning {
    let broken = |reason: String| Meaning {
        settlement: None,
        ending: Some(DeliveryOutcome::new(DeliveryResult::Broken, reason)),
    };
    match end {
        SendEnd::Delivered => Meaning {
            settlement: Some(Settlement::Delivered {
                by: "MSRP 200".to_owned(),
            }),
            ending: None,
        },
        SendEnd::Refused(code @ (403 | 413 | 415)) => Meaning {
            settlement: Some(Settlement::Failed {
                reason: format!("MSRP {code}"),
                refusal: true,
            }),
            ending: None,
        },
        SendEnd::Refused(code) => broken(format!("MSRP {code}")),
        SendEnd::Timeout => broken("MSRP not answered".to_owned()),
        SendEnd::ConnectionLost => broken("MSRP connection lost".to_owned()),
        SendEnd::Unreadable => broken("message not readable".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn status(code: u16, wait: Option<u64>, has_next_hop: bool) -> DeliveryOutcome {
        let failure = InviteFailure::Status {
            status: StatusCode::new(code).expect("a status"),
            retry_after: wait.map(Duration::from_secs),
        };
        of_invite(&failure, has_next_hop)
    }

    #[test]
    fn every_final_status_has_its_row() {
        use DeliveryResult as R;
        let table: [(&[u16], R); 4] = [
            (
                &[
                    408, 480, 487, 401, 407, 422, 500, 502, 504, 580, 302, 420, 481, 503,
                ],
                R::Unavailable,
            ),
            (&[486, 600, 603], R::Busy),
            (&[415, 488, 606], R::Unsupported),
            (&[403, 404, 410, 482, 604], R::Rejected),
        ];
        for (codes, expected) in table {
            for code in codes {
                let outcome = status(*code, None, true);
                assert_eq!(
                    (outcome.result, outcome.reason),
                    (expected, format!("INVITE {code}"))
                );
            }
        }
    }

    #[test]
    fn a_503_that_asks_to_wait_is_the_hops_only_where_there_is_one() {
        assert_eq!(status(503, Some(20), true).result, DeliveryResult::HopDown);
        assert_eq!(
            status(503, Some(20), false).result,
            DeliveryResult::Unavailable
        );
        assert_eq!(
            status(503, Some(20), false).retry_after,
            Some(Duration::from_secs(20))
        );
        assert_eq!(
            of_invite(&InviteFailure::Unreachable, true).result,
            DeliveryResult::HopDown
        );
        assert_eq!(
            of_invite(&InviteFailure::Unreachable, false).result,
            DeliveryResult::Unavailable
        );
    }

    #[test]
    fn the_other_ends_have_their_rows() {
        assert_eq!(
            of_invite(&InviteFailure::NoAnswer, true).result,
            DeliveryResult::Unavailable
        );
        let not_usable = of_invite(&InviteFailure::NotUsable("no MSRP in the answer"), true);
        assert_eq!(not_usable.result, DeliveryResult::Unsupported);
        assert_eq!(
            of_invite(&InviteFailure::Withdrawn, true).result,
            DeliveryResult::Interrupted
        );
    }

    #[test]
    fn a_send_speaks_of_its_message_or_of_the_session() {
        let delivered = of_send(SendEnd::Delivered);
        assert!(matches!(
            delivered.settlement,
            Some(Settlement::Delivered { .. })
        ));
        assert_eq!(delivered.ending, None);
        for code in [403, 413, 415] {
            let meaning = of_send(SendEnd::Refused(code));
            assert!(
                matches!(
                    meaning.settlement,
                    Some(Settlement::Failed { refusal: true, .. })
                ),
                "{code}"
            );
            assert_eq!(meaning.ending, None, "{code}");
        }
        let ends = [400, 408, 423, 481, 501, 506].map(SendEnd::Refused);
        for end in ends.into_iter().chain([
            SendEnd::Timeout,
            SendEnd::ConnectionLost,
            SendEnd::Unreadable,
        ]) {
            let meaning = of_send(end);
            assert_eq!(meaning.settlement, None, "{end:?}");
            let result = meaning.ending.map(|outcome| outcome.result);
            assert_eq!(result, Some(DeliveryResult::Broken), "{end:?}");
        }
    }
}
