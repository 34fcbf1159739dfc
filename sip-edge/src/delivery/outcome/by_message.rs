//! The rows about MESSAGEs of ours (DLM-05, RFC 3428 §7).

use std::time::Duration;

use sip::{Response, StatusCode};
use storage_client::delivery::{DeliveryOutcome, DeliveryResult, Settlement};

use super::Meaning;

/// How one MESSAGE of ours ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MessageEnd {
    /// A final answer.
    Status {
        /// The status.
        status: StatusCode,
        /// Its Retry-After.
        retry_after: Option<Duration>,
    },
    /// No final answer in time.
    NoAnswer,
    /// It could not be sent.
    Unreachable,
}

impl MessageEnd {
    /// By a final response.
    pub(crate) fn of(response: &Response) -> Self {
        let retry_after = response.headers().retry_after().ok().flatten();
        Self::Status {
            status: response.status(),
            retry_after: retry_after.map(|seconds| Duration::from_secs(seconds.into())),
        }
    }
}

/// What it means. 2xx and 6xx settle the message; 413, 415 and 488 are the client's word on this
/// message alone; everything else ends the delivery and leaves the message stored. `has_next_hop`
/// as in [`of_invite`](super::of_invite).
pub(crate) fn of_message(end: MessageEnd, has_next_hop: bool) -> Meaning {
    match end {
        MessageEnd::Status {
            status,
            retry_after,
        } => match settlement(status) {
            Some(settlement) => Meaning {
                settlement: Some(settlement),
                ending: None,
            },
            None => over(DeliveryOutcome {
                result: result(status, retry_after.is_some() && has_next_hop),
                reason: format!("MESSAGE {status}"),
                retry_after,
            }),
        },
        MessageEnd::NoAnswer => over(DeliveryOutcome::new(
            DeliveryResult::Unavailable,
            "MESSAGE not answered",
        )),
        MessageEnd::Unreachable if has_next_hop => over(DeliveryOutcome::new(
            DeliveryResult::HopDown,
            "next hop unreachable",
        )),
        MessageEnd::Unreachable => over(DeliveryOutcome::new(
            DeliveryResult::Unavailable,
            "MESSAGE unreachable",
        )),
    }
}

fn settlement(status: StatusCode) -> Option<Settlement> {
    let reason = format!("MESSAGE {status}");
    match status.code() {
        // Somebody else has promised to deliver it.
        202 => Some(Settlement::Delivered {
            by: format!("{reason}, handed over"),
        }),
        200..=299 => Some(Settlement::Delivered { by: reason }),
        600..=699 => Some(Settlement::Refused { reason }),
        413 | 415 | 488 => Some(Settlement::Failed {
            reason,
            refusal: true,
        }),
        _ => None,
    }
}

/// 482 is our own MESSAGE that came back (DLV-16): another try would come back too.
fn result(status: StatusCode, is_of_hop: bool) -> DeliveryResult {
    match status.code() {
        503 if is_of_hop => DeliveryResult::HopDown,
        405 => DeliveryResult::Unsupported,
        403 | 410 | 482 => DeliveryResult::Rejected,
        _ => DeliveryResult::Unavailable,
    }
}

fn over(outcome: DeliveryOutcome) -> Meaning {
    Meaning {
        settlement: None,
        ending: Some(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, wait: Option<u64>, has_next_hop: bool) -> Meaning {
        let end = MessageEnd::Status {
            status: StatusCode::new(code).expect("a status"),
            retry_after: wait.map(Duration::from_secs),
        };
        of_message(end, has_next_hop)
    }

    #[test]
    fn a_2xx_delivers_and_a_202_says_that_somebody_else_will() {
        for (code, expected) in [
            (200, "MESSAGE 200"),
            (202, "MESSAGE 202, handed over"),
            (299, "MESSAGE 299"),
        ] {
            let meaning = answered(code, None, true);
            let by = expected.to_owned();
            assert_eq!(meaning.settlement, Some(Settlement::Delivered { by }));
            assert_eq!(meaning.ending, None);
        }
    }

    #[test]
    fn a_6xx_refuses_for_ever_and_three_codes_refuse_this_message() {
        for code in [600, 603, 604, 606] {
            let meaning = answered(code, None, true);
            let reason = format!("MESSAGE {code}");
            assert_eq!(meaning.settlement, Some(Settlement::Refused { reason }));
            assert_eq!(meaning.ending, None);
        }
        for code in [413, 415, 488] {
            let meaning = answered(code, None, true);
            let refused = Settlement::Failed {
                reason: format!("MESSAGE {code}"),
                refusal: true,
            };
            assert_eq!(meaning.settlement, Some(refused));
            assert_eq!(meaning.ending, None);
        }
    }

    #[test]
    fn everything_else_leaves_the_message_stored() {
        use DeliveryResult as R;
        let table: [(&[u16], R); 3] = [
            (
                &[302, 401, 404, 407, 408, 480, 481, 486, 500, 501, 503, 504],
                R::Unavailable,
            ),
            (&[403, 410, 482], R::Rejected),
            (&[405], R::Unsupported),
        ];
        for (codes, expected) in table {
            for code in codes {
                let meaning = answered(*code, None, true);
                assert_eq!(meaning.settlement, None, "{code}");
                let outcome = meaning.ending.expect("the delivery is over");
                assert_eq!(
                    (outcome.result, outcome.reason),
                    (expected, format!("MESSAGE {code}"))
                );
            }
        }
    }

    #[test]
    fn a_503_that_asks_to_wait_and_a_hop_out_of_reach_are_the_hops_where_there_is_one() {
        let result = |meaning: Meaning| meaning.ending.map(|outcome| outcome.result);
        let (hop, client) = (DeliveryResult::HopDown, DeliveryResult::Unavailable);
        for (has_next_hop, expected) in [(true, hop), (false, client)] {
            assert_eq!(
                result(answered(503, Some(20), has_next_hop)),
                Some(expected)
            );
            let unreachable = of_message(MessageEnd::Unreachable, has_next_hop);
            assert_eq!(result(unreachable), Some(expected));
        }
        let silent = of_message(MessageEnd::NoAnswer, true);
        assert_eq!(result(silent), Some(DeliveryResult::Unavailable));
    }
}
