//! `explain`: why a message, or what waits for a user, is not delivered.

use clap::Args;
use proto::v1::{Event, EventKind, Message, MessageState};
use serde::Serialize;

use super::Session;
use crate::client::Client;
use crate::exit::Failure;
use crate::moment::rfc3339;
use crate::output::record::{EventRecord, ListedMessage, PlanRecord};
use crate::output::text::escape;
use crate::target::{Address, MessageId};

/// Explain why a message is not delivered, or what waits for a user, and what happens next
///
/// Says what stands in the way, when it is tried next and by which binding, who has it, and how the last attempt failed in
/// the peer's own words.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl explain 17@store.example
  restantectl explain --to bob@example.org
  restantectl explain --to bob@example.org -o json | jq -r '.why[]'")]
pub(crate) struct ExplainArgs {
    /// Message-ID, bare or with `sip:`
    #[arg(value_name = "ID", required_unless_present = "to")]
    id: Option<MessageId>,
    /// A served user, by address or alias, instead of a message
    #[arg(long, value_name = "ADDRESS", conflicts_with = "id")]
    to: Option<Address>,
}

/// The explanation.
#[derive(Debug, Serialize)]
struct ExplanationRecord {
    served_user: String,
    /// Sentences, what matters most first.
    why: Vec<String>,
    /// When it is tried next, if that is known.
    next_try_at: Option<String>,
    /// The last attempt that failed.
    last_failure: Option<EventRecord>,
    message: Option<ListedMessage>,
    plan: Option<PlanRecord>,
}

pub(crate) async fn run(args: &ExplainArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let record = match (&args.id, &args.to) {
        (Some(id), _) => of_message(id, &mut client).await?,
        (None, Some(user)) => of_user(user, &mut client).await?,
        (None, None) => return Err(Failure::NothingSelected),
    };
    session.output.single(&record, text)
}

async fn of_user(user: &Address, client: &mut Client) -> Result<ExplanationRecord, Failure> {
    let plan = PlanRecord::from(client.delivery_plan(user).await?);
    let why = match plan.waiting {
        0 => vec!["Nothing waits.".to_owned()],
        _ => of_plan(&plan),
    };
    Ok(ExplanationRecord {
        served_user: plan.served_user.clone(),
        why,
        next_try_at: plan.due_at.clone(),
        last_failure: None,
        message: None,
        plan: Some(plan),
    })
}

async fn of_message(id: &MessageId, client: &mut Client) -> Result<ExplanationRecord, Failure> {
    let reply = client.message(id).await?;
    let message = reply
        .message
        .ok_or_else(|| client.defect("a reply without a message"))?;
    let is_failure = |event: &&Event| event.kind() == EventKind::AttemptFailed;
    let last_failure = reply.timeline.iter().rfind(is_failure);
    let last_failure = last_failure.cloned().map(EventRecord::from);
    let user: Result<Address, _> = message.served_user.parse();
    let user = user.map_err(|_| client.defect("a message without a user"))?;
    let is_settled = !is_undelivered(&message);
    let plan = match is_settled {
        true => None,
        false => Some(PlanRecord::from(client.delivery_plan(&user).await?)),
    };
    let mut why = of_state(&message, &reply.timeline);
    let is_offered = matches!(
        message.state(),
        MessageState::Stored | MessageState::Claimed
    );
    if let Some(plan) = plan.as_ref().filter(|_| is_offered) {
        why.extend(of_plan(plan));
    }
    if let Some(failure) = &last_failure {
        let at = failure.at.as_deref().unwrap_or_default();
        let detail = failure.detail.as_deref().unwrap_or("no reason was given");
        let attempts = message.attempts;
        why.push(format!("Attempt {attempts} failed at {at}: {detail}."));
    }
    let next_try_at = plan.as_ref().and_then(|plan| plan.due_at.clone());
    Ok(ExplanationRecord {
        served_user: message.served_user.clone(),
        why,
        next_try_at: next_try_at.filter(|_| is_offered),
        last_failure,
        message: Some(message.into()),
        plan,
    })
}

fn is_undelivered(message: &Message) -> bool {
    use MessageState::{Claimed, Held, Stored};
    matches!(message.state(), Stored | Claimed | Held)
}

/// What the state of a message says.
fn of_state(message: &Message, timeline: &[Event]) -> Vec<String> {
    let last = |kind| timeline.iter().rfind(|event| event.kind() == kind);
    let settled = rfc3339(message.settled_at).unwrap_or_default();
    let reason = match message.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    match message.state() {
        MessageState::Stored => Vec::new(),
        MessageState::Claimed => vec!["An edge has taken it and delivers it now.".to_owned()],
        MessageState::Held => {
            let held = last(EventKind::Held);
            let by = held.map_or("an operator", |event| event.actor.as_str());
            let why = held.map_or("", |event| event.detail.as_str());
            let until = rfc3339(message.deliver_after);
            let until = until.map_or("until `unhold`".to_owned(), |at| format!("until {at}"));
            vec![format!(
                "It is held {until} by {by}, who says: {}.",
                said(why)
            )]
        }
        MessageState::Delivered => vec![format!("It was delivered at {settled}{reason}.")],
        MessageState::Expired => vec![format!("Its lifetime was over at {settled}{reason}.")],
        MessageState::Refused => vec![
            format!("It is a dead letter since {settled}{reason}."),
            "`dead redeliver` makes it deliverable again while its content is retained.".to_owned(),
        ],
        MessageState::Recalled => vec![format!("Its sender took it back at {settled}{reason}.")],
        MessageState::Deleted => vec![format!("It was deleted at {settled}{reason}.")],
        MessageState::Unspecified => Vec::new(),
    }
}

