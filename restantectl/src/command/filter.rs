//! Which messages: the filters that `list` and the commands that change messages have in common.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use prost_types::Timestamp;
use proto::v1::{ListMessagesRequest, MessageClass, MessageState};

use crate::moment::parse_argument;
use crate::target::Address;

/// Filters; all must match.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Filters, all of which must match")]
pub(crate) struct Filters {
    /// Only messages for this served user, by address or alias
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Option<Address>,
    /// Only messages for served users of this domain
    #[arg(long, value_name = "DOMAIN", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) domain: Option<String>,
    /// Only messages from this sender
    #[arg(long, value_name = "ADDRESS")]
    from: Option<Address>,
    /// Only copies of messages to this group
    #[arg(long, value_name = "ADDRESS")]
    group: Option<Address>,
    /// Only messages in these states, comma separated or repeated
    #[arg(long, value_name = "STATE", value_enum, value_delimiter = ',')]
    state: Vec<State>,
    /// Only messages of this class
    #[arg(long, value_name = "CLASS", value_enum)]
    class: Option<Class>,
    /// Only messages of this conversation: their Conversation-ID, exactly
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    conversation_id: Option<String>,
    /// Only messages of this contribution: their Contribution-ID, exactly
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    contribution_id: Option<String>,
    /// Only messages that their sender has given this imdn.Message-ID
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    imdn_message_id: Option<String>,
    /// Only messages received at or after TIME: 2026-08-23T14:30:00Z, 2026-08-23, or 2h (ago)
    #[arg(long, value_name = "TIME", value_parser = parse_argument)]
    since: Option<Timestamp>,
    /// Only messages received before TIME
    #[arg(long, value_name = "TIME", value_parser = parse_argument)]
    before: Option<Timestamp>,
    /// Only messages with a body of at least so many octets, such as 4096, 64KiB or 1MiB
    #[arg(long, value_name = "SIZE", value_parser = octets)]
    min_size: Option<u64>,
    /// Only messages with a body of at most so many octets
    #[arg(long, value_name = "SIZE", value_parser = octets)]
    max_size: Option<u64>,
    /// Only messages whose last attempt failed, or that ended, with this in the reason: 480, MSRP
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    error: Option<String>,
    /// Only messages after so many attempts or more
    #[arg(long, value_name = "COUNT")]
    min_attempts: Option<u32>,
}

/// States of a message, as one types them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// Waits for delivery
    Stored,
    /// Being delivered
    Claimed,
    /// Kept back by an operator
    Held,
    /// Acknowledged by the client
    Delivered,
    /// Its lifetime ended before delivery
    Expired,
    /// Refused for good
    Refused,
    /// Taken back by its sender
    Recalled,
    /// Removed by an operator or the served user
    Deleted,
}

impl From<State> for MessageState {
    fn from(state: State) -> Self {
        match state {
            State::Stored => Self::Stored,
            State::Claimed => Self::Claimed,
            State::Held => Self::Held,
            State::Delivered => Self::Delivered,
            State::Expired => Self::Expired,
            State::Refused => Self::Refused,
            State::Recalled => Self::Recalled,
            State::Deleted => Self::Deleted,
        }
    }
}

/// Classes of messages, as one types them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Class {
    /// A MESSAGE request
    Pager,
    /// Received over MSRP
    Large,
    /// A disposition notification
    Imdn,
}

impl From<Class> for MessageClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Pager => Self::Pager,
            Class::Large => Self::Large,
            Class::Imdn => Self::Imdn,
        }
    }
}

impl Filters {
    /// Whether every message matches.
    pub(crate) fn are_empty(&self) -> bool {
        self.query(&[]) == ListMessagesRequest::default()
    }

    /// Whether a state is typed that is none of `states`.
    pub(super) fn ask_beyond(&self, states: &[MessageState]) -> bool {
        let mut typed = self.state.iter().map(|state| MessageState::from(*state));
        typed.any(|state| !states.contains(&state))
    }

    /// The query for a page of them; `states` are meant where no state is typed.
    pub(crate) fn query(&self, states: &[MessageState]) -> ListMessagesRequest {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let address = |address: &Option<Address>| {
            let address = address.as_ref().map(ToString::to_string);
            address.unwrap_or_default()
        };
        let class = self.class.map_or(MessageClass::Unspecified, Into::into);
        let typed = self.state.iter().map(|state| MessageState::from(*state));
        let states: Vec<_> = match self.state.is_empty() {
            true => states.to_vec(),
            false => typed.collect(),
        };
        ListMessagesRequest {
            served_user: address(&self.to),
            domain: text(&self.domain),
            sender: address(&self.from),
            group: address(&self.group),
            states: states.into_iter().map(i32::from).collect(),
            class: class.into(),
            received_from: self.since,
            received_until: self.before,
            page_size: 0,
            page_token: String::new(),
            conversation_id: text(&self.conversation_id),
            contribution_id: text(&self.contribution_id),
            imdn_message_id: text(&self.imdn_message_id),
            min_octets: self.min_size.unwrap_or_default(),
            max_octets: self.max_size.unwrap_or_default(),
            error: text(&self.error),
            min_attempts: self.min_attempts.unwrap_or_default(),
        }
    }
}

/// Reads a size.
fn octets(text: &str) -> Result<u64, String> {
    let wrong = || "write octets such as 4096, 64KiB or 1MiB".to_owned();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number
        .checked_mul(unit)
        .filter(|octets| *octets > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units_of_1024() {
        assert_eq!(octets("4096"), Ok(4_096));
        assert_eq!(octets("64KiB"), Ok(65_536));
        assert_eq!(octets("2MiB"), Ok(2 << 20));
        for text in [
            "",
            "0",
            "KiB",
            "-1",
            "1kB",
            "99999999999999999999",
            "17179869184GiB",
        ] {
            assert!(octets(text).is_err(), "{text}");
        }
    }

    #[test]
    fn typed_states_come_before_those_that_are_meant() {
        let meant = [MessageState::Held];
        let none = Filters::default();
        assert!(none.are_empty());
        assert_eq!(none.query(&meant).states, [i32::from(MessageState::Held)]);
        let typed = Filters {
            state: vec![State::Stored],
            ..none
        };
        assert!(!typed.are_empty());
        assert_eq!(
            typed.query(&meant).states,
            [i32::from(MessageState::Stored)]
        );
    }
}
