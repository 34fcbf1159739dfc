//! On which messages a command works: named, on standard input, or all that match filters.

use std::str::FromStr;

use clap::Args;
use proto::v1::{ListMessagesRequest, Message, MessageState};

use super::filter::Filters;
use super::stopped;
use crate::client::Client;
use crate::exit::{Code, Failure};
use crate::target::{Given, InvalidMessageId, MessageId, all};

/// Messages asked for at a time.
const PAGE: u32 = 200;

/// Hits that are counted for a question; beyond them it says "or more".
const COUNTED: usize = 10_000;

/// What everybody must type who means every message.
const ALL: &str = "ALL";

/// Messages by name or by filters, never both.
#[derive(Args, Clone, Debug)]
pub(crate) struct Selection {
    /// Message-IDs, bare or with `sip:`; `-` reads them from standard input; `ALL` means every
    /// message that the command can change
    #[arg(value_name = "ID")]
    ids: Vec<Named>,
    /// Go on where an earlier run with the same filters was interrupted
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    page_token: String,
    #[command(flatten)]
    pub(crate) filters: Filters,
}

/// One argument.
#[derive(Clone, Debug)]
enum Named {
    All,
    Given(Given<MessageId>),
}

impl FromStr for Named {
    type Err = InvalidMessageId;

    fn from_str(text: &str) -> Result<Self, InvalidMessageId> {
        match text {
            ALL => Ok(Self::All),
            text => text.parse().map(Self::Given),
        }
    }
}

/// What was selected.
#[derive(Debug)]
pub(super) enum Selected {
    /// These.
    Ids(Vec<MessageId>),
    /// These, as they were when they were counted.
    Counted(Vec<Message>),
    /// Those that are found by this.
    Query(Box<ListMessagesRequest>),
}

impl Selection {
    /// What is selected; `states` are meant where no state is typed.
    pub(super) fn selected(&self, states: &[MessageState]) -> Result<Selected, Failure> {
        let is_all = matches!(self.ids.as_slice(), [Named::All]);
        let is_filtered = !self.filters.are_empty();
        if is_all != self.ids.iter().any(|id| matches!(id, Named::All)) {
            return Err(Failure::IdsAndFilters);
        }
        match (self.ids.is_empty() || is_all, is_filtered) {
            (false, true) => Err(Failure::IdsAndFilters),
            (true, true) if is_all => Err(Failure::IdsAndFilters),
            (true, false) if !is_all => Err(Failure::NothingSelected),
            (true, _) => Ok(Selected::Query(Box::new(ListMessagesRequest {
                page_token: self.page_token.clone(),
                ..self.filters.query(states)
            }))),
            (false, false) if !self.page_token.is_empty() => Err(Failure::TokenAndIds),
            (false, false) => {
                let given = self.ids.iter().filter_map(|id| match id {
                    Named::Given(given) => Some(given.clone()),
                    Named::All => None,
                });
                all(&given.collect::<Vec<_>>()).map(Selected::Ids)
            }
        }
    }
}

impl Selected {
    /// What may be changed without `--yes`: one message, or none. It is the one that was counted, whatever has come since.
    pub(super) async fn confirm(
        self,
        verb: &'static str,
        client: &mut Client,
    ) -> Result<Self, Failure> {
        let (counted, count) = match self {
            Self::Query(query) => counted(*query, client).await?,
            Self::Ids(ids) if ids.len() > 1 => (Vec::new(), ids.len()),
            named => return Ok(named),
        };
        match count {
            0 | 1 => Ok(Self::Counted(counted)),
            count => Err(Failure::Unconfirmed {
                verb,
                count,
                items: match count >= COUNTED {
                    true => "messages or more",
                    false => "messages",
                },
            }),
        }
    }
}

/// The first messages that are found, and how many there are, as far as they are counted.
async fn counted(
    mut query: ListMessagesRequest,
    client: &mut Client,
) -> Result<(Vec<Message>, usize), Failure> {
    query.page_size = PAGE;
    let (mut first, mut count) = (Vec::new(), 0);
    loop {
        let page = client.list(query.clone()).await?;
        count += page.messages.len();
        if first.is_empty() {
            first = page.messages;
        }
        if page.next_page_token.is_empty() || count >= COUNTED {
            return Ok((first, count));
        }
        query.page_token = page.next_page_token;
    }
}

/// A series of messages, batch by batch.
pub(super) struct Batches {
    selected: Selected,
    /// Where the batch begins that was handed out last, if it can be asked for again.
    token: Option<String>,
    /// How many there are, if that is known.
    total: Option<usize>,
    is_over: bool,
}

/// One message of a batch: as it was found, if it was.
pub(super) type Found = (MessageId, Option<Message>);

impl Batches {
    pub(super) fn new(selected: Selected) -> Self {
        let total = match &selected {
            Selected::Ids(ids) => Some(ids.len()),
            Selected::Counted(messages) => Some(messages.len()),
            Selected::Query(_) => None,
        };
        Self {
            selected,
            token: None,
            total,
            is_over: false,
        }
    }

    /// The next batch; empty at the end only.
    pub(super) async fn next(&mut self, client: &mut Client) -> Result<Vec<Found>, Failure> {
        while !self.is_over {
            let query = match &mut self.selected {
                Selected::Ids(ids) => {
                    self.is_over = true;
                    let ids = std::mem::take(ids).into_iter();
                    return Ok(ids.map(|id| (id, None)).collect());
                }
                Selected::Counted(messages) => {
                    self.is_over = true;
                    return found(std::mem::take(messages), client);
                }
                Selected::Query(query) => query,
            };
            query.page_size = PAGE;
            self.token = Some(query.page_token.clone());
            let page = client.list((**query).clone()).await?;
            self.is_over = page.next_page_token.is_empty();
            query.page_token = page.next_page_token;
            if !page.messages.is_empty() {
                return found(page.messages, client);
            }
        }
        Ok(Vec::new())
    }

    /// How many messages there are, if that is known.
    pub(super) fn total(&self) -> Option<usize> {
        self.total
    }

    /// The failure of a series that `source` ended after `done`; it says how to go on.
    pub(super) fn broken_off(&self, done: usize, source: Failure) -> Failure {
        match self.total {
            Some(total) => stopped(done, total, source),
            None => Failure::BrokenOff {
                done,
                why: source.to_string(),
                token: self.token(),
                code: source.code_of_series(),
            },
        }
    }

    /// The failure of a series that the operator ended after `done`, before the message `next`.
    pub(super) fn interrupted(&self, done: usize, next: &MessageId) -> Failure {
        let why = match self.total {
            Some(total) => format!(
                "interrupted, {} of {total} left from {next} on",
                total.saturating_sub(done)
            ),
            None => "interrupted".to_owned(),
        };
        Failure::BrokenOff {
            done,
            why,
            token: self.token(),
            code: Code::Interrupted,
        }
    }

    /// What to type to go on from the batch that was handed out last.
    fn token(&self) -> Option<String> {
        self.token.clone().filter(|token| !token.is_empty())
    }
}

fn found(messages: Vec<Message>, client: &Client) -> Result<Vec<Found>, Failure> {
    let found = messages.into_iter().map(|message| {
        let id = message.message_id.parse();
        let id = id.map_err(|_| client.defect("a message without a Message-ID"));
        Ok((id?, Some(message)))
    });
    found.collect()
}