fn said(text: &str) -> &str {
    match text {
        "" => "nothing",
        text => text,
    }
}

/// What stands in the way of a mailbox, what is planned, and by what.
fn of_plan(plan: &PlanRecord) -> Vec<String> {
    let mut why = obstacles(plan);
    why.push(match plan.phase.as_str() {
        "idle" if plan.bindings.is_empty() => "It is tried when the user registers.".to_owned(),
        "idle" => "Nothing is planned: it is tried with the next registration, deposit or `push`.".to_owned(),
        "waiting" => {
            let due = plan.due_at.as_deref().unwrap_or("a time that is not known");
            format!("It is tried at {due}, after {} failed tries of this registration.", plan.tries)
        }
        "ready" => "It is tried as soon as an edge has room.".to_owned(),
        "running" => {
            let edge = plan.edge.as_deref().unwrap_or("an edge");
            let claim = plan.generation.unwrap_or_default();
            format!("{edge} delivers the mailbox now, under claim {claim}.")
        }
        "blocked" => format!(
            "{} tries of this registration were in vain: it is tried with the next registration, or by `retry`.",
            plan.max_tries
        ),
        other => format!("The scheduler says: {other}."),
    });
    let by = match plan.mode.as_str() {
        "session" => "by session",
        "message" => "by MESSAGE",
        _ => "by session to IM clients and by MESSAGE to others",
    };
    let bindings = plan.bindings.iter().map(|binding| binding.contact.as_str());
    let bindings: Vec<_> = bindings.collect();
    let scope = if plan.each_device {
        "each device"
    } else {
        "the first device that answers"
    };
    why.push(match bindings.is_empty() {
        true => format!("Policy: {by}, to {scope}; no binding is known."),
        false => format!(
            "Policy: {by}, to {scope}; bound at {}.",
            bindings.join(", ")
        ),
    });
    why
}

fn obstacles(plan: &PlanRecord) -> Vec<String> {
    let mut why = Vec::new();
    if let Some(suspension) = &plan.suspension {
        let reason = said(suspension.reason.as_deref().unwrap_or_default());
        let by = suspension.actor.as_deref().unwrap_or("an operator");
        why.push(format!(
            "Deliveries to {} are suspended until {} by {by}, who says: {reason}.",
            suspension.whom(),
            suspension.until(),
        ));
    }
    if plan.edges == 0 {
        why.push("No edge is attached: nothing is delivered to anybody.".to_owned());
    }
    if !plan.offline_delivery {
        let setting = "offline-delivery is off: it waits until the user fetches it";
        why.push(format!(
            "The user's setting {setting}, or for `push --force`."
        ));
    }
    match (&plan.bindings, plan.reachable) {
        (bindings, _) if bindings.is_empty() => why.push("The user is not registered.".to_owned()),
        (_, false) => why.push(format!(
            "No client that is registered takes what delivery.mode = {} sends.",
            plan.mode
        )),
        _ => {}
    }
    why
}

fn text(record: &ExplanationRecord) -> String {
    let head = match &record.message {
        Some(message) => format!(
            "{}, {}, to {}\n",
            message.message_id, message.state, record.served_user
        ),
        None => {
            let waiting = record.plan.as_ref().map_or(0, |plan| plan.waiting);
            format!("{}, {waiting} waiting\n", record.served_user)
        }
    };
    let head = escape(head.trim_end()).into_owned() + "\n";
    let sentences = record.why.iter();
    sentences.fold(head, |text, sentence| {
        text + "  " + &escape(sentence) + "\n"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(phase: &str) -> PlanRecord {
        PlanRecord {
            served_user: "sip:bob@example.org".to_owned(),
            phase: phase.to_owned(),
            due_at: Some("2026-08-23T14:30:00.000Z".to_owned()),
            tries: 2,
            max_tries: 4,
            edge: Some("edge-1".to_owned()),
            generation: Some(7),
            bindings: Vec::new(),
            reachable: false,
            offline_delivery: true,
            suspension: None,
            mode: "auto".to_owned(),
            each_device: false,
            edges: 1,
            waiting: 3,
        }
    }

    #[test]
    fn each_phase_has_its_sentence() {
        let table = [
            ("idle", "when the user registers"),
            (
                "waiting",
                "at 2026-08-23T14:30:00.000Z, after 2 failed tries",
            ),
            ("ready", "as soon as an edge has room"),
            ("running", "edge-1 delivers the mailbox now, under claim 7"),
            ("blocked", "4 tries of this registration were in vain"),
        ];
        for (phase, expected) in table {
            let why = of_plan(&plan(phase)).join("\n");
            assert!(why.contains(expected), "{phase}: {why}");
            assert!(why.contains("not registered"), "{phase}: {why}");
        }
    }

    #[test]
    fn all_obstacles_are_named() {
        let plan = PlanRecord {
            edges: 0,
            offline_delivery: false,
            ..plan("idle")
        };
        let why = obstacles(&plan);
        assert_eq!(why.len(), 3, "{why:?}");
    }
}
