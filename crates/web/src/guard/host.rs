use std::net::IpAddr;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, Uri, header};

use crate::error::ApiError;
use crate::state::{Settings, WebState};

/// Refuses a request for a name that a foreign web page may have pointed at this machine (DNS rebinding). A page cannot
/// do that with an address or with `localhost`. Where a token or a user is needed, a foreign page has none, so there
/// names are only checked if the operator lists them.
pub(super) fn check(state: &WebState, request: &Request) -> Result<(), ApiError> {
    let host = host_of(request.headers(), request.uri());
    match host {
        Some(host) if is_allowed(state.settings(), &host) => Ok(()),
        Some(_) => {
            let error =
                ApiError::new(StatusCode::MISDIRECTED_REQUEST, "host_not_allowed", "this host name is not allowed");
            Err(error.hint("use the address or localhost, or start the server with --host NAME"))
        }
        None => Err(ApiError::invalid("the request must name exactly one host")),
    }
}

fn is_allowed(settings: &Settings, host: &str) -> bool {
    let name = without_port(host);
    if name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    if settings.hosts.is_empty() { !settings.is_open } else { settings.hosts.iter().any(|known| known == name) }
}

/// The host that a request names, in lower case.
pub(crate) fn host_of(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let mut named = headers.get_all(header::HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok()?.to_owned(),
        (None, None) => uri.authority()?.to_string(),
        _ => return None,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// `[::1]:7070` → `::1`, `localhost:7070` → `localhost`, `localhost.` → `localhost`.
fn without_port(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split(']').next().unwrap_or_default();
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.strip_suffix('.').unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::access::Nobody;

    fn settings(is_open: bool, hosts: &[&str]) -> Settings {
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        Settings { is_open, hosts, ..Settings::new(Arc::new(Nobody)) }
    }

    #[test]
    fn an_open_server_answers_to_addresses_and_localhost_alone() {
        let open = settings(true, &[]);
        for host in
            ["127.0.0.1:7070", "[::1]:7070", "localhost:7070", "localhost", "a.localhost", "10.0.0.7", "localhost."]
        {
            assert!(is_allowed(&open, host), "{host}");
        }
        for host in ["evil.example:7070", "localhost.evil.example", "127.0.0.1.evil.example", "1.2.3", "", "[evil]"] {
            assert!(!is_allowed(&open, host), "{host}");
        }
    }

    #[test]
    fn a_listed_name_is_allowed_and_then_no_other_one() {
        let listed = settings(false, &["jobs.example"]);
        assert!(is_allowed(&listed, "jobs.example:443"));
        assert!(!is_allowed(&listed, "jobs.example.evil"));
        assert!(is_allowed(&settings(false, &[]), "any.example"));
    }
}
