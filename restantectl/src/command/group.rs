//! `group`: who gets a copy of what is sent to a group.

mod change;
mod exchange;
mod foresee;

use clap::{Args, Subcommand};
use proto::v1::{Group, GroupMember, ListGroupsRequest};

use super::Session;
use super::limit::Limit;
use super::pages::{Listing, show};
use crate::client::Client;
use crate::exit::Failure;
use crate::output::record::GroupRecord;
use crate::output::table::{Column, Grid};
use crate::output::text::escape;
use crate::target::{Address, Given, all};

use change::Action;
use exchange::{ExportArgs, ImportArgs};

const COLUMNS: [Column; 4] = [
    Column::whole("GROUP"),
    Column::number("MEMBERS"),
    Column::whole("FLAGS"),
    Column::cuttable("NAME"),
];

const MEMBER_COLUMNS: [Column; 2] = [Column::whole("MEMBER"), Column::cuttable("NAME")];

/// What can be done with groups.
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    Create(CreateArgs),
    Show(ShowArgs),
    List(GroupListArgs),
    /// Add members to a group
    ///
    /// Nothing changes for who is a member already.
    #[command(after_help = "\
Examples:
  restantectl group add team@example.org bob@example.org carol@example.org
  restantectl group add team@example.org - < members.txt     one address per line")]
    Add(MembersArgs),
    /// Take members out of a group
    ///
    /// What was accepted before still goes to them.
    #[command(after_help = "\
Examples:
  restantectl group remove team@example.org bob@example.org")]
    Remove(MembersArgs),
    /// Forget groups
    ///
    /// What was accepted before is still sent.
    #[command(after_help = "\
Examples:
  restantectl group delete team@example.org
  restantectl group delete - --dry-run < gone.txt
  restantectl group delete - --yes < gone.txt")]
    Delete(DeleteArgs),
    Import(ImportArgs),
    Export(ExportArgs),
}

/// Make a group
///
/// At most 10,000 members. A member who writes gets no copy himself.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl group create team@example.org --name 'The team' bob@example.org carol@example.org
  restantectl group create news@example.org --owner alice@example.org - < readers.txt
  restantectl group create help@example.org --non-members-may-send bob@example.org")]
