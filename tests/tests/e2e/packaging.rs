//! What makes Restante at home on a system: completions and manual pages, units of systemd, the protocol of its manager.

mod command_lines;
mod service_manager;
mod units;
