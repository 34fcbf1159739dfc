//! The canonical name of a user.

use std::{fmt, str::FromStr};

use super::{Host, SipUri, TelUri, Uri, UriError, percent::normalised_user};

/// An address of record in the one spelling by which users are compared and stored (requirements 2.13).
///
/// sip and sips become `sip:`; escapes of unreserved characters are undone, letter case of the user is kept; the host
/// is in lower case; password, default port, parameters and headers are gone. Of a tel URI the visual separators and
/// the parameters are gone, but for the `phone-context` without which a local number means nothing (RFC 3966 §5.1.5).
/// `im:` (RFC 3860) names the same user as `sip:` (ERR-04).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aor(String);

impl Aor {
    /// The canonical form; `None` for schemes that name no user of ours, and for a local number without the context in
    /// which it means something (RFC 3966 §5.1.5).
    pub fn from_uri(uri: &Uri) -> Option<Self> {
        match uri {
            Uri::Sip(uri) => Some(Self(canonical_sip(uri))),
            Uri::Tel(uri) => canonical_tel(uri).map(Self),
            Uri::Other { scheme, rest } if scheme == "im" => SipUri::parse_rest(false, rest)
                .ok()
                .map(|uri| Self(canonical_sip(&uri))),
            Uri::Other { .. } => None,
        }
    }

    /// The canonical text with its scheme.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host in lower case, without port; `None` for a telephone number.
    pub fn domain(&self) -> Option<&str> {
        let address = self.0.strip_prefix("sip:")?;
        let host_port = address
            .rsplit_once('@')
            .map_or(address, |(_, host_port)| host_port);
        let name_end = host_port.find(']').map_or(0, |bracket| bracket + 1);
        let end = host_port[name_end..]
            .find(':')
            .map_or(host_port.len(), |colon| name_end + colon);
        Some(&host_port[..end])
    }

    /// The user part of a sip address in its canonical spelling.
    pub fn user(&self) -> Option<&str> {
        self.0
            .strip_prefix("sip:")?
            .rsplit_once('@')
            .map(|(user, _)| user)
    }
}

fn canonical_sip(uri: &SipUri) -> String {
    let host = match &uri.host {
        Host::Name(name) => name.to_ascii_lowercase(),
        literal => literal.to_string(),
    };
    // The canonical form is a sip URI, whatever it was made from: its own default port is gone in any case.
    let is_default = |port: u16| port == 5060 || (uri.secure && port == 5061);
    let port = uri
        .port
        .filter(|port| !is_default(*port))
        .map(|port| format!(":{port}"));
    let user = uri.user.as_deref().map(|user| normalised_user(user) + "@");
    format!(
        "sip:{}{host}{}",
        user.unwrap_or_default(),
        port.unwrap_or_default()
    )
}

fn canonical_tel(uri: &TelUri) -> Option<String> {
    let digits = uri.digits().to_ascii_lowercase();
    if uri.is_global() {
        return Some(format!("tel:{digits}"));
    }
    let context = uri.params.value("phone-context")?.to_ascii_lowercase();
    Some(format!("tel:{digits};phone-context={context}"))
}

impl fmt::Display for Aor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Aor {
    type Err = UriError;

    /// Reads any spelling of a sip, sips, tel or im URI.
    fn from_str(text: &str) -> Result<Self, UriError> {
        Self::from_uri(&text.parse()?).ok_or(UriError::Scheme)
    }
}
