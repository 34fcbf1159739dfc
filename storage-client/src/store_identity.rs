//! Which store it is.

/// What an edge must know about the store it works for.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreIdentity {
    /// The hostname in Message-IDs.
    pub hostname: String,
    /// Proves branches (DLV-16). Never leaves the edge.
    pub secret: bytes::Bytes,
}

impl std::fmt::Debug for StoreIdentity {
    /// The secret stays secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreIdentity")
            .field("hostname", &self.hostname)
            .finish_non_exhaustive()
    }
}
