//! One try of a MESSAGE that the store keeps until it has arrived: a copy to a recipient (CFP-18), or a report to a
//! sender (IMD-02). What follows from its outcome the store decides.

use std::time::Duration;

use net::sip::TransactionFailure;
use sip::Request;
use storage_client::fan_out::LegOutcome;

use crate::user_agent::UserAgent;
use crate::way::Way;

/// The status of a target that is silent until its transaction times out (RFC 3261 §8.1.3.1).
const REQUEST_TIMEOUT: u16 = 408;

/// The status of a recipient who cannot be reached now.
const TEMPORARILY_UNAVAILABLE: u16 = 480;

/// The status of a hop that is there and takes nothing (CFP-18).
const SERVICE_UNAVAILABLE: u16 = 503;

/// Sends a MESSAGE for this target and waits for what becomes of it: under this branch, and under the further ones by other
/// hops of the same name where one fails. Dropped, it is as if nothing had been answered.
pub async fn attempt(
    ua: &UserAgent,
    (request, way): (Request, &Way),
    (branch, further): (String, impl Fn() -> Vec<String>),
    target: &str,
) -> LegOutcome {
    let hop = ua.next_hop.as_ref();
    let sent = ua
        .sip
        .request_failing_over(request, &way.target, branch, further);
    let mut transaction = match sent.await {
        Ok(transaction) => transaction,
        Err(error) => {
            hop.inspect(|hop| hop.not_sent(&error));
            return unreached(ua, format!("not sent: {error}"));
        }
    };
    loop {
        match transaction.next().await {
            Some(Ok(response)) if response.status().is_final() => {
                hop.inspect(|hop| hop.answered(&response));
                let status = response.status().code();
                let reason = format!("MESSAGE {status} {}", response.reason());
                let retry_after = response.headers().retry_after().ok().flatten();
                let retry_after = retry_after.map(|seconds| Duration::from_secs(seconds.into()));
                return of_final(status, reason, retry_after, hop.is_some());
            }
            Some(Ok(_)) => {}
            Some(Err(failure)) => {
                hop.inspect(|hop| hop.failed(failure, target));
                return unanswered(ua, failure);
            }
            None => return unanswered(ua, TransactionFailure::Timeout),
        }
    }
}

/// Silence is the target's, until so many are silent that it is the hop's.
fn unanswered(ua: &UserAgent, failure: TransactionFailure) -> LegOutcome {
    let is_open = ua.next_hop.as_ref().is_none_or(|hop| hop.pause().is_none());
    match failure {
        TransactionFailure::Timeout if is_open => LegOutcome::Answered {
            status: REQUEST_TIMEOUT,
            reason: "no answer".to_owned(),
            retry_after: None,
        },
        failure => unreached(ua, failure.to_string()),
    }
}

/// A final answer. A 503 of the next hop that asks for time is the hop's own, any other is a recipient's, as a 500 (RFC 3261
/// §21.5.4).
#[must_use]
pub fn of_final(
    status: u16,
    reason: String,
    retry_after: Option<Duration>,
    has_next_hop: bool,
) -> LegOutcome {
    match status {
        SERVICE_UNAVAILABLE if has_next_hop && retry_after.is_some() => LegOutcome::HopDown {
            reason,
            retry_after,
        },
        status => LegOutcome::Answered {
            status,
            reason,
            retry_after,
        },
    }
}

/// Nothing goes to the next hop now. Where there is none, it is the recipient who cannot be reached.
pub fn unreached(ua: &UserAgent, reason: impl Into<String>) -> LegOutcome {
    let reason = reason.into();
    match &ua.next_hop {
        Some(hop) => LegOutcome::HopDown {
            reason,
            retry_after: hop.pause(),
        },
        None => LegOutcome::Answered {
            status: TEMPORARILY_UNAVAILABLE,
            reason,
            retry_after: None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_503_is_the_hops_if_there_is_one_that_asks_for_time() {
        let wait = Some(Duration::from_secs(3));
        let of_final = |status, wait, has_hop| of_final(status, String::new(), wait, has_hop);
        let outcome = of_final(503, wait, true);
        assert!(matches!(outcome, LegOutcome::HopDown { retry_after, .. } if retry_after == wait));
        for (status, wait, has_hop) in [
            (503, None, true),
            (503, wait, false),
            (500, wait, true),
            (486, None, true),
        ] {
            let outcome = of_final(status, wait, has_hop);
            assert!(matches!(outcome, LegOutcome::Answered { status: said, .. } if said == status));
        }
    }
}
