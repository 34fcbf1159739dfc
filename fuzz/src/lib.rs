//! What several fuzz targets share: cuts of a stream, views of a SIP message, and the models behind the operation
//! targets.
//!
//! It is not a test suite. A finding is reduced to a failing unit test of the crate concerned and fixed there.

#![forbid(unsafe_code)]

pub mod chunks;
pub mod cuts;
pub mod exchange;
pub mod inbox;
pub mod views;
