//! When which mailbox is delivered, and by which edge (requirements §1.12, §3.5).
//!
//! [`Machine`](machine::Machine) decides, with time and randomness passed in and no store, socket or
//! task in it; [`Driver`](driver::Driver) asks the store, hands jobs to edges and tells the machine
//! what happened. Nothing here is durable: after a restart everything that waits for a reachable
//! user is planned again, and claims in the store keep a mailbox from two edges.

mod deposit_watch;
mod driver;
mod edges;
mod handle;
mod machine;
mod pace;
mod plans;
mod policy;
mod ready;
mod start;
mod unreachable;

pub(crate) use deposit_watch::DepositWatch;
pub(crate) use driver::Driver;
pub(crate) use handle::{
    AlreadyAttached, Attachment, Countermand, EdgeStatus, PlanPhase, Scheduler, Withdrawal,
    Withdrawn,
};
pub(crate) use machine::Planned;
pub(crate) use policy::{Ending, Outcome, Policy};
pub(crate) use start::{FIRST_TAKE, Job};
pub(crate) use unreachable::Unreachable;

#[cfg(test)]
mod tests;
