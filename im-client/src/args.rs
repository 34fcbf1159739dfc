//! What can be typed.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use command_line::{Completions, Man};
use restante_im_client::deferred::XcapRoot;
use sip::{StatusCode, Uri};

mod send;
mod value;

pub(crate) use send::Send;
use value::{at_least_one, duration, octets, refusal, setting};
use xcap::poc_settings::Setting;

/// Sends and receives instant messages over SIP and MSRP, as the clients of OMA SIMPLE IM do.
#[derive(Debug, Parser)]
#[command(name = "im-client", version, about, after_help = EXAMPLES)]
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
    /// Who connects when a message session is set up: this client, or its peer if it can.
    #[arg(long, value_enum, default_value = "active")]
    pub(crate) setup: SetupChoice,
    /// Offer message sessions over TLS.
    #[arg(long)]
    pub(crate) tls: bool,
    /// Longest chunk sent in a message session, such as 2048 or 256KiB.
    #[arg(long, value_name = "SIZE", default_value = "256KiB", value_parser = octets)]
    pub(crate) chunk_size: u64,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  im-client --user sip:alice@example.org send sip:bob@example.org \"Lunch at noon?\"
  im-client send sip:bob@example.org \"Lunch?\" --also sip:carol@example.org --factory sip:im-factory@example.org
  im-client send sip:bob@example.org \"Lunch?\" --report processing,positive-delivery --reports sent.json
  im-client --user sip:bob@example.org receive --count 1
  im-client --user sip:bob@example.org subscribe
  im-client --user sip:bob@example.org publish offline-delivery=off
  im-client --user sip:bob@example.org list --xcap-root https://xcap.example.org/
  im-client --user sip:bob@example.org fetch 7@store.example.org --save received
  im-client --user sip:bob@example.org delete 7@store.example.org --xcap-root https://xcap.example.org/
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
    /// Send a message, or files: short ones by MESSAGE, others in sessions of their own.
    Send(Box<Send>),
    /// Register, and say which bindings the user has.
    Register(Register),
    /// Publish settings, or refresh or remove what was published, and say its tag.
    Publish(Publish),
    /// Subscribe to what waits for the user and show it, now and whenever it changes.
    Subscribe(Subscribe),
    /// Show what waits for the user, without receiving it.
    List(List),
    /// Fetch one of the messages that wait for the user, and only that.
    Fetch(Fetch),
    /// Delete messages that wait for the user, unread.
    Delete(Delete),
    /// Register, accept push sessions and show what they deliver.
    Receive(Receive),
    /// Send many short messages and report rate and latency.
    Load(Load),
    /// Send many large messages at the same time and report rate and latency.
    LoadLarge(LoadLarge),
    /// Write completions for a shell to standard output.
    Completions(Completions),
    /// Write manual pages, one for each command.
    Man(Man),
}

#[derive(Debug, Args)]
pub(crate) struct Register {
    /// How long the registration shall live; 0s ends it.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// SETTING=on or SETTING=off: session-barring, message-barring, invisibility, offline-delivery,
    /// session-history, message-history, file-transfer-barring. None: refresh, or remove by --expires 0s.
    #[arg(value_name = "SETTING=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<(Setting, bool)>,
    /// The tag of the publication to replace, refresh or remove.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// How long it shall hold; 0s removes it.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,
    /// Name of this client among those of its user.
    #[arg(
        long,
        value_name = "URN",
        default_value = "urn:uuid:00000000-0000-1000-8000-000000000000"
    )]
    pub(crate) entity: String,
}

#[derive(Debug, Args)]
pub(crate) struct Subscribe {
    /// End after so many notices; without it, show them until interrupted.
    #[arg(long, value_name = "N")]
    pub(crate) count: Option<usize>,
    /// How long the subscription shall live; it is refreshed at half time. 0s asks once.
    #[arg(long, default_value = "1h", value_parser = duration)]
    pub(crate) expires: Duration,
    /// One JSON object per notice instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The server of the user's list.
#[derive(Debug, Args)]
pub(crate) struct Xcap {
    /// Where the list is read and changed by XCAP.
    #[arg(long = "xcap-root", value_name = "URI", env = "IM_XCAP_ROOT")]
    pub(crate) root: XcapRoot,
    /// PEM file of the authorities that vouch for that server, where the URI says https.
    #[arg(
        long = "xcap-ca",
        value_name = "FILE",
        env = "IM_XCAP_CA",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    pub(crate) authorities: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) xcap: Xcap,
    /// One JSON object per message instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// Message-IDs, as `list` shows them.
    #[arg(value_name = "MESSAGE-ID", required = true)]
    pub(crate) ids: Vec<String>,
    #[command(flatten)]
    pub(crate) xcap: Xcap,
}

#[derive(Debug, Args)]
pub(crate) struct Fetch {
    /// Its Message-ID, as `list` and `subscribe` show it.
    #[arg(value_name = "MESSAGE-ID")]
    pub(crate) id: String,
    /// Keep its content in this folder, before it is acknowledged.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save: Option<PathBuf>,
    /// Largest message taken, such as 64MiB.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = octets)]
    pub(crate) max_size: u64,
    /// A JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Receive {
    /// Refuse every message and session with this status, such as 480, 486 or 603.
    #[arg(long, value_name = "CODE", value_parser = refusal)]
    pub(crate) reject: Option<StatusCode>,
    /// Keep the content of every message in this folder; one file for each.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save: Option<PathBuf>,
    /// Types our answers accept in a session, such as "multipart/mixed message/cpim".
    #[arg(long, value_name = "TYPES", default_value = "*")]
    pub(crate) accept_types: String,
    /// Largest message taken from a session, such as 64MiB.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = octets)]
    pub(crate) max_size: u64,
    /// Keep in this file for 12 hours which messages have come: one that comes again is not shown again. Reports are shown
    /// with the messages of `send --reports` that they are about.
    #[arg(long, value_name = "FILE", env = "IM_REPORTS")]
    pub(crate) reports: Option<PathBuf>,
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

#[derive(Debug, Args)]
pub(crate) struct LoadLarge {
    /// So many messages on their way at the same time.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = at_least_one)]
    pub(crate) parallel: usize,
    /// End after so many messages.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = at_least_one)]
    pub(crate) count: usize,
    /// Open loop: so many messages begin per second; what finds no place among --parallel waits, and its
    /// waiting counts.
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<f64>,
    /// Length of each message, such as 1MiB.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = octets)]
    pub(crate) size: u64,
    /// Recipients, in turn.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = at_least_one)]
    pub(crate) mailboxes: usize,
    /// One JSON object instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum TransportChoice {
    Udp,
    Tcp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory as _;
        Arguments::command().debug_assert();
    }
}
