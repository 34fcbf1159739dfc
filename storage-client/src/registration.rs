//! Telling the store who is reachable.

use std::time::SystemTime;

/// How a registration reached us (REG-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistrationKind {
    /// The core told us about a registration at its registrar.
    ThirdParty,
    /// A proxy copied the client's REGISTER to us.
    Copied,
    /// The client registered with us.
    Direct,
}

/// The connection a client registered on (RFC 5626).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Name of the edge that holds it.
    pub edge: String,
    /// That edge's own name for it.
    pub token: String,
}

/// One binding of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Contact URI.
    pub contact: String,
    /// `+sip.instance`, empty if none.
    pub instance: String,
    /// `reg-id`, zero if none.
    pub reg_id: u32,
    /// `Call-ID` of the REGISTER that made it.
    pub call_id: String,
    /// `CSeq` of that REGISTER.
    pub cseq: u32,
    /// `Path` values, topmost first (RFC 3327).
    pub path: Vec<String>,
    /// Direct registrations only.
    pub flow: Option<Flow>,
    /// Whether an IM feature tag was present (DLV-02).
    pub has_im_tag: bool,
    /// Whether MESSAGE is allowed, or nothing was said about it (DLM-01).
    pub allows_message: bool,
    /// How it reached us.
    pub kind: RegistrationKind,
    /// `User-Agent`, for operators.
    pub user_agent: String,
    /// When it ends.
    pub expires_at: SystemTime,
    /// `pub-gruu` of the Contact (RFC 5627), empty if none.
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
    /// Remove all (`Contact: *`; third-party Expires 0).
    UnbindAll,
}

/// A REGISTER as the store sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Canonical address of record.
    pub address: String,
    /// Its implicit set (REG-04).
    pub aliases: Vec<String>,
    /// `Call-ID` of the client's REGISTER.
    pub call_id: String,
    /// `CSeq` of the client's REGISTER.
    pub cseq: u32,
    /// All or nothing; empty only asks for the bindings.
    pub changes: Vec<BindingChange>,
}

/// A committed registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// All live bindings, in the order they were made.
    pub bindings: Vec<Binding>,
    /// Aliases that belong to another account (REG-04).
    pub refused_aliases: Vec<String>,
}
