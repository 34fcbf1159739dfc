//! The newest messages of a mailbox: what a waiting indication names (MWI-03).

use super::database::BackScan;
use super::query::stored_message;
use super::shared::Shared;
use crate::column_family::Family;
use crate::key::{self, MessageRow};
use crate::model::{
    Class, MailboxId, MessageNumber, Sequence, StoredMessage, Waiting, WaitingQuestion,
};
use crate::store::StoreError;
use crate::value::{self, EnvelopeValue, StateValue};

/// Rows looked at in each mailbox at most: settled messages stand between those that wait.
const LOOKED_AT: usize = 4_000;

impl Shared {
    pub(super) fn waiting(
        &self,
        questions: &[WaitingQuestion],
    ) -> Result<Vec<Option<Waiting>>, StoreError> {
        let answers = questions.iter().map(|question| {
            // Whoever asks about a mailbox that has joined an account means the account.
            let account = self.directory.owner(question.mailbox);
            let mut summary = match self.summary(account) {
                Ok(summary) => summary,
                Err(StoreError::NotFound) => return Ok(None),
                Err(error) => return Err(error),
            };
            summary.mailbox = question.mailbox;
            let newest = self.newest(account, question.after, question.messages)?;
            Ok(Some(Waiting { summary, newest }))
        });
        answers.collect()
    }

    /// Undelivered messages after `after`, notifications left out, the newest first.
    fn newest(
        &self,
        mailbox: MailboxId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<StoredMessage>, StoreError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        for mailbox in self.directory.mailboxes_of(mailbox) {
            self.newest_of_one(mailbox, after, limit, &mut found)?;
        }
        found.sort_unstable_by_key(|message| std::cmp::Reverse(message.envelope.sequence));
        found.truncate(limit);
        Ok(found)
    }

    fn newest_of_one(
        &self,
        mailbox: MailboxId,
        after: Sequence,
        limit: usize,
        found: &mut Vec<StoredMessage>,
    ) -> Result<(), StoreError> {
        let lower = key::waiting(mailbox, MessageNumber(after.0.saturating_add(1)));
        let upper = key::mailbox(MailboxId(mailbox.0.saturating_add(1)));
        let mut scan = self.database.scan_back(Family::Messages, &lower, &upper);
        let (mut hits, mut state) = (0, None);
        for _ in 0..LOOKED_AT {
            match row(&mut scan)? {
                // The state of a message comes before its envelope on the way back.
                Some(Row::State(row)) => state = Some(row),
                Some(Row::Envelope(row)) => {
                    let state = state.take();
                    let state = state.unwrap_or_else(|| StateValue::fresh(&row.envelope));
                    if !state.state.is_settled() && row.envelope.class != Class::Imdn {
                        found.push(stored_message(row.envelope, &state));
                        hits += 1;
                    }
                }
                None => break,
            }
            if hits >= limit {
                break;
            }
        }
        Ok(())
    }
}

enum Row {
    Envelope(Box<EnvelopeValue>),
    State(StateValue),
}

fn row(scan: &mut BackScan<'_>) -> Result<Option<Row>, StoreError> {
    scan.step(|key, octets| {
        let (_, _, row) = key::decode_message(key)?;
        Ok(match row {
            MessageRow::Envelope => Row::Envelope(Box::new(value::decode(octets)?)),
            MessageRow::State => Row::State(value::decode(octets)?),
        })
    })
}
