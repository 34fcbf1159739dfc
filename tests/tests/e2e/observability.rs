//! What operators see from outside: metrics, alert rules, dashboards, traces, logs.

mod dashboards;
mod metrics;
mod rules;
mod tracing;
