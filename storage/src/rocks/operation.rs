//! What can be done to the store, one file each.

pub(super) mod account;
pub(super) mod acknowledge;
pub(super) mod admit;
pub(super) mod bye;
pub(super) mod claim;
pub(super) mod delete_own;
pub(super) mod deposit;
pub(super) mod displace;
pub(super) mod erase;
pub(super) mod fan_out;
pub(super) mod group;
pub(super) mod order;
pub(super) mod recall;
pub(super) mod register;
pub(super) mod release;
pub(super) mod report;
pub(super) mod settings;
pub(super) mod subscribe;
pub(super) mod sweep;
