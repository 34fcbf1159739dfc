//! What the receiving half of a session takes.

use crate::media_type::AcceptTypes;

/// What a session takes.
#[derive(Debug, Clone)]
pub struct InboxRules {
    /// Whether the negotiated direction lets content come in; else it is refused with 403 (ERR-36).
    pub receive: bool,
    /// Types taken; others are refused with 415 (ERR-34).
    pub accept: AcceptTypes,
    /// Largest message; a larger one is refused with 413 (ERR-35).
    pub max_octets: u64,
    /// Messages that may be incomplete at the same time; more are refused with 413.
    pub open_messages: usize,
    /// Messages taken from the beginning of the session to its end; more are refused with 413
    /// (DEF-13). Empty ones do not count.
    pub messages: usize,
}

impl InboxRules {
    /// Takes every type up to this size.
    pub fn up_to(max_octets: u64) -> InboxRules {
        InboxRules {
            receive: true,
            accept: AcceptTypes::any(),
            max_octets,
            open_messages: 4,
            messages: usize::MAX,
        }
    }

    /// Takes one message of any type up to this size, then nothing (DEF-13).
    pub fn one_up_to(max_octets: u64) -> InboxRules {
        InboxRules {
            open_messages: 1,
            messages: 1,
            ..InboxRules::up_to(max_octets)
        }
    }

    /// Takes nothing but empty SENDs: the session only sends.
    pub fn send_only() -> InboxRules {
        InboxRules {
            receive: false,
            ..InboxRules::up_to(0)
        }
    }
}
