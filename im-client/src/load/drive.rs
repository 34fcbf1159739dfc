//! Keeps requests in flight on each connection.

use std::io;
use std::time::{Duration, Instant};

use super::link::Link;
use super::plan::{Pacing, Plan};
use super::report::Report;
use super::template::{Template, read_answer};

/// RFC 3261 §17.1.1.1.
const T1: Duration = Duration::from_millis(500);
/// Timer F (RFC 3261 §17.1.2.2): a request without an answer by then has failed.
const TIMER_F: Duration = Duration::from_secs(32);
/// How often due requests and retransmissions are looked for.
const TICK: Duration = Duration::from_millis(2);
/// An open load gives up on requests beyond this many in flight, and says so in the report.
const OPEN_SLOTS: usize = 20_000;

pub(super) async fn run(plan: &Plan) -> io::Result<Report> {
    let mut connections = tokio::task::JoinSet::new();
    for index in 0..plan.connections {
        let link = Link::open(plan).await?;
        let connection = Connection::new(plan, index, link)?;
        connections.spawn(connection.run());
    }
    let mut total = Report::new(plan.duration);
    while let Some(finished) = connections.join_next().await {
        total.merge(&finished.map_err(io::Error::other)??);
    }
    Ok(total)
}

/// A request in flight.
struct Flight {
    number: u64,
    due: Instant,
    retransmit_at: Instant,
    interval: Duration,
    octets: Vec<u8>,
}

struct Connection {
    link: Link,
    template: Template,
    slots: Vec<Option<Flight>>,
    idle: Vec<usize>,
    next_number: u64,
    /// Open mode: time between requests and when the next is due.
    schedule: Option<(Duration, Instant)>,
    counted: std::ops::Range<Instant>,
    report: Report,
    outgoing: Vec<u8>,
}

impl Connection {
    fn new(plan: &Plan, index: usize, link: Link) -> io::Result<Self> {
        let now = Instant::now();
        let begin = now + plan.warm_up;
        let (slots, schedule) = match plan.pacing {
            Pacing::Closed(in_flight) => (share(in_flight, plan.connections, index), None),
            Pacing::Open(rate) => {
                #[expect(clippy::cast_precision_loss, reason = "a handful of connections")]
                let interval = Duration::from_secs_f64(plan.connections as f64 / rate);
                (OPEN_SLOTS / plan.connections, Some((interval, now)))
            }
        };
        let template = Template::new(plan, index, link.local_address()?);
        Ok(Self {
            link,
            template,
            slots: (0..slots).map(|_| None).collect(),
            idle: (0..slots).rev().collect(),
            next_number: 0,
            schedule,
            counted: begin..begin + plan.duration,
            report: Report::new(plan.duration),
            outgoing: Vec::new(),
        })
    }

    async fn run(mut self) -> io::Result<Report> {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut answers = Vec::new();
        while Instant::now() < self.counted.end {
            self.start_due().await?;
            tokio::select! {
                received = self.link.receive(|octets| answers.extend(read_answer(octets))) => received?,
                _ = tick.tick() => self.retransmit().await?,
            }
            let now = Instant::now();
            for answer in answers.drain(..) {
                self.settle(answer.slot, answer.number, answer.status, now);
            }
        }
        Ok(self.report)
    }

    /// Starts as many requests as there are idle slots (closed) or due requests (open).
    async fn start_due(&mut self) -> io::Result<()> {
        let now = Instant::now();
        while let Some(due) = self.next_due(now) {
            let Some(slot) = self.idle.pop() else {
                // An open load that cannot keep up: the request was due and never left.
                self.count(0, due, now);
                continue;
            };
            let mut octets = Vec::new();
            self.template.write(slot, self.next_number, &mut octets);
            if self.link.is_reliable() {
                self.outgoing.extend_from_slice(&octets);
                octets.clear();
            } else {
                self.link.send(&octets).await?;
            }
            self.slots[slot] = Some(Flight {
                number: self.next_number,
                due,
                retransmit_at: now + T1,
                interval: T1,
                octets,
            });
            self.next_number += 1;
        }
        if !self.outgoing.is_empty() {
            self.link.send(&self.outgoing).await?;
            self.outgoing.clear();
        }
        Ok(())
    }

    fn next_due(&mut self, now: Instant) -> Option<Instant> {
        match &mut self.schedule {
            None => (!self.idle.is_empty()).then_some(now),
            Some((interval, next)) => {
                let due = *next;
                (due <= now).then(|| {
                    *next += *interval;
                    due
                })
            }
        }
    }

    async fn retransmit(&mut self) -> io::Result<()> {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(flight) = &mut self.slots[slot] else {
                continue;
            };
            if now >= flight.due + TIMER_F {
                let (number, due) = (flight.number, flight.due);
                self.settle(slot, number, 0, due + TIMER_F);
            } else if !self.link.is_reliable() && now >= flight.retransmit_at {
                flight.interval *= 2;
                flight.retransmit_at = now + flight.interval;
                self.report.retransmissions += 1;
                self.link.send(&flight.octets).await?;
            }
        }
        Ok(())
    }

    fn settle(&mut self, slot: usize, number: u64, status: u16, now: Instant) {
        let Some(place) = self.slots.get_mut(slot) else {
            return;
        };
        if status < 200 && status != 0
            || place.as_ref().is_none_or(|flight| flight.number != number)
        {
            return;
        }
        if let Some(flight) = place.take() {
            self.idle.push(slot);
            self.count(status, flight.due, now);
        }
    }

    fn count(&mut self, status: u16, due: Instant, now: Instant) {
        if self.counted.contains(&now) {
            self.report.count(status, now.duration_since(due));
        }
    }
}

/// The part of `total` that the connection `index` of `connections` takes, at least one.
fn share(total: usize, connections: usize, index: usize) -> usize {
    let rest = usize::from(index < total % connections);
    (total / connections + rest).max(1)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_add_up() {
        let shares: Vec<_> = (0..4).map(|index| share(50, 4, index)).collect();
        assert_eq!(shares, [13, 13, 12, 12]);
    }
}
