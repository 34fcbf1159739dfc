//! The storage service in process, over real gRPC on free ports, seen through the edges' client.

mod accounts;
mod deliveries;
mod deposits;
mod failures;
mod large;
mod operators;
mod support;
