//! gRPC contract of Restante and its generated code.
