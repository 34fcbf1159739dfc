//! One try of one leg: the copy sent, its final response or what came instead (CFP-12, CFP-13, CFP-18).

use std::time::Duration;

use edge::next_hop::NextHop;
use edge::way::Way;
use net::sip::TransactionFailure;
use sip::{HostPort, Name, Request, Via};
use storage_client::fan_out::LegOutcome;

use super::hop_down;
use crate::copies::{Leg, NotATemplate, Template};
use crate::edge::Edge;

/// The status of a target that is silent until its transaction times out (RFC 3261 §8.1.3.1).
const REQUEST_TIMEOUT: u16 = 408;

/// The status of a hop that is there and takes nothing (CFP-18).
const SERVICE_UNAVAILABLE: u16 = 503;

/// Sends a copy and waits for what becomes of it. Dropped, it is as if nothing had been answered.
pub(super) async fn send(edge: &Edge, leg: &Leg<'_>, template: &Template) -> LegOutcome {
    let hop = edge.next_hop.as_ref();
    if hop.is_some_and(|hop| hop.pause().is_some()) {
        return hop_down("next hop paused", hop);
    }
    let call_id = leg.call_id();
    let branch = edge.marked_branch(&call_id);
    let (Some(branch), Some(way)) = (branch, Way::to_user(edge, leg.target)) else {
        return hop_down("no way to the recipient", hop);
    };
    let Ok(copy) = copy(edge, leg, template, &way, &branch) else {
        // It will never be one: the store has octets that no edge wrote.
        return LegOutcome::Answered {
            status: 400,
            reason: "the copy cannot be made".to_owned(),
            retry_after: None,
        };
    };
    let sent = edge
        .sip
        .request_failing_over(copy, &way.target, branch, || {
            edge.further_branches(&call_id)
        });
    let mut transaction = match sent.await {
        Ok(transaction) => transaction,
        Err(error) => {
            hop.inspect(|hop| hop.not_sent(&error));
            return hop_down(format!("not sent: {error}"), hop);
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
                hop.inspect(|hop| hop.failed(failure, leg.target));
                return unanswered(failure, hop);
            }
            None => return unanswered(TransactionFailure::Timeout, hop),
        }
    }
}

/// Silence is the target's, until so many are silent that it is the hop's.
fn unanswered(failure: TransactionFailure, hop: Option<&NextHop>) -> LegOutcome {
    let is_open = hop.is_none_or(|hop| hop.pause().is_none());
    match failure {
        TransactionFailure::Timeout if is_open => LegOutcome::Answered {
            status: REQUEST_TIMEOUT,
            reason: "no answer".to_owned(),
            retry_after: None,
        },
        failure => hop_down(failure.to_string(), hop),
    }
}

fn copy(
    edge: &Edge,
    leg: &Leg<'_>,
    template: &Template,
    way: &Way,
    branch: &str,
) -> Result<Request, NotATemplate> {
    let routes = way.routes.iter();
    let route: usize = routes.map(|route| route.len() + "Route: \r\n".len()).sum();
    let sent_by = edge.sip.sent_by(way.transport).parse::<HostPort>();
    let via = sent_by.map_or(0, |sent_by| {
        let via = Via::new(way.transport, sent_by, branch).to_string();
        via.len() + "Via: \r\n".len()
    });
    let is_safe = edge.next_hop.is_some() && edge.config.sip.next_hop_congestion_safe;
    let copy = leg.copy(template, is_safe, route + via)?;
    Ok(match way.routes.first() {
        Some(route) => copy.edit().prepend(Name::Route, route).build(),
        None => copy,
    })
}
