//! What makes Restante at home on a system: completions and manual pages, units of systemd, the protocol of its manager, and the scripts
//! around them.

mod command_lines;
mod scripts;
mod service_manager;
mod units;
