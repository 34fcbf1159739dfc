//! Who is reachable: registrations as the store keeps them (requirements §1.12b).

use super::{Address, MailboxId, UnixMillis};

/// How a registration reached us (REG-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RegistrationKind {
    /// The core told us about a registration at its registrar (requirements §2.4.1).
    ThirdParty = 1,
    /// A proxy copied the client's REGISTER to us.
    Copied = 2,
    /// The client registered with us.
    Direct = 3,
}

/// The connection a client registered on (REG-03, RFC 5626): requests to it use this flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Name of the edge that holds it.
    pub edge: String,
    /// The edge's own name for it.
    pub token: String,
}

/// One stored binding of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Contact URI; the binding's identity together with `instance` and `reg_id`.
    pub contact: String,
    /// `+sip.instance`, empty if none.
    pub instance: String,
    /// `reg-id` of RFC 5626, zero if none.
    pub reg_id: u32,
    /// `Call-ID` of the REGISTER that made it.
    pub call_id: String,
    /// `CSeq` of that REGISTER.
    pub cseq: u32,
    /// `Path` values, topmost first (RFC 3327).
    pub path: Vec<String>,
    /// The flow to use, for direct registrations.
    pub flow: Option<Flow>,
    /// Whether an IM feature tag was present (DLV-02).
    pub has_im_tag: bool,
    /// Whether MESSAGE is allowed: by `Allow` or `methods`; true if neither was given (DLM-01).
    pub allows_message: bool,
    /// How it reached us.
    pub kind: RegistrationKind,
    /// `User-Agent`, for operators.
    pub user_agent: String,
    /// When it ends.
    pub expires_at: UnixMillis,
    /// `pub-gruu` of its Contact (RFC 5627), empty if none: where requests for this device go.
    pub gruu: String,
}

/// One change that a REGISTER asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BindingChange {
    /// Add or refresh.
    Bind(Binding),
    /// Remove the binding with this contact (or instance and reg-id).
    Unbind {
        /// Contact URI.
        contact: String,
        /// `+sip.instance`, empty if none.
        instance: String,
        /// `reg-id`, zero if none.
        reg_id: u32,
    },
    /// Remove all (`Contact: *`, or third-party Expires 0 with nothing embedded, REG-05).
    UnbindAll,
    /// Change nothing: only ask for the bindings.
    Query,
}

/// A REGISTER as the store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The address registered.
    pub address: Address,
    /// Its implicit set (REG-04); empty for direct registrations.
    pub aliases: Vec<Address>,
    /// `Call-ID` and `CSeq` of the client's REGISTER, for the order of RFC 3261 §10.3.
    pub call_id: String,
    /// See `call_id`.
    pub cseq: u32,
    /// What to do, all or nothing.
    pub changes: Vec<BindingChange>,
}

/// A committed registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// The mailbox of the account, if it has ever had one.
    pub mailbox: Option<MailboxId>,
    /// All live bindings, in the order they were made.
    pub bindings: Vec<Binding>,
    /// Whether something waits for delivery: the trigger of DLV-01. Costs no disk read (P9).
    pub has_waiting: bool,
    /// Aliases that belong to another account and were therefore not taken (REG-04).
    pub refused_aliases: Vec<Address>,
}

impl Registered {
    /// The answer about an address without an account.
    pub(crate) fn nobody() -> Self {
        Self {
            mailbox: None,
            bindings: Vec::new(),
            has_waiting: false,
            refused_aliases: Vec::new(),
        }
    }
}

/// Why a registration was refused; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationRefusal {
    /// Same Call-ID, CSeq not greater (RFC 3261 §10.3): 500.
    #[error("older than a binding it would change")]
    OutOfOrder,
    /// More than ten bindings (REG-03): 403.
    #[error("too many bindings")]
    TooManyBindings,
    /// No such account (only with `provisioning = listed`): 404.
    #[error("unknown user")]
    UnknownUser,
}
