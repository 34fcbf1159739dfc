//! `trace`: everything that happens to the messages of one user, as it happens.

use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use clap::Args;
use proto::v1::WatchEventsRequest;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::Session;
use crate::exit::Failure;
use crate::moment::parse_span;
use crate::output::Items;
use crate::output::record::{MessageEventRecord, PlanRecord};
use crate::output::text::escape;
use crate::target::Address;

/// How often the scheduler is asked.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Follow one user: messages accepted and ended, plans, claims, attempts and their outcomes
///
/// Needs `events.enabled` in the configuration of the storage service. What the scheduler plans is asked for twice a second:
/// what comes and goes in between is not seen. Ends when it is interrupted, or after --duration.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  restantectl trace bob@example.org
  restantectl trace bob@example.org --duration 5m -o jsonl > bob.jsonl")]
pub(crate) struct TraceArgs {
    /// The served user, by address or alias
    #[arg(value_name = "ADDRESS")]
    address: Address,
    /// End after so long
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    duration: Option<Duration>,
}

/// One line: an event, or a change of the plan.
#[derive(Debug, Serialize)]
struct TraceRecord {
    at: Option<String>,
    event: Option<MessageEventRecord>,
    plan: Option<PlanRecord>,
}

/// The end of the JSON document has no fields of its own.
#[derive(Debug, Serialize)]
struct NoMore {}

pub(crate) async fn run(args: &TraceArgs, session: &mut Session) -> Result<(), Failure> {
    let mut client = session.connect().await?;
    let request = WatchEventsRequest {
        served_user: args.address.to_string(),
        ..WatchEventsRequest::default()
    };
    let mut events = client.events(request).await?;
    let end = args.duration.map(|duration| Instant::now() + duration);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = String::new();
    let mut items = Items::begin(&mut session.output, "trace")?;
    let ended = async {
        loop {
            tokio::select! {
                reply = events.next() => match reply? {
                    Some(reply) => if let Some(event) = MessageEventRecord::from_reply(reply) {
                        let record = TraceRecord { at: event.at.clone(), event: Some(event), plan: None };
                        items.write(&record, text)?;
                    },
                    None => return Ok(()),
                },
                _ = looks.tick() => {
                    let plan = PlanRecord::from(client.delivery_plan(&args.address).await?);
                    let told = of_plan(&plan);
                    if told != last {
                        last = told;
                        let at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
                        let record = TraceRecord { at: Some(at), event: None, plan: Some(plan) };
                        items.write(&record, text)?;
                    }
                }
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    };
    let ended = ended.await;
    let closed = items.finish(&NoMore {});
    ended.and(closed)
}

/// What of a plan is worth a line when it changes.
fn of_plan(plan: &PlanRecord) -> String {
    let by = match (&plan.edge, plan.generation) {
        (Some(edge), Some(generation)) => format!(", claim {generation} of {edge}"),
        _ => String::new(),
    };
    let due = plan.due_at.as_deref().filter(|_| plan.phase == "waiting");
    // To the second: the rest is how long the question took.
    let due = due.map_or(String::new(), |due| {
        format!(" until {}", due.get(..19).unwrap_or(due))
    });
    let suspended = match &plan.suspension {
        Some(suspension) => format!(", suspended until {}", suspension.until()),
        None => String::new(),
    };
    let (tries, waiting) = (plan.tries, plan.waiting);
    let bindings = plan.bindings.len();
    format!(
        "{}{due}{by}, {tries} failed tries, {bindings} bindings, {waiting} waiting{suspended}",
        plan.phase
    )
}

fn text(record: &TraceRecord) -> String {
    let at = record.at.as_deref().unwrap_or_default();
    match (&record.event, &record.plan) {
        (Some(event), _) => {
            let actor = event.actor.as_deref().unwrap_or("the store");
            let detail = event.detail.as_deref().unwrap_or_default();
            let line = format!("{} {} by {actor} {detail}", event.event, event.message_id);
            format!("{at} {}\n", escape(line.trim_end()))
        }
        (None, Some(plan)) => format!("{at} plan: {}\n", escape(&of_plan(plan))),
        (None, None) => String::new(),
    }
}
