//! The gRPC contract of Restante (`restante.v1`) and its generated code, nothing else.
//!
//! The `.proto` files in `restante/v1/` are the documentation: which status codes come when, who
//! sets each field.

/// Package `restante.v1`.
pub mod v1 {
    tonic::include_proto!("restante.v1");
}

/// The encoded `FileDescriptorSet` of the contract, for server reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/restante.v1.bin"));
