//! How many MSRP sessions there are.

use metrics::gauge;

/// An open session, in one direction.
#[derive(Debug)]
pub struct OpenSession(&'static str);

impl OpenSession {
    /// One in which a message comes in has begun; the guard says that it ended.
    #[must_use]
    pub fn incoming() -> Self {
        Self::new("in")
    }

    /// One in which we send has begun; the guard says that it ended.
    #[must_use]
    pub fn outgoing() -> Self {
        Self::new("out")
    }

    fn new(direction: &'static str) -> Self {
        gauge!("restante_msrp_sessions_active", "direction" => direction).increment(1);
        Self(direction)
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        gauge!("restante_msrp_sessions_active", "direction" => self.0).decrement(1);
    }
}
