//! What the console is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use daemon::config::{Document, Section, SectionDoc};
use daemon::listen::check_exposure;

use crate::place::Origin;

daemon::section! {
    /// The operators' web console, in the storage process. `restantectl console` lets people in.
    pub struct Keys in "console" {
        /// Address of the console. `off`: there is none.
        listen: Option<SocketAddr> = "127.0.0.1:9403",
        /// How browsers reach it, if not at that address: `https://console.example.org:9403`, its own name or that of a
        /// proxy. They are answered only there, and at the loopback address.
        url: Option<String> = "off",
        /// PEM file with its certificate, followed by those that lead to its authority. `off`: no TLS. Read again when
        /// it changes.
        certificate: Option<PathBuf> = "off",
        /// The private key of the certificate.
        key: Option<PathBuf> = "off",
        /// Accept that the console is reachable from beyond this machine without TLS, as behind a proxy that speaks it.
        insecure: bool = false,
        /// A session ends after so long without a request.
        idle: Duration = "15m",
        /// A session ends so long after its beginning, whatever happens.
        session: Duration = "8h",
    }
}

/// The keys, and what follows from them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// As they are written.
    pub keys: Keys,
    /// What the operator has accepted and is reminded of in log and readiness.
    pub warning: Option<String>,
}

impl Config {
    /// The section, for the default file.
    pub const DOC: &'static SectionDoc = &Keys::DOC;

    /// Reads the section; mistakes and contradictions are noted in the document.
    pub fn read(document: &mut Document) -> Self {
        let keys: Keys = document.read();
        for (key, sentence) in keys.contradictions() {
            document.error_at(key, sentence);
        }
        let exposed = keys.listen.filter(|_| keys.certificate.is_none());
        let warning = exposed
            .and_then(|address| check_exposure(document, "console.listen", address, keys.insecure));
        Self { keys, warning }
    }
}

impl Keys {
    /// Where browsers reach it, if that is told.
    pub(crate) fn origin(&self) -> Option<Origin> {
        self.url.as_deref().and_then(Origin::parse)
    }

    /// What is wrong with the values together, each with the key to mend.
    fn contradictions(&self) -> Vec<(&'static str, &'static str)> {
        let origin = self.origin();
        let has_tls = self.certificate.is_some();
        let is_beyond = |address: SocketAddr| !address.ip().to_canonical().is_loopback();
        let is_anywhere = |address: SocketAddr| address.ip().is_unspecified();
        let checks = [
            (
                self.certificate.is_some() == self.key.is_some(),
                "console.key",
                "certificate and key belong together: set both, or none",
            ),
            (
                self.url.is_none() || origin.is_some(),
                "console.url",
                "must be `https://HOST[:PORT]` or `http://HOST[:PORT]`, without a path",
            ),
            (
                !has_tls || origin.as_ref().is_none_or(Origin::is_https),
                "console.url",
                "must be https:// because console.certificate is set",
            ),
            (
                has_tls
                    || !self.listen.is_some_and(is_beyond)
                    || origin.as_ref().is_some_and(Origin::is_https),
                "console.url",
                "must be the https:// address of the proxy before it: browsers keep no session in clear beyond loopback",
            ),
            (
                self.url.is_some() || !self.listen.is_some_and(is_anywhere),
                "console.url",
                "must be set where the console listens at every address: browsers are answered at this one only",
            ),
            (
                !self.idle.is_zero(),
                "console.idle",
                "must not be 0: every session would have ended at its first request",
            ),
            (
                self.idle <= self.session,
                "console.idle",
                "must not exceed console.session",
            ),
        ];
        let wrong = checks.into_iter().filter(|(holds, ..)| !holds);
        wrong.map(|(_, key, sentence)| (key, sentence)).collect()
    }
}

#[cfg(test)]
mod tests {
    use daemon::config::Environment;

    use super::*;

    fn read(text: &str) -> (Config, String) {
        let text = format!("[console]\n{text}");
        let mut document = Document::parse("r.toml", &text, Environment::default());
        let config = Config::read(&mut document);
        let errors = document.finish().err();
        let errors = errors.map(|errors| errors.to_string());
        (config, errors.unwrap_or_default())
    }

    #[test]
    fn by_itself_it_is_on_loopback_and_can_be_off() {
        let (config, errors) = read("");
        assert_eq!((config, errors.as_str()), (Config::default(), ""));
        let (config, errors) = read("listen = \"off\"\n");
        assert_eq!((config.keys.listen, errors.as_str()), (None, ""));
    }

    #[test]
    fn console_beyond_loopback_needs_tls_or_consent() {
        const BEYOND: &str = "listen = \"192.0.2.1:9403\"\n";
        const TLS: &str = "certificate = \"a.pem\"\nkey = \"a.key\"\n";
        const PROXY: &str = "url = \"https://console.example.org\"\n";
        let (_, errors) = read(BEYOND);
        assert!(errors.contains("insecure = true"), "{errors}");
        let (config, errors) = read(&format!("{BEYOND}{TLS}"));
        assert_eq!((config.warning, errors.as_str()), (None, ""));
        let (config, errors) = read(&format!("{BEYOND}{PROXY}insecure = true\n"));
        assert_eq!((config.warning.is_some(), errors.as_str()), (true, ""));
    }

    #[test]
    fn what_contradicts_names_its_key() {
        for (text, key) in [
            ("certificate = \"a.pem\"\n", "console.key"),
            ("url = \"console.example.org\"\n", "console.url"),
            ("url = \"https://console.example.org/a\"\n", "console.url"),
            (
                "url = \"http://a\"\ncertificate = \"a\"\nkey = \"b\"\n",
                "console.url",
            ),
            ("listen = \"192.0.2.1:1\"\ninsecure = true\n", "console.url"),
            (
                "listen = \"[::]:1\"\ncertificate = \"a\"\nkey = \"b\"\n",
                "console.url",
            ),
            ("idle = \"0s\"\n", "console.idle"),
            ("idle = \"2h\"\nsession = \"1h\"\n", "console.idle"),
        ] {
            let (_, errors) = read(text);
            assert!(errors.contains(key), "{key} in {errors:?} of {text}");
        }
    }
}
