//! Reference IM client.
