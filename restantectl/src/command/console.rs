//! `console`: the way into the operators' web console.

use clap::{Args, ValueEnum};
use proto::v1::{ConsoleRole, CreateSignInRequest};

use super::Session;
use crate::exit::Failure;
use crate::output::record::SignInRecord;
use crate::output::text::escape;

/// Sign in to the web console: print an address that works once, within a minute
///
/// Whoever opens it may do in the console what you may, or only what `--role` says. What stands behind
/// the `#` is a secret: browsers do not send it, and nothing logs it.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl console
  restantectl console --role reader
  ssh -L 9403:127.0.0.1:9403 store.example.org      then open it here")]
pub(crate) struct ConsoleArgs {
    /// What the console may do; by default all that you may
    #[arg(long = "role", value_enum, value_name = "ROLE", value_delimiter = ',')]
    roles: Vec<Role>,
}

/// What somebody may do in the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Look at messages without their contents
    Reader,
    /// Look, and change what is stored
    Operator,
    /// Look, and read contents
    BodyReader,
}

impl From<Role> for ConsoleRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Reader => Self::Reader,
            Role::Operator => Self::Operator,
            Role::BodyReader => Self::BodyReader,
        }
    }
}

pub(crate) async fn run(args: &ConsoleArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let roles = args.roles.iter().copied();
    let query = CreateSignInRequest {
        roles: roles.map(ConsoleRole::from).map(i32::from).collect(),
    };
    let sign_in: SignInRecord = client.sign_in(query).await?.into();
    session.output.single(&sign_in, text)
}

fn text(sign_in: &SignInRecord) -> String {
    let roles = sign_in.roles.join(", ");
    let url = escape(&sign_in.url);
    format!("Open this within a minute; it works once ({roles}):\n\n  {url}\n\n")
}
