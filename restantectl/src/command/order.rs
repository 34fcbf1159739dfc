//! `redeliver`, `hold`, `unhold`, `expire`, `delete`: one order for each of some messages.

use clap::Args;
use proto::v1::{Message, MessageState};
use serde::Serialize;

use super::interruption::Interruption;
use super::selection::{Batches, Selected, Selection};
use super::{Session, Tally};
use crate::client::{Client, Order};
use crate::exit::{Failure, complain};
use crate::moment::{InvalidComing, parse_coming};
use crate::output::record::{ChangeRecord, ErrorRecord, ListedMessage, Outcome};
use crate::output::text::escape;
use crate::output::{Items, Progress};
use crate::target::MessageId;

/// What the five commands have in common.
#[derive(Args, Debug)]
pub(crate) struct OrderArgs {
    /// Show what would happen and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Change more than one message
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    pub(super) selection: Selection,
}

/// What `hold` has besides.
#[derive(Args, Debug)]
pub(crate) struct HoldArgs {
    /// Offer them again at this time, such as 2026-08-23T14:30:00Z, or after so long, such as 2h
    #[arg(long = "until", value_name = "TIME", value_parser = moment_to_come)]
    hold_until: Option<i64>,
    #[command(flatten)]
    pub(crate) order: OrderArgs,
}

impl HoldArgs {
    /// What is ordered.
    pub(crate) fn verb(&self) -> Order {
        self.hold_until.map_or(Order::Hold, Order::HoldUntil)
    }
}

/// Seconds since 1970 of a time, or of the end of a span from now.
fn moment_to_come(text: &str) -> Result<i64, InvalidComing> {
    parse_coming(text).map(|time| time.seconds)
}

impl Order {
    /// The command, which is also its name in records.
    fn command(self) -> &'static str {
        match self {
            Self::Redeliver => "redeliver",
            Self::Hold | Self::HoldUntil(_) => "hold",
            Self::Unhold => "unhold",
            Self::Expire => "expire",
            Self::Delete => "delete",
        }
    }

    /// States of the messages that it is for, where they are not named.
    pub(super) fn states(self) -> &'static [MessageState] {
        use MessageState::{Claimed, Delivered, Held, Refused, Stored};
        match self {
            Self::Redeliver => &[Delivered, Refused],
            Self::Hold => &[Stored, Claimed],
            Self::HoldUntil(_) | Self::Expire => &[Stored, Claimed, Held],
            Self::Unhold => &[Held],
            // Those too whose content is retained.
            Self::Delete => &[Stored, Claimed, Held, Delivered, Refused],
        }
    }

    /// What the message is afterwards.
    fn result(self) -> &'static str {
        match self {
            Self::Redeliver => "deliverable again",
            Self::Hold => "held",
            Self::HoldUntil(_) => "held until then",
            Self::Unhold => "offered again",
            Self::Expire => "expired",
            Self::Delete => "deleted",
        }
    }

    /// Why the service would refuse this order for a message, as far as its contract says (STO-11).
    pub(super) fn refusal(self, message: &Message) -> Option<&'static str> {
        use MessageState::{Claimed, Held, Stored};
        let is_undelivered = matches!(message.state(), Stored | Claimed | Held);
        match self {
            Self::Redeliver if is_undelivered => Some("it has not been settled yet"),
            Self::Redeliver if !message.content_retained => Some("its content is gone"),
            Self::Hold if message.state() == Held => Some("it is held already"),
            Self::Unhold if message.state() != Held => Some("it is not held"),
            Self::Hold | Self::HoldUntil(_) | Self::Expire if !is_undelivered => {
                Some("it has been settled")
            }
            Self::Delete if !is_undelivered && !message.content_retained => {
                Some("it has been settled and its content is gone")
            }
            _ => None,
        }
    }
}

pub(crate) async fn run(
    order: Order,
    args: &OrderArgs,
    session: &mut Session,
) -> Result<(), Failure> {
    run_for(order, None, args, session).await
}

/// As [`run`], but for messages in the states `only`, if there are any: others fail, even if they are named.
pub(crate) async fn run_for(
    order: Order,
    only: Option<&'static [MessageState]>,
    args: &OrderArgs,
    session: &mut Session,
) -> Result<(), Failure> {
    let mut selected = args.selection.selected(only.unwrap_or(order.states()))?;
    if let (Selected::Ids(ids), false, false) = (&selected, args.yes, args.dry_run)
        && ids.len() > 1
    {
        return Err(Failure::Unconfirmed {
            verb: order.command(),
            count: ids.len(),
            items: "messages",
        });
    }
    let mut client = session.connect().await?;
    if !args.yes && !args.dry_run {
        selected = selected.confirm(order.command(), &mut client).await?;
    }
    let mut series = Series {
        order,
        only,
        args,
        reason: &session.globals.reason,
        tally: Tally::default(),
        client: &mut client,
        done: 0,
    };
    let mut items = Items::begin(&mut session.output, "results")?;
    let ended = series.all(Batches::new(selected), &mut items).await;
    let failed = series.tally.result(series.done);
    let closed = items.finish(&OrderEnd {
        dry_run: args.dry_run,
    });
    ended.and(closed).and(failed)
}

