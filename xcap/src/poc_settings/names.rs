//! What the elements of the settings are called: not everywhere the same, so that it is
//! configuration (requirements §2.6).

use std::fmt;
use std::str::FromStr;

use super::{IM, POC, Setting};

/// The name of the element of one setting, as it is configured: `SETTING={NAMESPACE}LOCAL`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XmlName {
    /// Which setting.
    pub setting: Setting,
    /// Its namespace.
    pub namespace: String,
    /// Its local name. For the two histories: of the element within `hist-activation`, or the value
    /// of its attribute `type` or `mode`.
    pub local: String,
}

/// A text that is no [`XmlName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not `SETTING={{NAMESPACE}}NAME`, or no such setting")]
pub struct BadXmlName;

impl FromStr for XmlName {
    type Err = BadXmlName;

    fn from_str(text: &str) -> Result<Self, BadXmlName> {
        let (setting, qualified) = text.split_once('=').ok_or(BadXmlName)?;
        let (namespace, local) = qualified
            .strip_prefix('{')
            .and_then(|open| open.split_once('}'))
            .ok_or(BadXmlName)?;
        if !crate::node_selector::is_name(local) {
            return Err(BadXmlName);
        }
        Ok(Self {
            setting: Setting::named(setting.trim()).ok_or(BadXmlName)?,
            namespace: namespace.to_owned(),
            local: local.to_owned(),
        })
    }
}

impl fmt::Display for XmlName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            namespace,
            local,
        } = self;
        write!(f, "{}={{{namespace}}}{local}", setting.name())
    }
}

/// What each setting is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(Vec<XmlName>);

impl Default for Names {
    /// The names of requirements §2.6.
    fn default() -> Self {
        let names = [
            (Setting::SessionBarring, POC, "incoming-session-barring"),
            (Setting::MessageBarring, IM, "incoming-pager-large-barring"),
            (Setting::Invisibility, IM, "vis-status"),
            (Setting::OfflineDelivery, IM, "offline-delivery"),
            (Setting::SessionHistory, IM, "session-mode"),
            (Setting::MessageHistory, IM, "pager-large-mode"),
            (
                Setting::FileTransferBarring,
                IM,
                "incoming-file-transfer-barring",
            ),
        ];
        let name = |(setting, namespace, local): (Setting, &str, &str)| XmlName {
            setting,
            namespace: namespace.to_owned(),
            local: local.to_owned(),
        };
        Self(names.map(name).into())
    }
}

impl Names {
    /// The default names with these instead of theirs.
    #[must_use]
    pub fn with(configured: &[XmlName]) -> Self {
        let mut names = Self::default();
        for name in configured {
            names.0.retain(|known| known.setting != name.setting);
            names.0.push(name.clone());
        }
        names
    }

    /// What a setting is called.
    pub(super) fn of(&self, setting: Setting) -> Option<&XmlName> {
        self.0.iter().find(|name| name.setting == setting)
    }

    /// The setting of an element.
    pub(super) fn setting(&self, namespace: &str, local: &str) -> Option<Setting> {
        let mut names = self.0.iter();
        names
            .find(|name| name.namespace == namespace && name.local == local)
            .map(|name| name.setting)
    }

    /// The history of a kind.
    pub(super) fn history(&self, kind: &str) -> Option<Setting> {
        let mut names = self.0.iter();
        names
            .find(|name| is_history(name.setting) && name.local == kind)
            .map(|name| name.setting)
    }
}

pub(super) fn is_history(setting: Setting) -> bool {
    matches!(setting, Setting::SessionHistory | Setting::MessageHistory)
}
