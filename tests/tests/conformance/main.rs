//! Rows of the conformance checklist (requirements §5), each over real sockets, each test named after its
//! row. A row is here when all that it asks for is served, or the part that is; rows of later features
//! are not.

mod account;
mod claims;
mod deferral;
mod delivery;
mod delivery_failure;
mod devices;
mod duplicates;
mod error;
mod events;
mod fan_out;
mod fan_out_bounds;
mod forwarding;
mod groups;
mod identity;
mod large_admission;
mod large_fan_out;
mod large_file;
mod large_message;
mod large_push;
mod large_security;
mod large_session;
mod look_again;
mod message_delivery;
mod message_id;
mod message_waiting;
mod notification;
mod privacy;
mod push_answer;
mod quota;
mod recall;
mod registration;
mod relay;
mod reports;
mod retrieval;
mod robustness;
mod sender;
mod server;
mod settings;
mod states;
mod storage_failure;
mod torture;
mod trigger;
mod two_edges;
mod xcap;
