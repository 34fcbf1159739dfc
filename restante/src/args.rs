//! What can be typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use command_line::{Completions, Man};

/// Deferred messaging for SIP and IMS networks: keeps messages for users who are offline.
#[derive(Debug, Parser)]
#[command(name = "restante", version, about, after_help = NOTES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const NOTES: &str = "\
Configuration: one file for all processes; `restante config default` prints it with every key and its
default. RESTANTE_<SECTION>__<KEY> in the environment overrides a key. SIGHUP has it read again: what may
change without a restart holds from then on (`restante config reference` says what that is).

Exit codes: 0 ended cleanly, 64 wrong usage, 69 something needed is not there (a port in use), 74 the
data folder, or a file, cannot be used, 78 the configuration is wrong; each with a sentence that says what to do.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Storage service, sip-edge and controlling-edge in one process: for laptops and demonstrations.
    All(Serve),
    /// The storage service: mailboxes over gRPC.
    #[command(args_conflicts_with_subcommands = true)]
    Storage {
        #[command(flatten)]
        serve: Serve,
        #[command(subcommand)]
        command: Option<StorageCommand>,
    },
    /// The participating function: takes in messages for offline users and pushes them later.
    SipEdge(Serve),
    /// The controlling function: groups and URI-lists.
    ControllingEdge(Serve),
    /// About the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print what processes count and measure: docs/metrics.md.
    Metrics,
    /// Print what lines of the log can be about, and what to do about it: docs/log-events.md.
    LogEvents,
    /// Write completions for a shell to standard output.
    Completions(Completions),
    /// Write manual pages, one for each command.
    Man(Man),
    /// Ask a process whether it may be given work: exit 0 if it is ready, 69 if not.
    Ready(Ready),
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The configuration file; without one the defaults hold.
    #[arg(long, value_name = "FILE", env = "RESTANTE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Report every mistake in the configuration and exit, without starting anything.
    #[arg(long)]
    pub(crate) check: bool,
}

/// Work on the data folder while the storage service is stopped.
#[derive(Debug, Subcommand)]
pub(crate) enum StorageCommand {
    /// Verify indexes, counters and contents; exit 74 if anything does not agree.
    Check {
        /// The configuration file; without one the defaults hold.
        #[arg(long, value_name = "FILE", env = "RESTANTE_CONFIG")]
        config: Option<PathBuf>,
        /// Write wrong counters anew from their messages.
        #[arg(long)]
        restate: bool,
    },
    /// Put a backup into the data folder, or take the older copy that lies there for the store from now on: Message-IDs
    /// jump, so that none is used twice.
    Restore {
        /// A backup, or a folder of backups, of which the newest good one is taken: a verified backup, or a checkpoint. The
        /// data folder must be empty; a restore that was cut off is ended by the same one.
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
        /// Verify indexes, counters and contents of what is restored; exit 74 if anything does not agree.
        #[arg(long)]
        check: bool,
        /// The configuration file; without one the defaults hold.
        #[arg(long, value_name = "FILE", env = "RESTANTE_CONFIG")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print a file with every key, its meaning and its default.
    Default,
    /// Print every key with its meaning, its default and when a change takes effect: docs/configuration.md.
    Reference,
    /// Print what holds of every key, by file and environment, without secrets.
    Show {
        /// The configuration file; without one the defaults hold.
        #[arg(long, value_name = "FILE", env = "RESTANTE_CONFIG")]
        config: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Ready {
    /// Admin address of the process.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9400")]
    pub(crate) admin: SocketAddr,
    /// Wait so long for it to become ready, such as 30s.
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) wait: Option<Duration>,
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok());
    number
        .map(Duration::from_secs)
        .ok_or_else(|| format!("'{text}' is no time: write seconds, such as 30s"))
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
    fn a_time_needs_its_unit() {
        assert_eq!(seconds("30s"), Ok(Duration::from_secs(30)));
        assert!(seconds("30").is_err());
        assert!(seconds("s").is_err());
    }
}
