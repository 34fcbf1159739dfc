//! Where the console is: the names it answers to. Whoever comes by another name was led here by somebody else (DNS
//! rebinding), and a form that comes from another place is not ours.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, Uri, header};

use crate::config::Keys;

/// What shows contents of messages: no page of somebody else's leads there. Other ports of the same host are the same site to
/// browsers, which send the cookie along.
const CONTENTS: [&str; 2] = ["/content", "/download"];

/// Scheme and authority, as in an `Origin` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin(String);

impl Origin {
    /// Of `http://HOST[:PORT]` or `https://HOST[:PORT]`, in the form in which browsers write it: without a port that the
    /// scheme implies.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme_str()?;
        let implied = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        let authority = uri.authority()?;
        let is_bare = text.eq_ignore_ascii_case(&format!("{scheme}://{authority}"));
        if !is_bare || authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let port = authority.port_u16().filter(|port| *port != implied);
        let port = port.map_or(String::new(), |port| format!(":{port}"));
        let host = authority.host().to_ascii_lowercase();
        Some(Self(format!("{scheme}://{host}{port}")))
    }

    fn of(is_https: bool, host: &str, port: u16) -> Option<Self> {
        let scheme = if is_https { "https" } else { "http" };
        Self::parse(&format!("{scheme}://{host}:{port}"))
    }

    /// Whether browsers come by TLS.
    pub(crate) fn is_https(&self) -> bool {
        self.0.starts_with("https:")
    }

    /// What stands in `Host`.
    fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }
}

/// The origins of the console.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The one that people are told.
    main: Origin,
    others: Vec<Origin>,
    port: u16,
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stray {
    /// It is not for us.
    Host,
    /// It is for us, but a page of somebody else's made it.
    Origin,
}

