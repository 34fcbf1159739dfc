//! `events`: what happens to messages, from the event log.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use proto::v1::{EventKind, WatchEventsRequest};

use super::Session;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::MessageEventRecord;
use crate::target::Address;

/// What can be done with events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    Watch(EventsWatchArgs),
}

/// Follow what happens to messages, of everybody or of one user
///
/// Needs `events.enabled` in the configuration of the storage service. Ends when it is interrupted, or after --count
/// events. Each event has a position: whoever comes back with --after misses nothing that is still kept.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl events watch                                   from now on
  restantectl events watch bob@example.org --kind delivered
  restantectl events watch --from-beginning -o jsonl | jq 'select(.registered | not)'")]
pub(crate) struct EventsWatchArgs {
    /// Only of the user with this address or alias
    #[arg(value_name = "ADDRESS")]
    address: Option<Address>,
    /// From the oldest event that is kept
    #[arg(long, conflicts_with = "after")]
    from_beginning: bool,
    /// Resume behind this position
    #[arg(long, value_name = "POSITION", value_parser = NonEmptyStringValueParser::new())]
    after: Option<String>,
    /// Only these kinds, such as deposited, delivered, expired; may be repeated
    #[arg(long = "kind", value_name = "KIND", value_parser = kind)]
    kinds: Vec<EventKind>,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    count: Option<usize>,
}

pub(crate) async fn run(command: EventsCommand, session: &mut Session) -> Result<(), Failure> {
    match command {
        EventsCommand::Watch(args) => watch(args, session).await,
    }
}

async fn watch(args: EventsWatchArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let served_user = args.address.map(|address| address.to_string());
    let request = WatchEventsRequest {
        after: args.after.unwrap_or_default(),
        from_beginning: args.from_beginning,
        served_user: served_user.unwrap_or_default(),
        kinds: args.kinds.into_iter().map(i32::from).collect(),
    };
    let mut events = client.events(request).await?;
    let mut items = Items::begin(&mut session.output, "events")?;
    let mut ended = Ok(());
    while args.count.is_none_or(|count| items.count() < count) {
        match events.next().await {
            Ok(Some(reply)) => {
                if let Some(record) = MessageEventRecord::from_reply(reply) {
                    items.write(&record, MessageEventRecord::text)?;
                }
            }
            Ok(None) => break,
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
    }
    let closed = items.finish(&End {});
    ended.and(closed)
}

/// A kind as records name it.
fn kind(word: &str) -> Result<EventKind, String> {
    let name = format!("EVENT_KIND_{}", word.to_ascii_uppercase());
    let known = EventKind::from_str_name(&name);
    known
        .filter(|kind| *kind != EventKind::Unspecified)
        .ok_or_else(|| "no such kind of event".to_owned())
}

/// Nothing follows the events.
#[derive(serde::Serialize)]
struct End {}
