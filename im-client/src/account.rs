//! Who the client is and which proxy it speaks to.

use sip::Uri;

/// A user of the IM service as his client knows him.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's IM address, `From` of what he sends and address of record he registers.
    pub user: Uri,
    /// Where every request goes, whatever its Request-URI (OPG-11).
    pub proxy: Uri,
}

impl Account {
    /// The domain the user registers in: Request-URI of his REGISTER (RFC 3261 §10.2).
    #[must_use]
    pub fn registrar(&self) -> String {
        let domain = sip::Aor::from_uri(&self.user)
            .and_then(|aor| aor.domain().map(str::to_owned))
            .unwrap_or_else(|| "localhost".to_owned());
        format!("sip:{domain}")
    }

    /// The user part of his address, for Contacts.
    #[must_use]
    pub fn user_part(&self) -> String {
        self.user
            .as_sip()
            .and_then(|uri| uri.user.clone())
            .unwrap_or_else(|| "im".to_owned())
    }
}
