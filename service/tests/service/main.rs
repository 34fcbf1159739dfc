//! The storage service in process, over real gRPC on free ports, seen through the edges' client.

mod accounts;
mod deliveries;
mod deposits;
mod failures;
mod fan_out;
mod large;
mod large_jobs;
mod operators;
mod processes;
mod support;
mod suspensions;
