//! Restante from end to end: the real binaries, as one process and as several, over real sockets.

mod clock;
mod configuration;
mod crash;
mod crash_deployment;
mod crash_fan_out;
mod crash_large;
mod crash_push;
mod crash_reports;
mod disk;
mod fuzz;
mod grpc_roles;
mod grpc_tls;
mod interop;
mod large;
mod large_fan_out;
mod large_push;
mod maintenance;
mod observability;
mod power;
mod privacy;
mod secure;
mod sipp;
mod soak;
mod start;
mod story;
