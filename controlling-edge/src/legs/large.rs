//! One try of one leg of a large message: INVITE, MSRP session, one SEND of what the store has, BYE (CFL-08..12).

use edge::open_session::OpenSession;
use edge::sending::{Errand, InviteFailure, SendEnd, Session, Step, StoredBody, establish};
use edge::way::Way;
use storage_client::fan_out::{Leg, LegOutcome};

use crate::copies::{self, NotATemplate, large};
use crate::edge::Edge;
use edge::attempt::{of_final, unreached};

/// The status of a target that is silent.
const REQUEST_TIMEOUT: u16 = 408;
/// The status of one who cannot be reached now; he is tried again.
const TEMPORARILY_UNAVAILABLE: u16 = 480;
/// The status of one who takes no such session.
const NOT_ACCEPTABLE: u16 = 488;
/// The status of what will never be a copy.
const BAD_REQUEST: u16 = 400;
/// The status of a message that is larger than its recipient takes.
const TOO_LARGE: u16 = 413;

/// Sends a copy and waits for what becomes of it, then says so and ends the session.
pub(super) async fn send(edge: &Edge, leg: Leg, copy: &copies::Leg<'_>) {
    let hop = edge.next_hop.as_ref();
    if hop.is_some_and(|hop| hop.pause().is_some()) {
        return super::settle(leg, unreached(edge, "next hop paused"));
    }
    let Some(way) = Way::to_user(edge, copy.target) else {
        return super::settle(leg, unreached(edge, "no way to the recipient"));
    };
    let made = large::inviter(&leg.job.template, copy.call_id_prefix());
    let made = made.and_then(|inviter| {
        let outbound = large::outbound(&leg.job.template, leg.job.octets)?;
        Ok((inviter, outbound))
    });
    let (inviter, mut outbound) = match made {
        Ok(made) => made,
        // It will never be one: the store has octets that no edge wrote.
        Err(NotATemplate) => {
            return super::settle(leg, answered(BAD_REQUEST, "the copy cannot be made"));
        }
    };
    let errand = Errand {
        target: copy.target,
        way: &way,
        inviter,
    };
    let established = match establish(&edge.user_agent, errand, unwanted(&leg)).await {
        Ok(established) => established,
        Err(failure) => {
            let outcome = of_invite(&failure, edge);
            return super::settle(leg, outcome);
        }
    };
    let _open = OpenSession::outgoing();
    let mut session = Session::new(edge, established);
    let outcome = match session.terms().fits(leg.job.octets) {
        Err(reason) => answered(TOO_LARGE, reason),
        Ok(()) => {
            outbound.success_report |= session.needs_reports();
            let ticket = session.send(outbound, content(edge, &leg)).await;
            session.follow(async { SendEnd::from(ticket.await) });
            sent(&mut session, &leg).await
        }
    };
    // Before the BYE: whoever comes next for this recipient waits for no courtesy.
    super::settle(leg, outcome);
    session.close().await;
}

/// The octets of the message, read under the claim of the leg while they leave.
fn content(edge: &Edge, leg: &Leg) -> StoredBody {
    let (storage, claim, octets) = (edge.storage.clone(), leg.claim, leg.job.octets);
    StoredBody::new(octets, async move {
        let opened = storage.read_job_content(claim, 0, octets);
        opened.await.map_err(std::io::Error::other)
    })
}

/// Waits until the leg is somebody else's, or an operator ends its job (CFL-07).
async fn unwanted(leg: &Leg) {
    tokio::select! {
        () = leg.lost() => {}
        () = leg.cancelled() => {}
    }
}

/// Waits for the end of the SEND.
async fn sent(session: &mut Session<'_, SendEnd>, leg: &Leg) -> LegOutcome {
    while session.in_flight() > 0 {
        tokio::select! {
            step = session.step() => match step {
                Step::Sent(end) => return of_send(end),
                Step::Continues | Step::EndedByPeer => {}
                Step::Expired => return answered(TEMPORARILY_UNAVAILABLE, "session expired"),
            },
            () = unwanted(leg) => return LegOutcome::Returned,
        }
    }
    answered(TEMPORARILY_UNAVAILABLE, "BYE of the client")
}

fn answered(status: u16, reason: impl Into<String>) -> LegOutcome {
    LegOutcome::Answered {
        status,
        reason: reason.into(),
        retry_after: None,
    }
}

/// What an INVITE that came to nothing says of the recipient, as a status that the store judges (CFP-18, CFL-11).
fn of_invite(failure: &InviteFailure, edge: &Edge) -> LegOutcome {
    match failure {
        InviteFailure::Status {
            status,
            retry_after,
        } => {
            let reason = format!("INVITE {status}");
            of_final(status.code(), reason, *retry_after, edge.next_hop.is_some())
        }
        InviteFailure::NoAnswer => answered(REQUEST_TIMEOUT, "INVITE not answered"),
        InviteFailure::Unreachable => unreached(edge, "INVITE not sent"),
        InviteFailure::NotUsable(why) => answered(NOT_ACCEPTABLE, *why),
        InviteFailure::NotConnected => answered(TEMPORARILY_UNAVAILABLE, "MSRP not connected"),
        InviteFailure::EndedByClient => answered(TEMPORARILY_UNAVAILABLE, "BYE of the client"),
        InviteFailure::Withdrawn => LegOutcome::Returned,
    }
}

/// 403, 413 and 415 are the recipient's word on this message, everything else on the session (RFC 4975 §7.3.2), which
/// is tried again.
fn of_send(end: SendEnd) -> LegOutcome {
    match end {
        SendEnd::Delivered => answered(200, "MSRP 200"),
        SendEnd::Refused(code @ (403 | 413 | 415)) => answered(code, format!("MSRP {code}")),
        SendEnd::Refused(code) => answered(TEMPORARILY_UNAVAILABLE, format!("MSRP {code}")),
        SendEnd::Timeout => answered(TEMPORARILY_UNAVAILABLE, "MSRP not answered"),
        SendEnd::ConnectionLost => answered(TEMPORARILY_UNAVAILABLE, "MSRP connection lost"),
        SendEnd::Unreadable => answered(TEMPORARILY_UNAVAILABLE, "message not readable"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(outcome: &LegOutcome) -> Option<u16> {
        match outcome {
            LegOutcome::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }

    #[test]
    fn cfl_11_each_end_of_a_send_is_a_status() {
        let table = [
            (SendEnd::Delivered, 200),
            (SendEnd::Refused(403), 403),
            (SendEnd::Refused(413), 413),
            (SendEnd::Refused(415), 415),
            (SendEnd::Refused(481), 480),
            (SendEnd::Timeout, 480),
            (SendEnd::ConnectionLost, 480),
            (SendEnd::Unreadable, 480),
        ];
        for (end, expected) in table {
            assert_eq!(status(&of_send(end)), Some(expected), "{end:?}");
        }
    }
}
