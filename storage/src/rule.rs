//! Rules that every engine obeys, as pure functions: what they need is passed in, time too.

pub(crate) mod blocks;
pub(crate) mod coverage;
pub(crate) mod deposit;
pub(crate) mod device;
pub(crate) mod displacement;
pub(crate) mod duplicate;
pub(crate) mod event_log;
pub(crate) mod fan_out;
pub(crate) mod group;
pub(crate) mod import;
pub(crate) mod leg;
pub(crate) mod order;
pub(crate) mod recall;
pub(crate) mod registration;
pub(crate) mod report;
pub(crate) mod report_pace;
pub(crate) mod reservation;
pub(crate) mod retention;
pub(crate) mod sender_rate;
pub(crate) mod settings;
pub(crate) mod subscription;
pub(crate) mod suspension;
