//! The users file of the registrar (REG-02): who may register, and by what he proves it.
//!
//! One user per line, `name:realm:sha256[:md5]`: the name the client logs in with, and the hashes of
//! `name:realm:password` in hexadecimal digits (RFC 7616 §3.4.2, RFC 8760). Without the MD5 one the
//! user cannot log in by MD5. Empty lines and those that begin with `#` say nothing. The hashes are
//! worth as much as the passwords.

use std::collections::HashMap;

use sip::Aor;
use sip::digest::Algorithm;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {mistake}")]
pub(crate) struct BadLine {
    line: usize,
    mistake: &'static str,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    /// Whom he may register: `sip:` and the name, within the domain of the realm if the name has none.
    pub(crate) address: Aor,
    sha256: String,
    md5: Option<String>,
}

impl User {
    /// The hash that proves him under an algorithm.
    pub(crate) fn ha1(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Sha256 => Some(&self.sha256),
            Algorithm::Md5 => self.md5.as_deref(),
        }
    }
}

/// All users of one realm, by the names they log in with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Users(HashMap<String, User>);

impl Users {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub(crate) fn parse(text: &str, realm: &str) -> Result<Self, BadLine> {
        let mut users = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let line_error = |mistake| BadLine {
                line: number + 1,
                mistake,
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, user) = user(line, realm).map_err(line_error)?;
            if users.insert(name, user).is_some() {
                return Err(line_error("this user has a line already"));
            }
        }
        Ok(Self(users))
    }

    /// The user who logs in with this name.
    pub(crate) fn find(&self, name: &str) -> Option<&User> {
        self.0.get(name)
    }
}

fn user(line: &str, realm: &str) -> Result<(String, User), &'static str> {
    let fields: Vec<_> = line.split(':').map(str::trim).collect();
    let (name, of_realm, sha256, md5) = match *fields.as_slice() {
        [name, realm, sha256] => (name, realm, sha256, None),
        [name, realm, sha256, md5] => (name, realm, sha256, Some(md5)),
        _ => return Err("expected `name:realm:sha256` or `name:realm:sha256:md5`"),
    };
    if of_realm != realm {
        return Err("the realm is not that of the registrar");
    }
    let address = match name.contains('@') {
        true => format!("sip:{name}"),
        false => format!("sip:{name}@{realm}"),
    };
    let user = User {
        address: address.parse().map_err(|_| "the name makes no sip URI")?,
        sha256: hash(sha256, 64).ok_or("the SHA-256 hash must have 64 hexadecimal digits")?,
        md5: match md5 {
            Some(md5) => Some(hash(md5, 32).ok_or("the MD5 hash must have 32 hexadecimal digits")?),
            None => None,
        },
    };
    Ok((name.to_owned(), user))
}

/// As it goes into a response: in lower case.
fn hash(text: &str, digits: usize) -> Option<String> {
    let is_hash = text.len() == digits && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_hash.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REALM: &str = "example.org";

    fn line(name: &str) -> String {
        let sha256 = Algorithm::Sha256.ha1(name, REALM, "secret");
        format!("{name}:{REALM}:{}\n", sha256.to_ascii_uppercase())
    }

    #[test]
    fn a_user_is_found_by_his_name_with_his_hashes() {
        let md5 = Algorithm::Md5.ha1("carol", REALM, "secret");
        let text = format!(
            "# people\n\n{}{}:{md5}\n",
            line("bob@example.org"),
            line("carol").trim_end()
        );
        let users = Users::parse(&text, REALM).expect("well-formed");
        let bob = users.find("bob@example.org").expect("known");
        assert_eq!(bob.address.to_string(), "sip:bob@example.org");
        let sha256 = Algorithm::Sha256.ha1("bob@example.org", REALM, "secret");
        assert_eq!(bob.ha1(Algorithm::Sha256), Some(sha256.as_str()));
        assert_eq!(bob.ha1(Algorithm::Md5), None);
        let carol = users.find("carol").expect("known");
        assert_eq!(carol.address.to_string(), "sip:carol@example.org");
        assert_eq!(carol.ha1(Algorithm::Md5), Some(md5.as_str()));
        assert!(users.find("bob").is_none());
    }

    #[test]
    fn mistakes_name_their_line() {
        let good = line("bob");
        for (text, number) in [
            (format!("{good}bob"), 2),
            (format!("{good}{good}"), 2),
            (good.replace("example.org", "elsewhere.org"), 1),
            (good.replace("bob:", "bob:b:b:"), 1),
            (good.trim_end()[..70].to_owned(), 1),
            (format!("{}:abc", good.trim_end()), 1),
        ] {
            let mistake = Users::parse(&text, REALM).expect_err("a mistake");
            assert_eq!(mistake.line, number, "{text}: {mistake}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-f0-9:@#\\n ]{0,200}") {
            let _ = Users::parse(&text, REALM);
        }
    }
}
