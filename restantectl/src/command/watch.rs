//! `watch`: one mailbox as it changes.

use clap::Args;
use proto::v1::watch_mailbox_reply::Event;

use super::Session;
use crate::exit::Failure;
use crate::output::Items;
use crate::output::record::WatchRecord;
use crate::target::Address;

/// Follow a mailbox: messages that come or leave, and the counters after that
///
/// Ends when it is interrupted, or after --count events. Changes within a second are shown together.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl watch bob@example.org
  restantectl watch bob@example.org -o jsonl | jq 'select(.message_id)'")]
pub(crate) struct WatchArgs {
    /// The served user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// End after so many events
    #[arg(long, value_name = "COUNT")]
    count: Option<usize>,
}

pub(crate) async fn run(args: &WatchArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let mut events = client.watch(&args.address).await?;
    let mut items = Items::begin(&mut session.output, "events")?;
    let mut ended = Ok(());
    while args.count.is_none_or(|count| items.count() < count) {
        let event = match events.next().await {
            Ok(Some(event)) => event,
            Ok(None) => break,
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        };
        let record = match event {
            Event::Mailbox(mailbox) => WatchRecord::counters(&mailbox),
            Event::Message(message) => WatchRecord::message(message),
        };
        items.write(&record, WatchRecord::text)?;
    }
    let closed = items.finish(&End {});
    ended.and(closed)
}

/// Nothing follows the events.
#[derive(serde::Serialize)]
struct End {}