impl Place {
    /// Of a console that is bound here.
    pub(crate) fn new(keys: &Keys, address: SocketAddr, has_tls: bool) -> Self {
        let ip = address.ip().to_canonical();
        let host = match ip {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let mut hosts = vec![host];
        if ip.is_loopback() {
            hosts.push("localhost".to_owned());
        }
        let bound = hosts.iter();
        let bound = bound.filter_map(|host| Origin::of(has_tls, host, address.port()));
        let mut origins: Vec<_> = keys.origin().into_iter().chain(bound).collect();
        Self {
            // An address always makes an origin.
            main: origins.remove(0),
            others: origins,
            port: address.port(),
        }
    }

    /// Where people find it.
    pub(crate) fn url(&self) -> &str {
        &self.main.0
    }

    /// The cookie of a session. Cookies know no ports: the name does, so that two consoles of one machine do not take each
    /// other's. By the prefix browsers take it only from here, and only for all of this host.
    pub(crate) fn cookie(&self) -> String {
        format!("__Host-restante-{}", self.port)
    }

    /// Whether a request is for us and, where it may change something or is no visit of a page, comes from a page of ours.
    pub(crate) fn check(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Stray> {
        let ours = self.named(uri, headers).ok_or(Stray::Host)?;
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let is_visit = matches!(*method, Method::GET | Method::HEAD);
        match text("origin") {
            Some(origin) if origin != ours.0 => return Err(Stray::Origin),
            // All browsers say where a form comes from.
            None if !is_visit => return Err(Stray::Origin),
            _ => {}
        }
        match text("sec-fetch-site") {
            None | Some("same-origin" | "none") => Ok(()),
            Some(_) if CONTENTS.contains(&uri.path()) => Err(Stray::Origin),
            // A link somewhere else.
            Some(_) if is_visit && text("sec-fetch-mode") == Some("navigate") => Ok(()),
            Some(_) => Err(Stray::Origin),
        }
    }

    /// The origin of ours that a request names.
    fn named(&self, uri: &Uri, headers: &HeaderMap) -> Option<&Origin> {
        let mut named = headers.get_all(header::HOST).iter();
        let (host, None) = (named.next()?.to_str().ok()?, named.next()) else {
            return None;
        };
        let is_host = |other: &str| other.eq_ignore_ascii_case(host);
        if uri.authority().is_some_and(|it| !is_host(it.as_str())) {
            return None;
        }
        let mut origins = std::iter::once(&self.main).chain(&self.others);
        origins.find(|origin| is_host(origin.host()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: Option<&str>, address: &str) -> Place {
        let keys = Keys {
            url: url.map(str::to_owned),
            ..Keys::default()
        };
        Place::new(&keys, address.parse().expect("an address"), false)
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let value = |text: &str| text.parse().expect("a value");
        lines
            .iter()
            .map(|(name, text)| (axum::http::HeaderName::from_static(name), value(text)))
            .collect()
    }

    fn check(place: &Place, method: Method, lines: &[(&'static str, &str)]) -> Result<(), Stray> {
        place.check(&method, &Uri::from_static("/"), &headers(lines))
    }

    #[test]
    fn origins_are_written_as_browsers_do() {
        for (text, expected) in [
            (
                "https://Console.example.org",
                Some("https://console.example.org"),
            ),
            ("https://a:443", Some("https://a")),
            ("http://a:443", Some("http://a:443")),
            ("http://[::1]:9403", Some("http://[::1]:9403")),
            ("https://a/", None),
            ("https://u@a", None),
            ("ftp://a", None),
            ("a", None),
            ("", None),
        ] {
            let origin = Origin::parse(text).map(|origin| origin.0);
            assert_eq!(origin.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_our_own_names_are_answered() {
        let on_loopback = place(None, "127.0.0.1:9403");
        let behind = place(Some("https://console.example.org"), "127.0.0.1:9403");
        for (place, host, is_ours) in [
            (&on_loopback, "127.0.0.1:9403", true),
            (&on_loopback, "LOCALHOST:9403", true),
            (&on_loopback, "127.0.0.1", false),
            (&on_loopback, "127.0.0.1:9404", false),
            (&on_loopback, "rebound.example.net:9403", false),
            (&on_loopback, "127.0.0.1:9403.example.net", false),
            (&on_loopback, "", false),
            (&behind, "console.example.org", true),
            (&behind, "console.example.org:9403", false),
        ] {
            let checked = check(place, Method::GET, &[("host", host)]);
            assert_eq!(checked.is_ok(), is_ours, "{host}");
        }
        let twice = [("host", "127.0.0.1:9403")];
        let mut lines = headers(&twice);
        lines.append("host", "127.0.0.1:9403".parse().expect("a value"));
        let (get, uri) = (Method::GET, Uri::from_static("/"));
        assert_eq!(on_loopback.check(&get, &uri, &lines), Err(Stray::Host));
        let other = Uri::from_static("http://rebound.example.net:9403/");
        let checked = on_loopback.check(&get, &other, &headers(&twice));
        assert_eq!(checked, Err(Stray::Host));
        assert_eq!(check(&on_loopback, Method::GET, &[]), Err(Stray::Host));
    }

    #[test]
    fn forms_come_from_our_own_pages_and_pages_are_not_embedded() {
        let place = place(Some("https://console.example.org"), "127.0.0.1:9403");
        let host = ("host", "127.0.0.1:9403");
        let ours = ("origin", "http://127.0.0.1:9403");
        for (method, lines, is_ours) in [
            (Method::POST, &[host, ours][..], true),
            (Method::POST, &[host], false),
            (Method::POST, &[host, ("origin", "null")], false),
            (
                Method::POST,
                &[host, ("origin", "http://127.0.0.1:8000")],
                false,
            ),
            (
                Method::POST,
                &[host, ("origin", "https://127.0.0.1:9403")],
                false,
            ),
            (
                Method::POST,
                &[host, ("origin", "https://console.example.org")],
                false,
            ),
            (
                Method::POST,
                &[host, ours, ("sec-fetch-site", "same-site")],
                false,
            ),
            (Method::PUT, &[host], false),
            (Method::GET, &[host, ("sec-fetch-site", "none")], true),
            (
                Method::GET,
                &[host, ("sec-fetch-site", "same-origin")],
                true,
            ),
            (
                Method::GET,
                &[
                    host,
                    ("sec-fetch-site", "same-site"),
                    ("sec-fetch-mode", "no-cors"),
                ],
                false,
            ),
            (
                Method::GET,
                &[
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("sec-fetch-mode", "navigate"),
                ],
                true,
            ),
            (
                Method::GET,
                &[host, ("origin", "http://evil.example.net")],
                false,
            ),
        ] {
            let checked = check(&place, method.clone(), lines);
            assert_eq!(checked.is_ok(), is_ours, "{method} {lines:?}");
        }
    }

    #[test]
    fn no_link_of_another_page_leads_to_contents() {
        let place = place(None, "127.0.0.1:9403");
        for (path, site, is_ours) in [
            ("/message?id=1", Some("same-site"), true),
            ("/message?id=1", Some("cross-site"), true),
            ("/content?id=1", Some("same-site"), false),
            ("/download?id=1", Some("same-site"), false),
            ("/download?id=1", Some("cross-site"), false),
            ("/content?id=1", Some("same-origin"), true),
            ("/download?id=1", Some("none"), true),
            ("/download?id=1", None, true),
        ] {
            let mut lines = headers(&[("host", "127.0.0.1:9403"), ("sec-fetch-mode", "navigate")]);
            if let Some(site) = site {
                lines.insert("sec-fetch-site", site.parse().expect("a value"));
            }
            let checked = place.check(&Method::GET, &Uri::from_static(path), &lines);
            assert_eq!(checked.is_ok(), is_ours, "{path} {site:?}");
        }
    }
}
