//! A browser in so far as it sends requests: it keeps its cookie, and fills in what forms carry.

use std::net::SocketAddr;

use restante_tests::Deployment;
use restante_tests::http::{Reply, send};

/// Somebody at the console of a deployment.
#[derive(Clone, Debug)]
pub(super) struct Guest {
    pub(super) address: SocketAddr,
    /// `name=value`; empty before signing in.
    pub(super) cookie: String,
    /// What the forms of its session carry.
    pub(super) form: String,
}

/// A token by `restantectl console`; with these roles, if any.
pub(super) async fn token(deployment: &Deployment, roles: &str) -> String {
    let arguments: &[&str] = match roles {
        "" => &["console"],
        roles => &["console", "--role", roles],
    };
    let records = deployment.restantectl(arguments).await.done().records();
    let [record] = &records[..] else {
        panic!("{records:?}");
    };
    let (url, token) = (record["url"].as_str(), record["token"].as_str());
    let (url, token) = (url.expect("a URL"), token.expect("a token"));
    let address = deployment.address("console.listen");
    assert_eq!(url, format!("http://{address}/sign-in#{token}"));
    token.to_owned()
}

impl Guest {
    /// A stranger.
    pub(super) fn new(deployment: &Deployment) -> Self {
        Self {
            address: deployment.address("console.listen"),
            cookie: String::new(),
            form: String::new(),
        }
    }

    /// Somebody who has signed in by a token with these roles.
    pub(super) async fn signed_in(deployment: &Deployment, roles: &str) -> Self {
        let mut guest = Self::new(deployment);
        let token = token(deployment, roles).await;
        let reply = guest.sign_in(&token).await;
        assert_eq!((reply.status, reply.field("Location")), (303, "/"));
        let cookie = reply.field("Set-Cookie");
        let (pair, _) = cookie.split_once(';').expect("attributes");
        guest.cookie = pair.to_owned();
        let page = guest.get("/").await;
        assert_eq!(page.status, 200, "{}", page.body);
        guest.form = secret(&page.body);
        guest
    }

    /// Shows a token.
    pub(super) async fn sign_in(&self, token: &str) -> Reply {
        self.post("/sign-in", &[("token", token)]).await
    }

    /// The answer to `GET path`, as to a visit of a page.
    pub(super) async fn get(&self, path: &str) -> Reply {
        self.request("GET", path, &self.usual(), "").await
    }

    /// The answer to a form, with the fields of this session.
    pub(super) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.post_with(path, &self.usual(), fields).await
    }

    /// The same with other header lines.
    pub(super) async fn post_with(
        &self,
        path: &str,
        lines: &[String],
        fields: &[(&str, &str)],
    ) -> Reply {
        let mut body = format!("form={}", self.form);
        for (name, value) in fields {
            let value: String = value.bytes().map(|octet| format!("%{octet:02X}")).collect();
            body += &format!("&{name}={value}");
        }
        let mut lines = lines.to_vec();
        lines.push("Content-Type: application/x-www-form-urlencoded".to_owned());
        self.request("POST", path, &lines, &body).await
    }

    /// What a browser sends with each request.
    pub(super) fn usual(&self) -> Vec<String> {
        let address = self.address;
        let mut lines = vec![
            format!("Host: {address}"),
            format!("Origin: http://{address}"),
            "Accept: text/html".to_owned(),
        ];
        if !self.cookie.is_empty() {
            lines.push(format!("Cookie: {}", self.cookie));
        }
        lines
    }

    /// The same without the lines of this name, and with this line.
    pub(super) fn unusual(&self, name: &str, line: &str) -> Vec<String> {
        let mut lines = self.usual();
        lines.retain(|line| !line.starts_with(&format!("{name}:")));
        if !line.is_empty() {
            lines.push(line.to_owned());
        }
        lines
    }

    /// The answer to any request.
    ///
    /// # Panics
    /// When the connection breaks.
    pub(super) async fn request(
        &self,
        method: &str,
        path: &str,
        lines: &[String],
        body: &str,
    ) -> Reply {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let reply = send(self.address, &request).await;
        reply.unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }
}

/// What the forms of a page carry.
fn secret(page: &str) -> String {
    let (_, rest) = page
        .split_once("name=\"form\" value=\"")
        .expect("a form of a session");
    rest.split('"').next().expect("a value").to_owned()
}
