//! One file per command.

pub(crate) mod fetch;
pub(crate) mod list;
pub(crate) mod load;
pub(crate) mod load_large;
mod progress;
pub(crate) mod publish;
pub(crate) mod receive;
pub(crate) mod register;
pub(crate) mod send;
mod shown;
pub(crate) mod subscribe;
