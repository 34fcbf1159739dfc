//! What operators see from outside: metrics, alert rules, dashboards, traces, logs.

mod dashboards;
mod log_events;
mod metrics;
mod rules;
mod tracing;
