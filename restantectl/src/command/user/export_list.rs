//! `user export-list`: what waits for a user, as he reads it himself.

use clap::Args;

use crate::command::Session;
use crate::exit::Failure;
use crate::output::record::DeferredListRecord;
use crate::target::Address;

/// Write the list of a user's deferred messages as the XML document that the user reads over XCAP
///
/// It names what waits, its first 10,000 messages, and who sent it; contents are not in it. Senders who
/// asked for privacy are not named.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl user export-list bob@example.org > bob.xml
  restantectl user export-list +4930123456 -o json | jq -r .document")]
pub(crate) struct ExportListArgs {
    /// The served user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
}

pub(super) async fn run(args: &ExportListArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let list = DeferredListRecord {
        served_user: args.address.to_string(),
        document: client.deferred_list(&args.address).await?,
    };
    session.output.single(&list, |list| list.document.clone())
}