/// The end of the JSON document.
#[derive(Debug, Serialize)]
struct OrderEnd {
    dry_run: bool,
}

/// The same order for one message after another.
struct Series<'a> {
    order: Order,
    /// In which states it is done at all.
    only: Option<&'static [MessageState]>,
    args: &'a OrderArgs,
    reason: &'a str,
    tally: Tally,
    client: &'a mut Client,
    done: usize,
}

impl Series<'_> {
    async fn all(&mut self, mut batches: Batches, items: &mut Items<'_>) -> Result<(), Failure> {
        let interruption = Interruption::listen();
        let progress = Progress::begin(batches.total(), true);
        loop {
            let batch = batches.next(self.client).await;
            let batch = batch.map_err(|source| batches.broken_off(self.done, source))?;
            if batch.is_empty() {
                return Ok(());
            }
            for (id, _) in batch {
                if interruption.is_here() {
                    return Err(batches.interrupted(self.done, &id));
                }
                let handled = self.each(&id, items).await;
                handled.map_err(|source| batches.broken_off(self.done, source))?;
                progress.step();
            }
        }
    }

    async fn each(&mut self, id: &MessageId, items: &mut Items<'_>) -> Result<(), Failure> {
        let record = self.one(id).await?;
        self.done += 1;
        if let Some(error) = &record.error {
            self.tally.fail(
                id,
                &format_args!("cannot {}: {}", record.command, error.text),
            );
        }
        let order = self.order;
        items.write(&record, |record| text(order, record))
    }

    /// What came of one message; fails only if the others have no chance either.
    async fn one(&mut self, id: &MessageId) -> Result<ChangeRecord, Failure> {
        let answer = match self.args.dry_run {
            true => self.foresee(id).await,
            false => self.carry_out(id).await,
        };
        match answer {
            Ok(record) => Ok(record),
            Err(failure) if failure.is_of_one_item() => Ok(self.failed(id, &failure)),
            Err(failure) => Err(failure),
        }
    }

    async fn carry_out(&mut self, id: &MessageId) -> Result<ChangeRecord, Failure> {
        if self.only.is_some() {
            let message = self.read(id).await?;
            if let Some(why) = self.exclusion(&message) {
                let error = ErrorRecord::precondition(why);
                return Ok(self.record(id, Outcome::Failed, Some(message), Some(error)));
            }
        }
        let changed = self.client.order(self.order, id, self.reason).await;
        if let Err(Failure::NoAnswer { .. }) = &changed {
            complain(&format_args!(
                "{id}: whether this {} was carried out is not known: see `restantectl show {id} \
                 --timeline`",
                self.order.command()
            ));
        }
        Ok(self.record(id, Outcome::Done, Some(changed?), None))
    }

    async fn foresee(&mut self, id: &MessageId) -> Result<ChangeRecord, Failure> {
        let message = self.read(id).await?;
        let refusal = self.exclusion(&message);
        Ok(match refusal.or_else(|| self.order.refusal(&message)) {
            None => self.record(id, Outcome::WouldDo, Some(message), None),
            Some(why) => {
                let error = ErrorRecord::precondition(why);
                self.record(id, Outcome::WouldFail, Some(message), Some(error))
            }
        })
    }

    async fn read(&mut self, id: &MessageId) -> Result<Message, Failure> {
        let message = self.client.message(id).await?.message;
        message.ok_or_else(|| self.client.defect("a reply without a message"))
    }

    /// Why this series is not for a message.
    fn exclusion(&self, message: &Message) -> Option<&'static str> {
        let is_excluded = self
            .only
            .is_some_and(|only| !only.contains(&message.state()));
        is_excluded.then_some("it is no dead letter")
    }

    fn failed(&self, id: &MessageId, failure: &Failure) -> ChangeRecord {
        let outcome = if self.args.dry_run {
            Outcome::WouldFail
        } else {
            Outcome::Failed
        };
        self.record(id, outcome, None, Some(failure.into()))
    }

    fn record(
        &self,
        id: &MessageId,
        outcome: Outcome,
        message: Option<Message>,
        error: Option<ErrorRecord>,
    ) -> ChangeRecord {
        ChangeRecord {
            message_id: id.to_string(),
            command: self.order.command(),
            outcome,
            message: message.map(ListedMessage::from),
            error,
        }
    }
}

/// One line for people; what failed has its line on standard error.
fn text(order: Order, record: &ChangeRecord) -> String {
    let id = &record.message_id;
    let Some(message) = &record.message else {
        return String::new();
    };
    let to = escape(&message.served_user);
    let from = message
        .sender
        .as_deref()
        .map_or("nobody known".into(), escape);
    match record.outcome {
        Outcome::Done => format!("{id}: {}, to {to}, from {from}\n", order.result()),
        Outcome::WouldDo => {
            let command = order.command();
            format!(
                "{id}: would {command}, now {}, to {to}, from {from}\n",
                message.state
            )
        }
        Outcome::Failed | Outcome::WouldFail => String::new(),
    }
}
