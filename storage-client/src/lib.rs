//! Typed gRPC client of the edges.
