//! What every Restante process does alike: configuration, logging, metrics, readiness, signals,
//! drain and exit codes.
//!
//! A process goes through them in this order: [`config::Document`] → [`log::init`] →
//! [`metrics::Metrics::install`] → bind ([`listen`]) → [`admin::Admin::spawn`] →
//! [`shutdown::on_signals`] → [`service_manager::ServiceManager::follow`] → serve in [`drain::Tasks`] → [`drain::Tasks::drain`] →
//! [`exit::report`].
//!
//! It is not a framework: nothing here calls the process back, and none of it knows a mailbox, a
//! SIP message or a gRPC service. It imports no other crate of the workspace.

pub mod admin;
pub mod build_info;
pub mod config;
pub mod control;
pub mod drain;
pub mod exit;
pub mod http_client;
pub mod listen;
pub mod log;
pub mod metrics;
pub mod readiness;
pub mod redact;
pub mod secret;
pub mod service_manager;
pub mod shutdown;
pub mod trace;
pub mod write_deadline;
