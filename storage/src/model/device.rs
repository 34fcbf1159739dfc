//! The devices of a user, where each shall have each message (`delivery.scope = all`, requirements §3.13).

use super::UnixMillis;

/// A device, by the `+sip.instance` of its bindings; empty: the account as one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device(String);

impl Device {
    /// Takes over the value of a `+sip.instance`.
    #[must_use]
    pub fn new(instance: impl Into<String>) -> Self {
        Self(instance.into())
    }

    /// The instance.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A device that an account is known to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// The device.
    pub device: Device,
    /// When a REGISTER last found it bound.
    pub seen_at: UnixMillis,
}

/// How far one message has come with one device. The number is the one on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeviceState {
    /// It was offered, and will be again.
    Waiting = 1,
    /// The device has it.
    Delivered = 2,
    /// The device does not want it.
    Refused = 3,
}

/// What became of one message at one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceDelivery {
    /// The device.
    pub device: Device,
    /// How far it has come.
    pub state: DeviceState,
    /// When the device last said something, or failed to.
    pub at: UnixMillis,
    /// Refusals so far, each on another registration.
    pub refusals: u32,
    /// Registrations of the account at the last refusal.
    pub refused_on: Option<u64>,
    /// What it said, for people, such as `MSRP 415`.
    pub reason: String,
}
