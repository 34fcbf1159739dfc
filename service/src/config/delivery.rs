//! By what deferred messages are delivered, and to whom of a user.

use std::time::Duration;

daemon::section! {
    /// By what deferred messages are delivered.
    pub struct Delivery in "delivery" {
        /// `auto`: push sessions to IM clients, MESSAGE to other clients that take it; `session`:
        /// push sessions only; `message`: MESSAGE only.
        mode: DeliveryMode = "auto",
        /// Which devices of a user get a message: `first`: the first that answers; `all`: each, once,
        /// with its content kept for those that are missing until it expires.
        scope: DeliveryScope = "first",
        /// With `scope = "all"`: a device that has not been registered for so long is not waited for.
        forget_devices: Duration = "30d",
    }
}

daemon::choice! {
    /// Which devices of a user get a message (requirements §3.13).
    pub enum DeliveryScope {
        /// The first that answers.
        First = "first",
        /// Each.
        All = "all",
    }
}

daemon::choice! {
    /// By what deferred messages are delivered (DLM-01).
    pub enum DeliveryMode {
        /// Push sessions to IM clients, MESSAGE to other clients that take it.
        Auto = "auto",
        /// Push sessions only.
        Session = "session",
        /// MESSAGE only.
        Message = "message",
    }
}
