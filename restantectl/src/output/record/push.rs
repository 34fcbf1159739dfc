//! What came of pushes, or would.

use proto::v1::{DeliveryPhase, DeliveryPlan, Message, MessageState, PushMailboxReply, PushPlan};
use serde::Serialize;

use super::{ErrorRecord, Outcome, SuspensionRecord, state_name, word};
use crate::exit::Failure;
use crate::moment::rfc3339;

/// One mailbox of `push`.
#[derive(Debug, Serialize)]
pub(crate) struct PushRecord {
    pub(crate) served_user: String,
    pub(crate) outcome: Outcome,
    pub(crate) plan: Option<String>,
    pub(crate) waiting: Option<u64>,
    /// Dry run: failed tries, and the end of the pause after them, which a push does not wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pause: Option<PauseRecord>,
    /// Dry run: what waits, in its order, and what would keep it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) messages: Option<Vec<ForeseenMessage>>,
    pub(crate) error: Option<ErrorRecord>,
}

/// A pause between tries.
#[derive(Debug, Serialize)]
pub(crate) struct PauseRecord {
    pub(crate) tries: u32,
    /// `None`: until the next registration.
    pub(crate) until: Option<String>,
}

/// One message that waits.
#[derive(Debug, Serialize)]
pub(crate) struct ForeseenMessage {
    pub(crate) message_id: String,
    pub(crate) state: String,
    pub(crate) kept_back: Vec<Obstacle>,
}

/// What keeps messages back from a push.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Obstacle {
    /// `suspension`, `registration`, `client`, `setting`, `edge` or `hold`.
    pub(crate) by: &'static str,
    pub(crate) until: Option<String>,
    /// For people.
    pub(crate) why: String,
}

impl Obstacle {
    fn new(by: &'static str, why: impl Into<String>) -> Self {
        Self {
            by,
            until: None,
            why: why.into(),
        }
    }

    /// What keeps back all that waits for a user, in the order in which the service looks at it.
    fn of_plan(plan: &DeliveryPlan, force: bool) -> Vec<Self> {
        let suspension = plan.suspension.clone().map(SuspensionRecord::from);
        let suspension = suspension.map(|suspension| Self {
            by: "suspension",
            until: suspension.until.clone(),
            why: format!(
                "deliveries to {} are suspended until {}",
                suspension.whom(),
                suspension.until()
            ),
        });
        let mut all: Vec<_> = suspension.into_iter().collect();
        if !force && plan.bindings.is_empty() {
            all.push(Self::new("registration", UNREGISTERED));
        } else if !force && !plan.reachable {
            all.push(Self::new(
                "client",
                format!(
                    "no registered client takes what delivery.mode = {} sends; --force pushes all the same, by the next hop",
                    plan.mode
                ),
            ));
        }
        if !force && !plan.offline_delivery {
            all.push(Self::new("setting", SWITCHED_OFF));
        }
        if plan.edges == 0 {
            all.push(Self::new("edge", "no edge is attached that could deliver"));
        }
        all
    }

    fn of_message(message: &Message) -> Option<Self> {
        let until = rfc3339(message.deliver_after);
        (message.state() == MessageState::Held).then(|| Self {
            why: match &until {
                Some(until) => format!("it is held until {until}"),
                None => "it is held until `unhold`".to_owned(),
            },
            until,
            by: "hold",
        })
    }
}

const UNREGISTERED: &str = "not registered; --force pushes all the same, by the next hop";
const SWITCHED_OFF: &str =
    "the user has switched offline delivery off; --force pushes all the same";

impl PushRecord {
    /// The record of the server's answer about `served_user`.
    pub(crate) fn answered(served_user: String, reply: PushMailboxReply) -> Self {
        let error = match reply.plan() {
            PushPlan::NotRegistered => Some(UNREGISTERED),
            PushPlan::SwitchedOff => Some(SWITCHED_OFF),
            _ => None,
        };
        Self {
            outcome: match error {
                Some(_) => Outcome::Failed,
                None => Outcome::Done,
            },
            plan: Some(plan_name(reply.plan())),
            waiting: Some(reply.waiting),
            error: error.map(ErrorRecord::precondition),
            ..Self::of(served_user)
        }
    }

    /// The record of what a push would come to: `waiting` are the messages that wait, in their order.
    pub(crate) fn foreseen(
        served_user: String,
        plan: &DeliveryPlan,
        force: bool,
        waiting: Vec<Message>,
    ) -> Self {
        let obstacles = Obstacle::of_plan(plan, force);
        let first = obstacles.first();
        let push = match (plan.waiting, first.map(|obstacle| obstacle.by)) {
            (0, _) => Some(PushPlan::NothingWaiting),
            (_, Some("registration" | "client")) => Some(PushPlan::NotRegistered),
            (_, Some("setting")) => Some(PushPlan::SwitchedOff),
            (_, Some(_)) => None,
            (_, None) if plan.phase() == DeliveryPhase::Running => Some(PushPlan::Joined),
            (_, None) => Some(PushPlan::Started),
        };
        let refusal = first.filter(|_| plan.waiting > 0);
        let error = refusal.map(|obstacle| ErrorRecord::precondition(obstacle.why.as_str()));
        let messages = waiting.into_iter().map(|message| ForeseenMessage {
            state: state_name(message.state),
            kept_back: Obstacle::of_message(&message)
                .into_iter()
                .chain(obstacles.iter().cloned())
                .collect(),
            message_id: message.message_id,
        });
        Self {
            outcome: match error {
                Some(_) => Outcome::WouldFail,
                None => Outcome::WouldDo,
            },
            plan: push.map(plan_name),
            waiting: Some(plan.waiting),
            pause: pause(plan),
            messages: Some(messages.collect()),
            error,
            ..Self::of(served_user)
        }
    }

    /// The record of a mailbox that could not be pushed.
    pub(crate) fn failed(served_user: String, outcome: Outcome, failure: &Failure) -> Self {
        Self {
            outcome,
            error: Some(failure.into()),
            ..Self::of(served_user)
        }
    }

    fn of(served_user: String) -> Self {
        Self {
            served_user,
            outcome: Outcome::Done,
            plan: None,
            waiting: None,
            pause: None,
            messages: None,
            error: None,
        }
    }
}

/// The pause after tries that have failed, if there is one.
fn pause(plan: &DeliveryPlan) -> Option<PauseRecord> {
    let is_pause = match plan.phase() {
        DeliveryPhase::Waiting => plan.tries > 0,
        DeliveryPhase::Blocked => true,
        _ => false,
    };
    is_pause.then(|| PauseRecord {
        tries: plan.tries,
        until: rfc3339(plan.due_at),
    })
}

fn plan_name(plan: PushPlan) -> String {
    word(plan.into(), PushPlan::as_str_name, "PUSH_PLAN_")
}
