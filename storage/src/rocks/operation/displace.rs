//! Dropping the oldest messages of a full mailbox for a newer one (requirements §3.6).

use crate::model::{Class, Event, EventKind, MailboxId, MessageNumber, ReportStatus, State};
use crate::rocks::change::settle;
use crate::rocks::row::Oldest;
use crate::rocks::transaction::{Interrupt, Transaction};
use crate::rule::displacement::{Candidate, Lack, REASON, displaced};

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
                new,
            };
            for number in self.oldest(question)? {
                found += 1;
                candidates.extend(self.candidate(*mailbox, number)?);
            }
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

    /// A message that can make way: it waits, and is not on its way under a claim that lives. All that the rehearsal
    /// has found are looked at with everything that dropping them reads, whichever of them will go: others may go first.
    fn candidate(
        &mut self,
        mailbox: MailboxId,
        number: MessageNumber,
    ) -> Result<Option<Candidate>, Interrupt> {
        let Some(loaded) = self.load(mailbox, number)? else {
            return Ok(None);
        };
        let sender = loaded.envelope.bounded_sender();
        let sender = sender.map(|sender| self.shared.address_key(sender));
        self.stored_by(sender)?;
        let waits = loaded.state.state == State::Stored;
        let may_go = waits
            && !self
                .shared
                .is_on_its_way(mailbox, number, self.times.steady);
        let envelope = &loaded.envelope;
        Ok(may_go.then(|| Candidate::of(&envelope.envelope, envelope.octets())))
    }

    fn drop_message(&mut self, candidate: Candidate) -> Result<(), Interrupt> {
        let Some(loaded) = self.load(candidate.mailbox, candidate.number)? else {
            return Ok(());
        };
        let now = self.times.wall;
        let retention = &self.shared.bounds().retention;
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
