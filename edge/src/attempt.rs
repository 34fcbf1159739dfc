//! One try of a MESSAGE that the store keeps until it has arrived: a copy to a recipient (CFP-18), or a report to a
//! sender (IMD-02). What follows from its outcome the store decides.

use std::time::Duration;

use net::sip::TransactionFailure;
use sip::Request;
use storage_client::fan_out::LegOutcome;

use crate::next_hop::NextHop;
use crate::user_agent::UserAgent;
use crate::way::Way;

/// The status of a target that is silent until its transaction times out (RFC 3261 §8.1.3.1).
const REQUEST_TIMEOUT: u16 = 408;

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
            return hop_down(ua, format!("not sent: {error}"));
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
                return match status {
                    SERVICE_UNAVAILABLE => LegOutcome::HopDown {
                        reason,
                        retry_after,
                    },
                    status => LegOutcome::Answered {
                        status,
                        reason,
                        retry_after,
                    },
                };
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
        failure => hop_down(ua, failure.to_string()),
    }
}

/// Nothing goes to the next hop now.
pub fn hop_down(ua: &UserAgent, reason: impl Into<String>) -> LegOutcome {
    LegOutcome::HopDown {
        reason: reason.into(),
        retry_after: ua.next_hop.as_ref().and_then(NextHop::pause),
    }
}
