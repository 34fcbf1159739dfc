//! `group export` and `group import`: groups as lines of JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;

use clap::Args;
use proto::v1::ListGroupsRequest;

use super::change::{self, Action};
use crate::command::Session;
use crate::exit::Failure;
use crate::output::record::GroupRecord;
use crate::target::Address;

/// Octets of one line: a group of 10,000 members with long names.
const LINE_OCTETS_MAX: u64 = 16 << 20;
/// Lines of one import.
const LINES_MAX: usize = 10_000;

/// Make the groups that `group export` has written
///
/// One record per line, with its members. Fields that are missing are off or empty. A group that is there
/// already fails, unless --replace is given; then it becomes as it is written.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl group import groups.jsonl
  restantectl group import groups.jsonl --replace --dry-run
  restantectl group import - --replace < groups.jsonl
  echo '{\"uri\":\"sip:team@example.org\",\"members\":[{\"uri\":\"sip:bob@example.org\"}]}' |
    restantectl group import -")]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Put groups in the place of those that are there
    #[arg(long)]
    replace: bool,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Write groups with their members, one record per line
///
/// Always as JSON lines, whatever --output says: `group import` reads them. Without addresses all groups.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl group export > groups.jsonl
  restantectl group export team@example.org | jq -r '.members[].uri'")]
pub(crate) struct ExportArgs {
    /// Addresses of the groups
    #[arg(value_name = "ADDRESS")]
    groups: Vec<Address>,
}

/// Reads everything before it changes anything.
pub(super) async fn import(args: &ImportArgs, session: &mut Session) -> Result<(), Failure> {
    let groups = match args.file.as_os_str() == "-" {
        true => records(io::stdin().lock())?,
        false => records(BufReader::new(
            File::open(&args.file).map_err(Failure::Input)?,
        ))?,
    };
    let replace = args.replace;
    let imports = groups.into_iter().map(|record| Action::Import {
        group: record.into(),
        replace,
    });
    change::run(imports.collect(), args.dry_run, session).await
}

fn records(mut input: impl BufRead) -> Result<Vec<GroupRecord>, Failure> {
    let mut records = Vec::new();
    for line in 1.. {
        let mut text = String::new();
        let mut limited = input.by_ref().take(LINE_OCTETS_MAX);
        if limited.read_line(&mut text).map_err(Failure::Input)? == 0 {
            break;
        }
        if text.trim().is_empty() {
            continue;
        }
        let bad = |problem: String| Failure::BadLine { line, problem };
        let mut record: GroupRecord =
            serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
        canonical(&mut record).map_err(|error| bad(error.to_string()))?;
        records.push(record);
        if records.len() > LINES_MAX {
            return Err(Failure::TooManyLines { limit: LINES_MAX });
        }
    }
    Ok(records)
}

/// Addresses may be written as on the command line.
fn canonical(record: &mut GroupRecord) -> Result<(), crate::target::InvalidAddress> {
    let spell = |text: &mut String| {
        let address: Address = text.parse()?;
        *text = address.to_string();
        Ok(())
    };
    spell(&mut record.uri)?;
    record.owner.as_mut().map_or(Ok(()), spell)?;
    let members = record.members.iter_mut().flatten();
    members.map(|member| &mut member.uri).try_for_each(spell)
}

pub(super) async fn export(args: &ExportArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    for group in &args.groups {
        let group = client.group(&group.to_string()).await?;
        session.output.line(&GroupRecord::whole(group))?;
    }
    if !args.groups.is_empty() {
        return Ok(());
    }
    let mut query = ListGroupsRequest::default();
    loop {
        let reply = client.groups(query.clone()).await?;
        for head in reply.groups {
            match client.group(&head.uri).await {
                Ok(group) => session.output.line(&GroupRecord::whole(group))?,
                // Deleted meanwhile.
                Err(Failure::Item { .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
        if !reply.next_page_token.is_empty() && reply.next_page_token == query.page_token {
            return Err(client.defect("a page that leads to itself"));
        }
        query.page_token = reply.next_page_token;
        if query.page_token.is_empty() {
            return Ok(());
        }
    }
}
