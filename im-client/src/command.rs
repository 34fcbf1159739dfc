//! One file per command.

pub(crate) mod load;
pub(crate) mod receive;
pub(crate) mod register;
pub(crate) mod send;