pub(crate) struct CreateArgs {
    /// Address of the group
    #[arg(value_name = "ADDRESS")]
    group: Address,
    /// Its first members; `-` reads them from standard input
    #[arg(value_name = "MEMBER")]
    members: Vec<Given<Address>>,
    /// What people call it
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    name: String,
    /// Who may change it by XCAP; without this only operators may
    #[arg(long, value_name = "ADDRESS")]
    owner: Option<Address>,
    /// Take messages of senders who hide their identity
    #[arg(long)]
    allow_anonymity: bool,
    /// Take messages of everybody, not only of members
    #[arg(long)]
    non_members_may_send: bool,
    /// Name the members in each copy
    #[arg(long)]
    disclose_members: bool,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Show a group and its members
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl group show team@example.org
  restantectl group show team@example.org -o json | jq -r '.members[].uri'")]
pub(crate) struct ShowArgs {
    /// Address of the group
    #[arg(value_name = "ADDRESS")]
    group: Address,
}

/// List groups, without their members
///
/// Flags: `a` takes anonymous senders, `n` takes non-members, `d` names its members. If there are more than
/// --limit, standard error says how to go on.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl group list
  restantectl group list --limit all -o jsonl | jq 'select(.member_count > 1000) | .uri'")]
pub(crate) struct GroupListArgs {
    /// Show at most this many groups, or `all`
    #[arg(long, value_name = "COUNT", default_value = "100")]
    limit: Limit,
    /// Go on where an earlier list ended
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    page_token: String,
}

/// Which members of which group.
#[derive(Args, Debug)]
pub(crate) struct MembersArgs {
    /// Address of the group
    #[arg(value_name = "ADDRESS")]
    group: Address,
    /// The members; `-` reads them from standard input
    #[arg(value_name = "MEMBER", required = true)]
    members: Vec<Given<Address>>,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// Which groups to forget.
#[derive(Args, Debug)]
pub(crate) struct DeleteArgs {
    /// Addresses of the groups; `-` reads them from standard input
    #[arg(value_name = "ADDRESS", required = true)]
    groups: Vec<Given<Address>>,
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Delete more than one group
    #[arg(long)]
    yes: bool,
}

pub(crate) async fn run(command: GroupCommand, session: &mut Session) -> Result<(), Failure> {
    match command {
        GroupCommand::Create(args) => {
            let dry_run = args.dry_run;
            let create = Action::Create(args.group()?);
            change::run(vec![create], dry_run, session).await
        }
        GroupCommand::Show(args) => one(&args.group, session).await,
        GroupCommand::List(args) => list(args, session).await,
        GroupCommand::Add(args) => {
            let members = members(&args.members)?;
            let add = Action::Add(args.group, members);
            change::run(vec![add], args.dry_run, session).await
        }
        GroupCommand::Remove(args) => {
            let members = all(&args.members)?;
            let remove = Action::Remove(args.group, members);
            change::run(vec![remove], args.dry_run, session).await
        }
        GroupCommand::Delete(args) => {
            let groups = all(&args.groups)?;
            if groups.len() > 1 && !args.yes && !args.dry_run {
                return Err(Failure::Unconfirmed {
                    verb: "group delete",
                    count: groups.len(),
                    items: "groups",
                });
            }
            let deletions = groups.into_iter().map(Action::Delete);
            change::run(deletions.collect(), args.dry_run, session).await
        }
        GroupCommand::Import(args) => exchange::import(&args, session).await,
        GroupCommand::Export(args) => exchange::export(&args, session).await,
    }
}

impl CreateArgs {
    fn group(self) -> Result<Group, Failure> {
        Ok(Group {
            uri: self.group.to_string(),
            display_name: self.name,
            owner: self.owner.map(|it| it.to_string()).unwrap_or_default(),
            allow_anonymity: self.allow_anonymity,
            non_members_may_send: self.non_members_may_send,
            disclose_members: self.disclose_members,
            members: members(&self.members)?,
            ..Group::default()
        })
    }
}

fn members(given: &[Given<Address>]) -> Result<Vec<GroupMember>, Failure> {
    let members = all(given)?.into_iter().map(|member| GroupMember {
        uri: member.to_string(),
        display_name: String::new(),
    });
    Ok(members.collect())
}

async fn list(args: GroupListArgs, session: &mut Session) -> Result<(), Failure> {
    let listing = Listing {
        name: "groups",
        columns: &COLUMNS,
        row,
    };
    show(
        listing,
        args.limit,
        args.page_token,
        session,
        async |client: &mut Client, page_size, page_token| {
            let query = ListGroupsRequest {
                page_size,
                page_token,
            };
            let reply = client.groups(query).await?;
            let groups = reply.groups.into_iter().map(GroupRecord::head);
            Ok((groups.collect(), reply.next_page_token))
        },
    )
    .await
}

async fn one(group: &Address, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let group = client.group(&group.to_string()).await?;
    session.output.single(&GroupRecord::whole(group), text)
}

fn row(group: &GroupRecord) -> Vec<String> {
    vec![
        group.uri.clone(),
        group.member_count.to_string(),
        flags(group),
        group.display_name.clone(),
    ]
}

fn flags(group: &GroupRecord) -> String {
    let flags = [
        (group.allow_anonymity, 'a'),
        (group.non_members_may_send, 'n'),
        (group.disclose_members, 'd'),
    ];
    let set: String = flags
        .into_iter()
        .filter_map(|(is_set, flag)| is_set.then_some(flag))
        .collect();
    match set.is_empty() {
        true => "-".to_owned(),
        false => set,
    }
}

/// For people.
fn text(group: &GroupRecord) -> String {
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let head = format!(
        "group                 {}\nname                  {}\nowner                 {}\ndocument              {}\n\
         anonymous senders     {}\nnon-members may send  {}\nmembers are named     {}\n\
         members               {}\n",
        escape(&group.uri),
        escape(&group.display_name),
        escape(group.owner.as_deref().unwrap_or("operators")),
        escape(group.document.as_deref().unwrap_or("-")),
        yes(group.allow_anonymity),
        yes(group.non_members_may_send),
        yes(group.disclose_members),
        group.member_count,
    );
    let members = group.members.iter().flatten();
    let rows = members.map(|member| vec![member.uri.clone(), member.display_name.clone()]);
    let rows: Vec<_> = rows.collect();
    match rows.is_empty() {
        true => head,
        false => format!("{head}\n{}", Grid::new(&MEMBER_COLUMNS).page(&rows)),
    }
}
