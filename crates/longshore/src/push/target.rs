use std::fmt;
use std::str::FromStr;

use hyper::Uri;
use hyper::http::uri::{PathAndQuery, Scheme};
use thiserror::Error;

/// Where a push job sends its requests: an `http` or `https` URL.
///
/// It displays only its host and port: path and query may contain a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) is_encrypted: bool,
    /// A name, or an address; an address of version 6 without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// The value of the header `host`.
    pub(super) authority: String,
    pub(super) path: PathAndQuery,
}

/// The URL cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// It is not a URL.
    #[error("it is not a URL: expected one such as https://shop.internal/jobs")]
    NotUrl,
    /// It has another scheme.
    #[error("its scheme is not supported: it must begin with https:// or http://")]
    Scheme,
    /// It has no host.
    #[error("it names no host: expected a URL such as https://shop.internal/jobs")]
    NoHost,
    /// Its host is no name of the DNS.
    #[error("its host is not a valid name: write international names in their ASCII form (xn--…)")]
    HostName,
    /// It contains a user name or a password.
    #[error("it contains a user name or a password: send them in `headers`, as authorization")]
    UserInfo,
    /// It has a fragment, which is never sent.
    #[error("it has a fragment (#…), which is never sent: remove it")]
    Fragment,
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        if text.contains('#') {
            return Err(InvalidTarget::Fragment);
        }
        let has_other_letters = text.split('/').nth(2).is_some_and(|authority| !authority.is_ascii());
        let uri: Uri = text
            .parse()
            .map_err(|_| if has_other_letters { InvalidTarget::HostName } else { InvalidTarget::NotUrl })?;
        let scheme = uri.scheme().ok_or(InvalidTarget::NotUrl)?;
        let is_encrypted = *scheme == Scheme::HTTPS;
        if !is_encrypted && *scheme != Scheme::HTTP {
            return Err(InvalidTarget::Scheme);
        }
        let authority = uri.authority().ok_or(InvalidTarget::NoHost)?;
        if authority.as_str().contains('@') {
            return Err(InvalidTarget::UserInfo);
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err(InvalidTarget::NoHost);
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => {
                if is_encrypted {
                    443
                } else {
                    80
                }
            }
            Some(port) => port.strip_prefix(':').and_then(|port| port.parse().ok()).ok_or(InvalidTarget::NotUrl)?,
            None => return Err(InvalidTarget::NotUrl),
        };
        if port == 0 || host.bytes().any(|byte| byte.is_ascii_whitespace() || byte == b'%') {
            return Err(InvalidTarget::NotUrl);
        }
        // A request line has a path, also before a query.
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
        let path = PathAndQuery::try_from(path).map_err(|_| InvalidTarget::NotUrl)?;
        Ok(Self { is_encrypted, host: host.to_owned(), port, authority: authority.as_str().to_owned(), path })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authority)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", if self.is_encrypted { "https" } else { "http" }, self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_a_port_and_a_path() {
        let table = [
            ("https://shop.internal/jobs/receipt?a=b", "shop.internal", 443, "shop.internal", "/jobs/receipt?a=b"),
            ("HTTP://shop.internal:8080", "shop.internal", 8080, "shop.internal:8080", "/"),
            ("http://[::1]:7/x", "::1", 7, "[::1]:7", "/x"),
            ("http://127.0.0.1", "127.0.0.1", 80, "127.0.0.1", "/"),
            ("http://a?b", "a", 80, "a", "/?b"),
        ];
        for (text, host, port, authority, path) in table {
            let target: Target = text.parse().unwrap();
            assert_eq!((target.host.as_str(), target.port), (host, port), "{text}");
            assert_eq!((target.authority.as_str(), target.path.as_str()), (authority, path), "{text}");
        }
    }

    #[test]
    fn a_url_that_cannot_be_used_is_refused_with_the_reason() {
        use InvalidTarget as Invalid;
        let table = [
            ("", Invalid::NotUrl),
            ("shop.internal", Invalid::NotUrl),
            ("/jobs", Invalid::NotUrl),
            ("ftp://shop.internal/", Invalid::Scheme),
            ("file://shop/x", Invalid::Scheme),
            ("https://", Invalid::NotUrl),
            ("https://:80/", Invalid::NoHost),
            ("https://a:0/", Invalid::NotUrl),
            ("https://a:99999/", Invalid::NotUrl),
            ("https://a:/", Invalid::NotUrl),
            ("https://a b/", Invalid::NotUrl),
            ("https://shop.internal/\nx", Invalid::NotUrl),
            ("https://user:word@shop.internal/", Invalid::UserInfo),
            ("https://bücher.example/", Invalid::HostName),
            ("https://shop.internal/#top", Invalid::Fragment),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse::<Target>(), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn a_path_and_a_query_are_never_shown() {
        let target: Target = "https://hooks.example/T0/secret?token=secret".parse().unwrap();
        let shown = format!("{target} {target:?}");
        assert!(shown.contains("hooks.example") && !shown.contains("secret"), "{shown}");
    }
}
