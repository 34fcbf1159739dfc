//! What offer and answer agree on.

use crate::uri::Path;

use super::error::AnswerRefused;
use super::media::{Direction, MsrpMedia, Setup};

/// Port of a media line whose side only connects (RFC 6135 §4.2.2).
const DISCARD_PORT: u16 = 9;

/// Who opens the connection, seen from our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We connect (under MSR-04).
    Active,
    /// The peer connects.
    Passive,
}

/// A session that both sides described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Where our requests go.
    pub peer_path: Path,
    /// Who connects.
    pub role: Role,
    /// Who sends, seen from our side.
    pub direction: Direction,
    /// Largest message the peer wants, in octets: a hint.
    pub max_size: Option<u64>,
    /// Whether 200s come from a hop in between, so that only REPORTs prove delivery (P4, 2.4.3).
    pub needs_reports: bool,
}

/// Judges the answer to our offer.
///
/// An answer without `a=setup` comes from a peer that knows RFC 4975 only: then the offerer
/// connects. An answer `sendrecv` to a `sendonly` offer is taken as `recvonly`; it cannot mean
/// anything else (RFC 3264 §6.1).
pub fn agree(offer: &MsrpMedia, answer: &MsrpMedia) -> Result<Agreement, AnswerRefused> {
    if answer.port == 0 {
        return Err(AnswerRefused::Rejected);
    }
    let secure = answer.path.first().is_secure();
    if answer.protocol != offer.protocol || secure != offer.path.first().is_secure() {
        return Err(AnswerRefused::Protocol);
    }
    let sends = offer.direction.sends() && answer.direction.receives();
    let receives = offer.direction.receives() && answer.direction.sends();
    let direction = match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => return Err(AnswerRefused::Direction),
    };
    Ok(Agreement {
        peer_path: answer.path.clone(),
        role: role_of_offerer(offer.setup, answer.setup)?,
        direction,
        max_size: answer.max_size,
        needs_reports: answer.path.has_relays() || (offer.cema && answer.cema),
    })
}

/// Our media line in answer to an offer: mirrored direction, and `a=setup` if the offer has one
/// (RFC 6135 §4.2). Types, sizes and file attributes are the caller's.
pub fn answer_media(offer: &MsrpMedia, local_path: Path) -> (MsrpMedia, Agreement) {
    let role = match offer.setup {
        Some(Setup::Passive) => Role::Active,
        Some(Setup::Active | Setup::ActPass) | None => Role::Passive,
    };
    let mut answer = MsrpMedia::new(local_path);
    if role == Role::Active {
        answer.port = DISCARD_PORT;
    }
    answer.direction = offer.direction.mirrored();
    answer.setup = offer.setup.map(|_| match role {
        Role::Active => Setup::Active,
        Role::Passive => Setup::Passive,
    });
    let agreement = Agreement {
        peer_path: offer.path.clone(),
        role,
        direction: answer.direction,
        max_size: offer.max_size,
        needs_reports: offer.path.has_relays(),
    };
    (answer, agreement)
}

fn role_of_offerer(offer: Option<Setup>, answer: Option<Setup>) -> Result<Role, AnswerRefused> {
    let role = match answer {
        Some(Setup::Active) => Role::Passive,
        Some(Setup::Passive) | None => Role::Active,
        Some(Setup::ActPass) => return Err(AnswerRefused::Setup),
    };
    match (offer, role) {
        (Some(Setup::Active), Role::Passive) | (Some(Setup::Passive), Role::Active) => {
            Err(AnswerRefused::Setup)
        }
        _ => Ok(role),
    }
}
