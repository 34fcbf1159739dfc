//! The proof that a message is on disk (P1).

use std::time::SystemTime;

use proto::v1;

use crate::convert;

/// The message is on disk, told by the storage service. What an edge needs to answer a deposit with
/// a 2xx. There is no way to make one but to receive it:
///
/// ```compile_fail,E0451
/// # use restante_storage_client as storage_client;
/// let forged = storage_client::Deposited {
///     message_id: String::new(),
///     received_at: std::time::SystemTime::now(),
///     duplicate: false,
///     registered: false,
/// };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposited {
    message_id: String,
    received_at: SystemTime,
    duplicate: bool,
    registered: bool,
}

impl Deposited {
    /// Decodes the reply; `None` if the reply is not whole.
    pub(crate) fn from_reply(reply: v1::Deposited) -> Option<Self> {
        if reply.message_id.is_empty() {
            return None;
        }
        Some(Self {
            message_id: reply.message_id,
            received_at: convert::time(reply.received_at?)?,
            duplicate: reply.duplicate,
            registered: reply.registered,
        })
    }

    /// The Message-ID in its bare form (STO-07).
    #[must_use]
    pub fn message_id(&self) -> &str {
        &self.message_id
    }

    /// The moment of acceptance.
    #[must_use]
    pub fn received_at(&self) -> SystemTime {
        self.received_at
    }

    /// Whether the message had been stored before; the other fields are those of the first receipt
    /// (requirements §3.3).
    #[must_use]
    pub fn duplicate(&self) -> bool {
        self.duplicate
    }

    /// Whether the message is new and its user registered:
    /// [`claim_forward`](crate::StorageClient::claim_forward) may have a claim.
    #[must_use]
    pub fn registered(&self) -> bool {
        self.registered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_without_message_id_proves_nothing() {
        let mut reply = v1::Deposited {
            message_id: "7@store.example".into(),
            received_at: Some(convert::timestamp(SystemTime::UNIX_EPOCH)),
            duplicate: true,
            registered: false,
        };
        let whole = Deposited::from_reply(reply.clone()).expect("the reply is whole");
        assert_eq!(whole.message_id(), "7@store.example");
        assert!(whole.duplicate());
        reply.message_id.clear();
        assert_eq!(Deposited::from_reply(reply), None);
    }
}
