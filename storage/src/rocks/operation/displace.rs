//! Dropping the oldest messages of a full mailbox for a newer one (requirements §3.6).

use crate::model::{Class, Event, EventKind, MailboxId, ReportStatus, State};
use crate::rocks::change::settle;
use crate::rocks::row::Oldest;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::displacement::{Candidate, Lack, REASON, displaced, is_urgent};

impl Transaction<'_> {
    /// Drops what must go, or nothing: false if that would not be enough.
    pub(super) fn displace(
        &mut self,
        mailboxes: &[MailboxId],
        lack: Lack,
        new: (Class, bool),
    ) -> Result<bool, Interrupt> {
        let mut candidates = Vec::new();
        let mut found = 0;
        for mailbox in mailboxes {
            let question = Oldest {
                mailbox: *mailbox,
                urgent_too: new.1,
            };
            found += self.oldest(question)?.len();
            candidates.extend(self.candidates(*mailbox, new.1)?);
        }
        let known = candidates.len();
        let Some(displaced) = displaced(candidates, lack, new) else {
            // Others have taken what the rehearsal had found: there may be newer ones by now.
            return match self.is_commit() && known < found {
                true => Err(Interrupt::NotRehearsed),
                false => Ok(false),
            };
        };
        for candidate in displaced {
            self.drop_message(candidate)?;
        }
        Ok(true)
    }

    /// All that the rehearsal has found are loaded, whichever of them will go: others may go first.
    fn candidates(
        &mut self,
        mailbox: MailboxId,
        urgent_too: bool,
    ) -> Result<Vec<Candidate>, Interrupt> {
        let mut candidates = Vec::new();
        let question = Oldest {
            mailbox,
            urgent_too,
        };
        for number in self.oldest(question)? {
            let Some(loaded) = self.load(mailbox, number)? else {
                continue;
            };
            if loaded.state.state == State::Stored {
                candidates.push(Candidate {
                    mailbox,
                    number,
                    class: loaded.envelope.envelope.class,
                    is_urgent: is_urgent(&loaded.envelope.envelope),
                    octets: loaded.envelope.octets(),
                });
            }
        }
        Ok(candidates)
    }

    fn drop_message(&mut self, candidate: Candidate) -> Result<(), Interrupt> {
        let Some(loaded) = self.load(candidate.mailbox, candidate.number)? else {
            return Ok(());
        };
        let now = self.times.wall;
        let retention = &self.shared.config.retention;
        let mut state = settle(&loaded, State::Deleted, now, REASON, retention);
        let told = self.report_end(&loaded, &mut state, ReportStatus::Failed);
        let event = Event {
            at: now,
            kind: EventKind::Dropped,
            generation: None,
            actor: String::new(),
            detail: String::new(),
        };
        let events = std::iter::once(event).chain(told).collect();
        self.save(&loaded, state, events)
    }
}
