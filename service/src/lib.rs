//! Storage service: gRPC over a store, delivery scheduler, sweeper.
