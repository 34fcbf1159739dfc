//! What can be typed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sip::Uri;

/// Sends and receives instant messages over SIP and MSRP, as the clients of OMA SIMPLE IM do.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Whose client this is: his IM address.
    #[arg(
        long,
        value_name = "URI",
        env = "IM_USER",
        default_value = "sip:alice@example.org"
    )]
    pub(crate) user: Uri,
    /// Where every request goes.
    #[arg(
        long,
        value_name = "URI",
        env = "IM_PROXY",
        default_value = "sip:127.0.0.1:5060;transport=tcp"
    )]
    pub(crate) proxy: Uri,
    /// Address of this machine to send from and to be reached at.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) local: IpAddr,
    /// Port to be reached at by SIP; 0 means any.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// Assert the user's identity, as a core does that the server trusts, instead of preferring it.
    #[arg(long)]
    pub(crate) assert_identity: bool,
    /// Who connects when a message session is set up: this client, or its peer.
    #[arg(long, value_enum, default_value = "active")]
    pub(crate) setup: SetupChoice,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  im-client --user sip:alice@example.org send sip:bob@example.org \"Lunch at noon?\"
  im-client --user sip:bob@example.org receive --count 1
  im-client load --target 127.0.0.1:5060 --in-flight 50 --for 10s

Exit codes: 0 done, 2 wrong arguments, 69 the peer cannot be reached, does not answer or refuses.";

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SetupChoice {
    /// This client connects.
    Active,
    /// The peer connects.
    Passive,
}

impl From<SetupChoice> for msrp::sdp::Role {
    fn from(choice: SetupChoice) -> Self {
        match choice {
            SetupChoice::Active => Self::Active,
            SetupChoice::Passive => Self::Passive,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Send one message.
    Send(Send),
    /// Register, and say which bindings the user has.
    Register(Register),
    /// Register, accept push sessions and show what they deliver.
    Receive(Receive),
    /// Send many messages and report rate and latency.
    Load(Load),
}

#[derive(Debug, Args)]
pub(crate) struct Send {
    /// The recipient.
    pub(crate) to: Uri,
    /// The text; left out, it is read from --file or from standard input.
    pub(crate) text: Option<String>,
    /// Send the content of this file.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    pub(crate) file: Option<PathBuf>,
    /// MIME type of the content.
    #[arg(long, default_value = "text/plain;charset=utf-8")]
    pub(crate) content_type: String,
    /// Subject of the message.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Lifetime of the message, such as 90s, 12h or 7d.
    #[arg(long, value_parser = duration)]
    pub(crate) expires: Option<Duration>,
    /// Hide who sends it from the recipient.
    #[arg(long)]
    pub(crate) anonymous: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// How long the registration shall live; 0s ends it.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// End after so many messages; without it, receive until interrupted.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<usize>,
    /// Give up after this time; with --count, an error if fewer came.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub(crate) limit: Option<Duration>,
    /// How long the registration shall live; it is refreshed at half time.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,
    /// One JSON object per message instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// Where to send.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:5060")]
    pub(crate) target: SocketAddr,
    /// By which transport.
    #[arg(long, value_enum, default_value = "udp")]
    pub(crate) transport: TransportChoice,
    /// Over how many sockets or connections.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) connections: usize,
    /// Closed loop: so many requests in flight.
    #[arg(long, value_name = "N", default_value_t = 50, conflicts_with = "rate")]
    pub(crate) in_flight: usize,
    /// Open loop: so many requests per second, whether answers come or not.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// Time before anything is counted.
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// Time that is counted.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub(crate) duration: Duration,
    /// Recipients, drawn at random.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) mailboxes: u32,
    /// Senders, drawn at random.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) senders: u32,
    /// Octets of each body.
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub(crate) body_octets: usize,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TransportChoice {
    Udp,
    Tcp,
}

/// A number with a unit: ms, s, m, h or d.
fn duration(text: &str) -> Result<Duration, String> {
    let split = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| expected_duration(text))?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected_duration(text)),
    };
    number
        .checked_mul(millis)
        .map(Duration::from_millis)
        .ok_or_else(|| expected_duration(text))
}

fn expected_duration(text: &str) -> String {
    format!("'{text}' is no time: write a number with a unit, such as 500ms, 30s, 5m, 12h or 7d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }

    #[test]
    fn times_need_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
