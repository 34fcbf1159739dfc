//! Rows of the conformance checklist (requirements §5), each over real sockets, each test named after its
//! row. A row is here when all that it asks for is served, or the part that is; rows of later features
//! are not.

mod account;
mod deferral;
mod delivery;
mod delivery_failure;
mod error;
mod identity;
mod large_admission;
mod large_file;
mod large_message;
mod large_push;
mod large_security;
mod large_session;
mod message_delivery;
mod message_id;
mod message_waiting;
mod quota;
mod registration;
mod retrieval;
mod robustness;
mod server;
mod settings;
mod storage_failure;
mod trigger;
mod two_edges;
mod xcap;
