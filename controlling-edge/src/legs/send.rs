//! One try of one leg: the copy sent, its final response or what came instead (CFP-12, CFP-13, CFP-18).

use edge::attempt::{attempt, unreached};
use edge::way::Way;
use sip::{HostPort, Request, Via};
use storage_client::fan_out::LegOutcome;

use crate::copies::{Leg, NotATemplate, Template};
use crate::edge::Edge;

/// Sends a copy and waits for what becomes of it. Dropped, it is as if nothing had been answered.
pub(super) async fn send(edge: &Edge, leg: &Leg<'_>, template: &Template) -> LegOutcome {
    let hop = edge.next_hop.as_ref();
    if hop.is_some_and(|hop| hop.pause().is_some()) {
        return unreached(edge, "next hop paused");
    }
    let call_id = leg.call_id();
    let branch = edge.marked_branch(&call_id);
    let (Some(branch), Some(way)) = (branch, Way::to_user(edge, leg.target)) else {
        return unreached(edge, "no way to the recipient");
    };
    let Ok(copy) = copy(edge, leg, template, &way, &branch) else {
        // It will never be one: the store has octets that no edge wrote.
        return LegOutcome::Answered {
            status: 400,
            reason: "the copy cannot be made".to_owned(),
            retry_after: None,
        };
    };
    let further = || edge.further_branches(&call_id);
    attempt(edge, (copy, &way), (branch, further), leg.target).await
}

fn copy(
    edge: &Edge,
    leg: &Leg<'_>,
    template: &Template,
    way: &Way,
    branch: &str,
) -> Result<Request, NotATemplate> {
    let via = || {
        let sent_by = edge.sip.sent_by(way.transport).parse::<HostPort>();
        sent_by.map_or(0, |sent_by| {
            let via = Via::new(way.transport, sent_by, branch).to_string();
            via.len() + "Via: \r\n".len()
        })
    };
    let is_safe = edge.next_hop.is_some() && edge.config.sip.next_hop_congestion_safe;
    leg.copy(template, &way.routes, is_safe, via)
}
